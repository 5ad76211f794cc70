"""The pack format: many blobs in one immutable file, named by the digest of its bytes."""

import os
import struct
import sys
from array import array
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

import zstandard

from tallystick.digest import Buffer, Digest
from tallystick.errors import BadRecord, ObjectCorrupt

MAGIC = b"TLYPACK\x01"
PACK_SIZE = 32 << 20
"""A pack that has grown to this many bytes is closed."""

RAW, ZSTD = 0, 1
LARGE = 1 << 20
"""Blobs below this many bytes are never cut; in the local store, those from here on lie whole."""

LARGEST_BLOB = 16 << 20
"""No blob or chunk in a pack is larger."""

ROW = struct.Struct("<32sIIII")
TRAILER = struct.Struct("<16sII32s8s")
_LATER = "the pack's format is not known to this version of tally"
_SAMPLE = 16 << 10
_COMPRESSION_LEVEL = 1


class Entry(NamedTuple):
    """One blob of a pack: `stored` bytes from `offset` that decode to `size` bytes of digest `digest`."""

    digest: bytes
    offset: int
    stored: int
    size: int
    encoding: int


class Trailer(NamedTuple):
    """The pack's last 64 bytes: how many entries, and where the bodies end and the contents begin."""

    rows: int
    end: int
    checksum: bytes


class Contents:
    """A pack's table of contents while the pack grows."""

    __slots__ = ("end", "entries")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.end = len(MAGIC)

    def append(self, digest: bytes, stored: int, size: int, encoding: int) -> None:
        """Note the blob whose `stored` bytes come next."""
        self.entries.append(Entry(digest, self.end, stored, size, encoding))
        self.end += stored

    def footer(self) -> bytes:
        """The bytes that close the pack; a fresh nonce in it makes each pack's name its own."""
        return footer(self.entries, self.end)


def table(entries: Iterable[Entry]) -> bytes:
    """Write a table of contents."""
    return b"".join([ROW.pack(*entry) for entry in entries])


def footer(entries: Iterable[Entry], end: int, nonce: bytes | None = None) -> bytes:
    """Write the table of contents and the trailer of a pack whose bodies end at `end`."""
    return close(table(entries), end, nonce)


def close(rows: Buffer, end: int, nonce: bytes | None = None) -> bytes:
    """Write the end of a pack from the rows of its table and where its bodies end."""
    nonce = os.urandom(16) if nonce is None else nonce
    count = len(rows) // ROW.size
    counted = nonce + struct.pack("<II", count, end)
    checksum = Digest.of(b"".join((rows, counted)))
    return bytes(rows) + TRAILER.pack(nonce, count, end, checksum, MAGIC)


def read_trailer(data: Buffer, pack_size: int, source: str = "") -> Trailer:
    """Read the last 64 bytes of a pack of `pack_size` bytes."""
    if len(data) != TRAILER.size or pack_size < len(MAGIC) + TRAILER.size:
        raise BadRecord("the pack is too short", source)
    _, count, end, checksum, magic = TRAILER.unpack(data)
    if magic[:7] == MAGIC[:7] and magic != MAGIC:
        raise BadRecord(_LATER, source, hint="upgrade tallystick")
    if magic != MAGIC or end < len(MAGIC) or end + count * ROW.size + TRAILER.size != pack_size:
        raise BadRecord("the pack is cut off or no pack", source)
    return Trailer(count, end, checksum)


def read_contents(data: Buffer, pack_size: int, source: str = "") -> list[Entry]:
    """Read a pack's table of contents from its last bytes, `data` (at least the table and the trailer)."""
    return list(map(Entry._make, ROW.iter_unpack(read_table(data, pack_size, source))))


def read_table(data: Buffer, pack_size: int, source: str = "") -> memoryview:
    """The rows of a pack's table of contents, checked, from the pack's last bytes."""
    view = memoryview(data)
    trailer = read_trailer(view[-TRAILER.size :], pack_size, source)
    start = len(view) - TRAILER.size - trailer.rows * ROW.size
    if start < 0:
        raise BadRecord("the pack's contents are cut off", source)
    rows = view[start : -TRAILER.size]
    counted = view[-TRAILER.size :][:24]
    if Digest.of(b"".join((rows, counted))) != trailer.checksum:
        raise BadRecord("the pack's contents are damaged", source)
    _check_contiguous(rows, trailer.end, source)
    return rows


def _check_contiguous(rows: memoryview, end: int, source: str) -> None:
    """Refuse contents that overlap, leave gaps or name impossible sizes."""
    offsets, stored, sizes, encodings = columns(rows)
    starts = list(accumulate(stored, initial=len(MAGIC)))
    if starts.pop() != end:
        raise BadRecord("the pack's contents do not add up", source)
    plain = not any(encodings) and stored == sizes and max(sizes, default=0) <= LARGEST_BLOB
    if starts != offsets.tolist() or not (plain or all(map(is_possible, stored, sizes, encodings))):
        raise BadRecord("the pack's contents make no sense", source)


def columns(rows: Buffer) -> tuple["array[int]", ...]:
    """The offsets, stored lengths, sizes and encodings in the rows of a table of contents."""
    words = array("I")
    words.frombytes(rows)
    if sys.byteorder == "big":
        words.byteswap()
    width = ROW.size // words.itemsize
    return tuple(words[at::width] for at in range(width - 4, width))


def is_possible(stored: int, size: int, encoding: int) -> bool:
    """Whether a writer of this format could have written a blob with these numbers."""
    if size > LARGEST_BLOB:
        return False
    return stored == size if encoding == RAW else encoding == ZSTD and stored < size


def decode(stored: Buffer, digest: bytes, size: int, encoding: int, place: str) -> bytes:
    """Give back a blob's bytes, verified; raise ObjectCorrupt naming `place`."""
    data = _decoded(stored, size, encoding)
    if data is None or Digest.of(data) != digest:
        name = Digest(digest)
        raise ObjectCorrupt(f"{name} is damaged in {place}", [name], [place])
    return data


def _decoded(stored: Buffer, size: int, encoding: int) -> bytes | None:
    """Undo the encoding; None when that can't be done or gives another size."""
    if encoding == RAW:
        return bytes(stored) if len(stored) == size <= LARGEST_BLOB else None
    if encoding != ZSTD:
        return None
    try:
        # The frame's own claim is checked first: the library would allocate whatever a hostile one says.
        if size > LARGEST_BLOB or zstandard.get_frame_parameters(stored).content_size != size:
            return None
        return zstandard.ZstdDecompressor().decompress(stored, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError:
        return None


class Encoder:
    """Compresses blobs that are worth it; one per thread."""

    __slots__ = ("_zstd",)

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)

    def encode(self, data: Buffer) -> tuple[bytes | Buffer, int]:
        """The bytes to store, and their encoding: zstd when a sample and the whole shrink by a tenth."""
        if len(data) > 4 * _SAMPLE:
            middle = len(data) // 2
            if not self.shrinks([data[middle : middle + _SAMPLE]]):
                return data, RAW
        packed = self._zstd.compress(data)
        return (packed, ZSTD) if len(packed) * 10 <= len(data) * 9 else (data, RAW)

    def shrinks(self, samples: Iterable[Buffer]) -> bool:
        """Whether compression takes a tenth or more off these samples together."""
        before = after = 0
        for sample in samples:
            before += len(sample)
            after += len(self._zstd.compress(sample))
        return after * 10 <= before * 9
