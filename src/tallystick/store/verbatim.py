"""A local pack that is sent as it is but for its nonce, verified while its bytes pass by."""

import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from operator import add
from pathlib import Path

from tallystick import memory
from tallystick.digest import Buffer, Digest, blake3_hasher, digests_of
from tallystick.errors import BadRecord, ObjectCorrupt
from tallystick.files import translated
from tallystick.store.index import PackName
from tallystick.store.pack import MAGIC, ROW, TRAILER, Encoder, close, columns, read_table

_PIECE = 4 << 20
"""Bytes that are read at a time, into memory that is used again: fresh memory costs more than reading."""

_PAGE = 4096

_SAMPLES = 32
"""Blobs of a pack that are tried before deciding whether to compress any."""


class Verbatim:
    """A pack of the local store; `rows` are its table of contents.

    All blobs lie in it raw, so that nothing needs decoding: each is hashed as it passes by (rule C7), and all
    the bytes together, by which the pack is named.
    """

    def __init__(self, path: Path, pack: PackName, end: bytes, rooms: list[memoryview]) -> None:
        self._path = path
        self.pack = pack
        self._rooms = rooms
        self._end = end
        self._hasher = blake3_hasher()
        self.is_right = True
        self.rows = memoryview(end)[: -TRAILER.size]
        self.blobs = len(self.rows) // ROW.size
        self.size = sum(columns(self.rows)[2])

    def digests(self) -> Iterator[Digest]:
        """The blobs that are in it."""
        return (Digest(row[0]) for row in ROW.iter_unpack(self.rows))

    def shrinks(self, encoder: Encoder) -> bool:
        """Whether compressing it pays."""
        step = max(1, self.blobs // _SAMPLES)
        rows = [ROW.unpack_from(self.rows, at * ROW.size) for at in range(0, self.blobs, step)]
        with translated(self._path), open(self._path, "rb", buffering=0) as file:
            return encoder.shrinks([os.pread(file.fileno(), stored, at) for _, at, stored, _, _ in rows])

    def pieces(self) -> Iterator[Buffer]:
        """Its bytes under a fresh nonce; raise ObjectCorrupt before the last if they don't make its name."""
        room = self._rooms.pop() if self._rooms else memory.room(_PIECE + _PAGE)
        try:
            yield from self._bodies(room)
        finally:
            self._rooms.append(room)
        whole = self._hasher.copy()
        whole.update(self._end)
        if whole.digest() != self.pack.digest:
            self.is_right = False
            raise ObjectCorrupt(f"{self.pack.digest} is damaged", [], [str(self._path)])
        end = close(self.rows, self.pack.size - len(self._end))
        self._hasher.update(end)
        yield end

    def _bodies(self, room: memoryview) -> Iterator[memoryview]:
        """What comes before the table of contents; less of it if the pack is gone, cut off or damaged."""
        starts, lengths, _, _ = columns(self.rows)
        ends = list(map(add, starts, lengths))
        names = [row[0] for row in ROW.iter_unpack(self.rows)]
        begin = row = 0
        with (
            translated(self._path),
            suppress(FileNotFoundError),
            open(self._path, "rb", buffering=0) as file,
        ):
            while row < self.blobs:
                last = bisect_right(ends, begin + _PIECE)
                # As far into a page as in the file: other copies take up to four times as long.
                within = begin % _PAGE
                piece = room[within : within + ends[last - 1] - begin]
                if file.readinto(piece) != len(piece):
                    return
                spans = zip(starts[row:last], ends[row:last], strict=True)
                found = digests_of([piece[start - begin : end - begin] for start, end in spans])
                if found != names[row:last]:
                    return
                self._hasher.update(piece)
                yield piece
                begin, row = ends[last - 1], last

    def name(self) -> PackName:
        """What it is called now that all its pieces have passed by."""
        return PackName(Digest(self._hasher.digest()), self.pack.size)


def opened(path: Path, pack: PackName, blobs: int, rooms: list[memoryview]) -> Verbatim | None:
    """A pack that holds so many blobs, all small and raw; None if it doesn't, is damaged, or gone."""
    length = blobs * ROW.size + TRAILER.size
    with translated(path), suppress(FileNotFoundError, BadRecord), open(path, "rb", buffering=0) as file:
        end = os.pread(file.fileno(), length, max(0, pack.size - length))
        rows = read_table(end, pack.size, str(path))
        _, lengths, _, encodings = columns(rows)
        small = len(MAGIC) + max(lengths, default=0) <= _PIECE
        if len(rows) + TRAILER.size == length and small and not any(encodings):
            return Verbatim(path, pack, end, rooms)
    return None
