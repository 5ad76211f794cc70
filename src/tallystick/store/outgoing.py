"""What a push uploads: packs of the blobs that the remote lacks, and recipes of its large files."""

import io
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tallystick.digest import Buffer, Digest, blake3_hasher, digests_of
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing
from tallystick.files import translated
from tallystick.store.chunker import chunks
from tallystick.store.index import Recipe
from tallystick.store.local import LocalStore
from tallystick.store.pack import (
    MAGIC,
    PACK_SIZE,
    RAW,
    ROW,
    Contents,
    Encoder,
    Entry,
    close,
    decode,
    read_table,
    table,
)

_WINDOW = 64 << 20
"""Bytes of a large file after which those that were read are given back."""

_SAMPLES = 32
"""Blobs of a pack that are tried before deciding whether to compress any."""


Row = tuple[bytes, int, int, int, int]
"""An Entry as it is unpacked: digest, offset, stored length, size, encoding."""


class Parcel(NamedTuple):
    """A pack in memory, every blob in it verified, ready to go; `rows` are its table of contents.

    `blobs` counts those that are in it as they are, not the chunks of large ones.
    """

    data: Buffer
    rows: bytes
    blobs: int
    size: int


class Outgoing:
    """Makes the packs for a push, one at a time; `recipes` grows while they are drawn."""

    def __init__(self, local: LocalStore, is_known: Callable[[Digest], bool]) -> None:
        self._local = local
        self._is_known = is_known
        self._encoder = Encoder()
        self._started: set[Digest] = set()
        self.recipes: dict[Digest, Recipe] = {}

    def parcels(self, wanted: set[Digest]) -> Iterator[Parcel]:
        """Pack these blobs of the local store; raise ObjectCorrupt before a bad byte is sent (C7)."""
        small: list[Digest] = []
        large = set(wanted)
        for pack, digests in sorted(self._local.packed(wanted).items()):
            large.difference_update(digests)
            parcel = self._verbatim(pack.digest, digests)
            if parcel is None:
                small.extend(digests)
            else:
                yield parcel
        yield from self._repacked(large, small)

    def _verbatim(self, pack: Digest, wanted: list[Digest]) -> Parcel | None:
        """A local pack as it is, but for the nonce; None if not all is wanted, or compressing pays."""
        with self._local.pack(pack) as view:
            # Small ones are better joined: the remote would fill up with them, one for each `add`.
            return None if len(view) < PACK_SIZE // 2 else self._renamed(pack, view, wanted)

    def _renamed(self, pack: Digest, view: memoryview, wanted: list[Digest]) -> Parcel | None:
        """A local pack with another nonce, and so another name."""
        try:
            rows = bytes(read_table(view, len(view), str(pack)))
        except BadRecord:
            return None
        entries = list(ROW.iter_unpack(rows))
        if len(entries) != len(wanted) or not set(wanted).issuperset([entry[0] for entry in entries]):
            return None
        step = max(1, len(entries) // _SAMPLES)
        if self._encoder.shrinks([view[at : at + stored] for _, at, stored, _, _ in entries[::step]]):
            return None
        self._verify(pack, view, entries)
        end = entries[-1][1] + entries[-1][2]
        data = b"".join((view[:end], close(rows, end)))
        return Parcel(data, rows, len(entries), sum([entry[3] for entry in entries]))

    def _verify(self, pack: Digest, view: memoryview, entries: Sequence[Row]) -> None:
        """Hash every blob of a local pack; one with a damaged blob is set aside."""
        if all(encoding == RAW for *_, encoding in entries):
            found = digests_of([view[at : at + stored] for _, at, stored, _, _ in entries])
            if found == [entry[0] for entry in entries]:
                return
        for digest, at, stored, size, encoding in entries:
            try:
                decode(view[at : at + stored], digest, size, encoding, str(pack))
            except ObjectCorrupt:
                self._local.set_aside_pack(pack)
                raise

    def _repacked(self, large: set[Digest], small: list[Digest]) -> Iterator[Parcel]:
        """New packs of blobs out of local packs, and of the chunks of large files."""
        box = Box(self._encoder)
        data: Buffer
        for digest, data in self._local.read_many(small):
            box.put(digest, data)
            if box.is_full:
                yield box.close()
        for digest in sorted(large):
            for chunk, data in self._chunks_of(digest):
                box.put(chunk, data, is_chunk=True)
                if box.is_full:
                    yield box.close()
        if box.entries:
            yield box.close()

    def _chunks_of(self, digest: Digest) -> Iterator[tuple[Digest, Buffer]]:
        """The chunks of a large file that the remote lacks; its recipe is noted once it has verified."""
        path = self._local.object_path(digest)
        if path is None:
            raise ObjectMissing(f"{digest} is not in the local store", [digest], [str(self._local.root)])
        hasher, listed, done = blake3_hasher(), [], 0
        data = _mapped(path)
        for piece in chunks(memoryview(data)):
            hasher.update(piece)
            name = Digest.of(piece)
            listed.append((name, len(piece)))
            done += len(piece)
            if done % _WINDOW < len(piece):
                # Read again if need be: what was seen of a file that is larger than memory must not stay.
                data.madvise(mmap.MADV_DONTNEED)
            if name not in self._started and not self._is_known(name):
                self._started.add(name)
                yield name, piece
        if hasher.digest() != digest:
            self._local.verify(digest)
            raise ObjectCorrupt(
                f"{digest} changed in the local store while it was read", [digest], [str(path)]
            )
        self.recipes[digest] = Recipe(len(data), tuple(listed))


class Box:
    """A pack being filled in memory."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._start()

    def _start(self) -> None:
        self._contents = Contents()
        self._data = io.BytesIO()
        self._data.write(MAGIC)
        self._size = 0
        self._blobs = 0

    @property
    def entries(self) -> list[Entry]:
        """The blobs that are in it."""
        return self._contents.entries

    @property
    def is_full(self) -> bool:
        """Whether it has grown to a pack's usual size."""
        return self._contents.end >= PACK_SIZE

    def put(self, digest: Digest, data: Buffer, *, is_chunk: bool = False) -> None:
        """Append a blob."""
        stored, encoding = self._encoder.encode(data)
        self._contents.append(digest, len(stored), len(data), encoding)
        self._data.write(stored)
        self._size += len(data)
        self._blobs += not is_chunk

    def close(self) -> Parcel:
        """The pack; the next blob starts another."""
        rows = table(self.entries)
        self._data.write(close(rows, self._contents.end))
        # Not a copy: the stream gives up what it has written.
        parcel = Parcel(self._data.getvalue(), rows, self._blobs, self._size)
        self._start()
        return parcel


def _mapped(path: Path) -> mmap.mmap:
    """A large file's bytes; the store's own files never change, so the map can't lose its ground."""
    with translated(path), open(path, "rb", buffering=0) as file:
        return mmap.mmap(file.fileno(), os.fstat(file.fileno()).st_size, access=mmap.ACCESS_READ)
