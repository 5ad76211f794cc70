"""Whole packs of a remote that become packs of the local store: what a clone pulls mostly lies together."""

from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tallystick.digest import blake3_hasher, digests_of
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing
from tallystick.files import atomic_file, begin_writing
from tallystick.store.index import PackName
from tallystick.store.pack import LARGE, ROW, columns
from tallystick.store.remote import RemoteStore
from tallystick.store.writer import SEALED

_PIECE = 8 << 20
"""Bytes that are asked for at a time."""


class Adopted(NamedTuple):
    """A pack that lies in the local store now, all its blobs verified; `rows` are its table of contents."""

    pack: PackName
    rows: bytes
    size: int

    @property
    def blobs(self) -> int:
        """How many are in it."""
        return len(self.rows) // ROW.size

    def digests(self) -> Iterator[bytes]:
        """The blobs that are in it."""
        return map(itemgetter(0), ROW.iter_unpack(self.rows))


def adopt(remote: RemoteStore, folder: Path, pack: PackName) -> Adopted | None:
    """Copy a remote's pack into a folder; None, and nothing is left, unless all of it is right and as it is.

    Raises RemoteUnreachable. What is wrong with the others is found out blob by blob.
    """
    rows = remote.table(pack)
    if rows is None:
        return None
    _, _, sizes, encodings = columns(rows)
    if any(encodings) or max(sizes, default=0) >= LARGE:
        return None
    try:
        with atomic_file(folder / f"{pack.digest.hex()}.pack", SEALED) as file:
            _copy(remote, pack, rows, file)
    except (BadRecord, ObjectMissing, ObjectCorrupt):
        return None
    return Adopted(pack, rows, sum(sizes))


def _copy(remote: RemoteStore, pack: PackName, rows: bytes, file: BinaryIO) -> None:
    """Copy a pack piece by piece; raise ObjectCorrupt at the first blob that is not what its name says."""
    whole, position, begun = blake3_hasher(), 0, 0
    left = ROW.iter_unpack(rows)
    per_piece = max(1, len(rows) // ROW.size * _PIECE // pack.size)
    while position < pack.size:
        some = list(islice(left, per_piece))
        end = some[-1][1] + some[-1][2] if some else pack.size
        piece = remote.read_range(pack.digest, position, end)
        names = digests_of([piece[at - position : at - position + stored] for _, at, stored, _, _ in some])
        if len(piece) != end - position or names != [entry[0] for entry in some]:
            raise ObjectCorrupt(f"{pack.digest} is damaged in {remote.url}")
        whole.update(piece)
        file.write(piece)
        position = end
        begun = begin_writing(file.fileno(), begun, position)
    if whole.digest() != pack.digest:
        raise ObjectCorrupt(f"{pack.digest} is damaged in {remote.url}")
