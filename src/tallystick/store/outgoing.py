"""What a push uploads: packs of the blobs that the remote lacks, and recipes of its large files."""

import io
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import NamedTuple

from tallystick.digest import Buffer, Digest, blake3_hasher
from tallystick.errors import ObjectCorrupt, ObjectMissing
from tallystick.files import translated
from tallystick.store.chunker import chunks, fitting_average
from tallystick.store.index import PackName, Recipe
from tallystick.store.local import LocalStore
from tallystick.store.pack import LARGE, MAGIC, PACK_SIZE, Contents, Encoder, Entry, close, table
from tallystick.store.verbatim import Verbatim, opened

_WINDOW = 64 << 20
"""Bytes of a large file after which those that were read are given back."""


class Parcel(NamedTuple):
    """A pack in memory, every blob in it verified, ready to go; `rows` are its table of contents.

    `blobs` counts those that are in it as they are, not the chunks of large ones.
    """

    data: Buffer
    rows: bytes
    blobs: int
    size: int

    def pieces(self) -> tuple[Buffer]:
        """Its bytes."""
        return (self.data,)

    def name(self) -> PackName:
        """What it is called."""
        return PackName(Digest.of(self.data), len(self.data))


class Outgoing:
    """Makes the packs for a push, one at a time; `recipes` grows while they are drawn."""

    def __init__(self, local: LocalStore, is_known: Callable[[Digest], bool]) -> None:
        self._local = local
        self._is_known = is_known
        self._encoder = Encoder()
        self._started: set[Digest] = set()
        self.recipes: dict[Digest, Recipe] = {}

    def as_they_are(self, packs: Mapping[PackName, int]) -> Iterator[Verbatim]:
        """Those of some packs that can go as they lie, unless compressing pays."""
        rooms: list[memoryview] = []
        for pack, blobs in packs.items():
            parcel = opened(self._local.pack_path(pack.digest), pack, blobs, rooms)
            if parcel is not None and not parcel.shrinks(self._encoder):
                yield parcel

    def repacked(self, large: Iterable[Digest], small: Set[Digest]) -> Iterator[Parcel]:
        """New packs of blobs out of local packs, and of the chunks of large files.

        Raises ObjectCorrupt before a bad byte is sent (C7).
        """
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


def separate(packs: Mapping[PackName, int]) -> dict[PackName, int]:
    """The packs that need not be joined with others; a remote would fill up with small ones, one an `add`."""
    large = sorted(pack for pack in packs if pack.size >= PACK_SIZE // 2)
    small = [pack for pack in packs if pack.size < PACK_SIZE // 2]
    alone = small if len(small) == 1 and small[0].size >= LARGE else []
    return {pack: packs[pack] for pack in large + alone}


def _mapped(path: Path) -> mmap.mmap:
    """A large file's bytes; the store's own files never change, so the map can't lose its ground."""
    with translated(path), open(path, "rb", buffering=0) as file:
        return mmap.mmap(file.fileno(), os.fstat(file.fileno()).st_size, access=mmap.ACCESS_READ)
