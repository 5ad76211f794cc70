"""What a push uploads: packs of the blobs that the remote lacks, and recipes of its large files."""

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tallystick.digest import Buffer, Digest, blake3_hasher
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing
from tallystick.files import translated
from tallystick.store.chunker import chunks
from tallystick.store.index import Place, Recipe
from tallystick.store.local import LocalStore
from tallystick.store.pack import (
    MAGIC,
    PACK_SIZE,
    Contents,
    Encoder,
    Entry,
    decode,
    footer,
    read_contents,
)

_SAMPLES = 32
"""Blobs of a pack that are tried before deciding whether to compress any."""


class Parcel(NamedTuple):
    """A pack in memory, every blob in it verified, ready to go."""

    name: Digest
    data: Buffer
    entries: Sequence[Entry]
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
        places = sorted(self._local.places(wanted), key=lambda found: found[1])
        rest: list[tuple[Digest, Place]] = []
        for pack, group in groupby(places, key=lambda found: found[1].pack):
            found = list(group)
            parcel = self._verbatim(pack, {digest for digest, _ in found})
            if parcel is None:
                rest.extend(found)
            else:
                yield parcel
        yield from self._repacked(wanted - {digest for digest, _ in places}, [digest for digest, _ in rest])

    def _verbatim(self, pack: Digest, wanted: set[Digest]) -> Parcel | None:
        """A local pack as it is, but for the nonce; None if not all is wanted, or compressing pays."""
        view = self._local.pack(pack)
        if len(view) < PACK_SIZE // 2:
            # Small ones are better joined: the remote would fill up with them, one for each `add`.
            return None
        try:
            entries = read_contents(view, len(view), str(pack))
        except BadRecord:
            return None
        if len(entries) != len(wanted) or any(entry.digest not in wanted for entry in entries):
            return None
        step = max(1, len(entries) // _SAMPLES)
        if self._encoder.shrinks([_stored(view, entry) for entry in entries[::step]]):
            return None
        for entry in entries:
            try:
                decode(_stored(view, entry), entry.digest, entry.size, entry.encoding, str(pack))
            except ObjectCorrupt:
                self._local.set_aside_pack(pack)
                raise
        end = entries[-1].offset + entries[-1].stored
        data = b"".join((view[:end], footer(entries, end)))
        return Parcel(Digest.of(data), data, entries, len(entries), sum(entry.size for entry in entries))

    def _repacked(self, large: set[Digest], small: list[Digest]) -> Iterator[Parcel]:
        """New packs of blobs out of local packs, and of the chunks of large files."""
        box = _Box(self._encoder)
        data: Buffer
        for digest, data in self._local.read_many(small):
            box.put(digest, data)
            if box.is_full:
                yield box.close()
        for digest in sorted(large):
            for chunk, data in self._chunks_of(digest):
                box.put(chunk, data)
                if box.is_full:
                    yield box.close()
        if box.entries:
            yield box.close()

    def _chunks_of(self, digest: Digest) -> Iterator[tuple[Digest, Buffer]]:
        """The chunks of a large file that the remote lacks; its recipe is noted once it has verified."""
        path = self._local.object_path(digest)
        if path is None:
            raise ObjectMissing(f"{digest} is not in the local store", [digest], [str(self._local.root)])
        hasher, listed = blake3_hasher(), []
        data = _mapped(path)
        for piece in chunks(data):
            hasher.update(piece)
            name = Digest.of(piece)
            listed.append((name, len(piece)))
            if name not in self._started and not self._is_known(name):
                self._started.add(name)
                yield name, piece
        if hasher.digest() != digest:
            self._local.verify(digest)
            raise ObjectCorrupt(
                f"{digest} changed in the local store while it was read", [digest], [str(path)]
            )
        self.recipes[digest] = Recipe(len(data), tuple(listed))


class _Box:
    """A pack being filled in memory."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._start()

    def _start(self) -> None:
        self._contents = Contents()
        self._pieces: list[Buffer] = [MAGIC]
        self._size = 0

    @property
    def entries(self) -> list[Entry]:
        return self._contents.entries

    @property
    def is_full(self) -> bool:
        return self._contents.end >= PACK_SIZE

    def put(self, digest: Digest, data: Buffer) -> None:
        stored, encoding = self._encoder.encode(data)
        self._contents.append(digest, len(stored), len(data), encoding)
        self._pieces.append(stored)
        self._size += len(data)

    def close(self) -> Parcel:
        """The pack; the next blob starts another."""
        data = b"".join((*self._pieces, self._contents.footer()))
        parcel = Parcel(Digest.of(data), data, self.entries, len(self.entries), self._size)
        self._start()
        return parcel


def _stored(view: memoryview, entry: Entry) -> memoryview:
    return view[entry.offset : entry.offset + entry.stored]


def _mapped(path: Path) -> memoryview:
    """A large file's bytes; the store's own files never change, so the map can't lose its ground."""
    with translated(path), open(path, "rb", buffering=0) as file:
        return memoryview(mmap.mmap(file.fileno(), os.fstat(file.fileno()).st_size, access=mmap.ACCESS_READ))
