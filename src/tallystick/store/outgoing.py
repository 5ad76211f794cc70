"""What a push uploads: packs of the blobs that the remote lacks, and recipes of its large files."""

import io
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from tallystick.digest import Buffer, Digest, blake3_hasher, digests_of
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing
from tallystick.files import translated
from tallystick.store.chunker import chunks, fitting_average
from tallystick.store.index import PackName, Recipe
from tallystick.store.local import LocalStore
from tallystick.store.pack import (
    MAGIC,
    PACK_SIZE,
    ROW,
    TRAILER,
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


_NAME = struct.Struct("<32s16x")
"""The digest in a row of a table of contents."""


class Parcel(NamedTuple):
    """A pack in memory, every blob in it verified, ready to go; `rows` are its table of contents.

    `blobs` counts those that are in it as they are, not the chunks of large ones.
    """

    data: Buffer
    rows: bytes
    blobs: int
    size: int
    room: bytearray | None = None
    """Where `data` lies, if another pack may come to lie there next."""


class Outgoing:
    """Makes the packs for a push, one at a time; `recipes` grows while they are drawn."""

    def __init__(self, local: LocalStore, is_known: Callable[[Digest], bool]) -> None:
        self._local = local
        self._is_known = is_known
        self._encoder = Encoder()
        self._started: set[Digest] = set()
        self._rooms: list[bytearray] = []
        self.recipes: dict[Digest, Recipe] = {}

    def parcels(self, wanted: set[Digest]) -> Iterator[Iterator[Parcel]]:
        """Pack these blobs of the local store; raise ObjectCorrupt before a bad byte is sent (C7).

        First come packs as they lie here, then new ones: between the two memory can be given back.
        """
        left = set(wanted)
        yield self._as_they_are(left)
        self._rooms.clear()
        small = self._local.in_packs(left)
        yield self._repacked(left - small, small)

    def _as_they_are(self, left: set[Digest]) -> Iterator[Parcel]:
        """Whole packs; what is in them is `left` no longer."""
        for pack in self._local.holding(left):
            # Small ones are better joined: the remote would fill up with them, one for each `add`.
            if pack.size >= PACK_SIZE // 2 and (parcel := self._verbatim(pack, left)):
                yield parcel

    def release(self, room: bytearray | None) -> None:
        """A pack has been sent: the next one may come to lie in its place."""
        if room is not None:
            self._rooms.append(room)

    def _verbatim(self, pack: PackName, left: set[Digest]) -> Parcel | None:
        """A local pack as it is, but for the nonce; None if not all of it is `left`, or compressing pays."""
        room = self._read(pack)
        view = memoryview(room)[: pack.size]
        try:
            rows = bytes(read_table(view, pack.size, str(pack.digest)))
        except BadRecord:
            rows = b""
        names = [name for (name,) in _NAME.iter_unpack(rows)]
        if not rows or not left.issuperset(names) or self._shrinks(view, rows):
            self.release(room)
            return None
        blobs, size = self._verified(pack.digest, view, rows)
        left.difference_update(names)
        end = pack.size - len(rows) - TRAILER.size
        view[end:] = close(rows, end)
        return Parcel(view, rows, blobs, size, room)

    def _read(self, pack: PackName) -> bytearray:
        """A pack's bytes, of which no map of the file can lose any while they are checked and sent."""
        room = self._rooms.pop() if self._rooms else bytearray()
        if len(room) < pack.size:
            # Fresh memory costs more than reading into it: what is there is used again.
            room = bytearray(max(pack.size, PACK_SIZE + PACK_SIZE // 32))
        view = memoryview(room)[: pack.size]
        # One that is gone, or shorter than its index says, fails the check of its table.
        view[-TRAILER.size :] = bytes(TRAILER.size)
        path = self._local.packs / f"{pack.digest.hex()}.pack"
        with translated(path), suppress(FileNotFoundError), open(path, "rb", buffering=0) as file:
            while view and (count := file.readinto(view)):
                view = view[count:]
        return room

    def _shrinks(self, view: memoryview, rows: bytes) -> bool:
        """Whether compressing a pack pays."""
        step = max(1, len(rows) // ROW.size // _SAMPLES)
        some = [ROW.unpack_from(rows, at) for at in range(0, len(rows), step * ROW.size)]
        return self._encoder.shrinks([view[at : at + stored] for _, at, stored, _, _ in some])

    def _verified(self, pack: Digest, view: memoryview, rows: bytes) -> tuple[int, int]:
        """Hash every blob of a local pack; one with a damaged blob is set aside. Count blobs and bytes."""
        entries = list(ROW.iter_unpack(rows))
        size = sum(map(itemgetter(3), entries))
        if not any(map(itemgetter(4), entries)):
            found = digests_of([view[at : at + stored] for _, at, stored, _, _ in entries])
            if found == [entry[0] for entry in entries]:
                return len(entries), size
        for digest, at, stored, length, encoding in entries:
            try:
                decode(view[at : at + stored], digest, length, encoding, str(pack))
            except ObjectCorrupt:
                self._local.set_aside_pack(pack)
                raise
        return len(entries), size

    def _repacked(self, large: set[Digest], small: set[Digest]) -> Iterator[Parcel]:
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
        view = memoryview(data)
        for piece in chunks(view, fitting_average(view, self._is_known)):
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
