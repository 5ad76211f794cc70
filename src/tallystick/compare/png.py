"""PNG to pixels, with nothing but zlib: all colour types of 1 to 16 bits that are not interlaced."""

import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate

from tallystick.compare.forms import turned
from tallystick.compare.image import Image, check_size
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass

MAGIC = b"\x89PNG\r\n\x1a\n"
PALETTE = 3

_CHANNELS = {0: 1, 2: 3, PALETTE: 1, 4: 2, 6: 4}
"""Values of a pixel by colour type."""

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), PALETTE: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


@dataclass(frozen=True, slots=True)
class _Header:
    """What the first chunk says."""

    width: int
    height: int
    depth: int
    colour: int

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return (self.width * _CHANNELS[self.colour] * self.depth + 7) // 8

    @property
    def step(self) -> int:
        """Bytes between a value and the same one of the pixel before."""
        return max(1, _CHANNELS[self.colour] * self.depth // 8)


def read_png(data: bytes) -> Image:
    """The pixels of an image; raise BadRecord for what is none, is damaged, or is not understood."""
    chunks: dict[bytes, bytes] = {}
    packed: list[bytes] = []
    for kind, body in _chunks(data):
        if kind == b"IDAT":
            packed.append(body)
        else:
            chunks.setdefault(kind, body)
    header = _header(chunks.get(b"IHDR", b""))
    if b"tRNS" in chunks and header.colour != PALETTE:
        raise BadRecord("images with one transparent colour are not looked into")
    rows = _unfiltered(_unpacked(b"".join(packed), header), header)
    return _image(header, rows, chunks)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if data[:8] != MAGIC:
        raise BadRecord("not a PNG image")
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise BadRecord("the image is cut off")
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise BadRecord("the image is cut off")
        body = data[at + 8 : at + 8 + length]
        if zlib.crc32(kind + body) != struct.unpack_from(">I", data, at + 8 + length)[0]:
            raise BadRecord("the image is damaged")
        yield kind, body
        at += 12 + length


def _header(body: bytes) -> _Header:
    if len(body) != 13:
        raise BadRecord("the image has no header")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(colour, ()) or interlaced:
        raise BadRecord("images of that kind are not looked into")
    check_size(width, height, 4 if colour == PALETTE else _CHANNELS[colour] * (2 if depth == 16 else 1))
    return _Header(width, height, depth, colour)


def _unpacked(packed: bytes, header: _Header) -> bytes:
    """The filtered rows: never more bytes than the header says."""
    size = header.height * (1 + header.row)
    try:
        rows = zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error as error:
        raise BadRecord("the image is damaged") from error
    if len(rows) != size:
        raise BadRecord("the image has not as many pixels as it says")
    return rows


def _unfiltered(rows: bytes, header: _Header) -> bytes:
    """Each row stands as differences from its neighbours, in one of five ways."""
    found = bytearray()
    above = bytes(header.row)
    for start in range(0, len(rows), header.row + 1):
        kind, row = rows[start], rows[start + 1 : start + 1 + header.row]
        if kind >= len(_FILTERS):
            raise BadRecord("the image is damaged")
        above = _FILTERS[kind](row, above, header.step)
        found += above
    return bytes(found)


def _plain(row: bytes, _above: bytes, _step: int) -> bytes:
    return row


def _left(row: bytes, _above: bytes, step: int) -> bytes:
    found = bytearray(row)
    for channel in range(step):
        sums: Iterator[int] = accumulate(row[channel::step], _sum)
        found[channel::step] = bytes(sums)
    return bytes(found)


def _sum(one: int, two: int) -> int:
    return (one + two) & 255


def _up(row: bytes, above: bytes, _step: int) -> bytes:
    return bytes(map(_sum, row, above))


def _average(row: bytes, above: bytes, step: int) -> bytes:
    found = bytearray(step) + row
    for at, (value, up) in enumerate(zip(row, above, strict=True)):
        found[at + step] = (value + (found[at] + up) // 2) & 255
    return bytes(found[step:])


def _paeth(row: bytes, above: bytes, step: int) -> bytes:
    """Each value beside the one of left, upper and upper left that is nearest to their plane."""
    found = bytearray(step) + row
    corners = bytes(step) + above
    for at, (value, up, corner) in enumerate(zip(row, above, corners, strict=False)):
        left = found[at]
        plane = left + up - corner
        to_left, to_up, to_corner = abs(plane - left), abs(plane - up), abs(plane - corner)
        nearest = up if to_up <= to_corner else corner
        if to_left <= to_up and to_left <= to_corner:
            nearest = left
        found[at + step] = (value + nearest) & 255
    return bytes(found[step:])


_FILTERS: tuple[Callable[[bytes, bytes, int], bytes], ...] = (_plain, _left, _up, _average, _paeth)


def _image(header: _Header, rows: bytes, chunks: dict[bytes, bytes]) -> Image:
    channels = _CHANNELS[header.colour]
    if header.depth == 16:
        data = turned(rows, 2) if sys.byteorder == "little" else rows
        return Image(header.width, header.height, channels, 16, data)
    values = _spread(header, rows) if header.depth < 8 else rows
    if header.colour == PALETTE:
        return _coloured(header, values, chunks)
    return Image(header.width, header.height, channels, 8, values)


def _spread(header: _Header, rows: bytes) -> bytes:
    """Values of fewer than 8 bits, one a byte; of grey ones black stays 0 and white becomes 255."""
    depth, most = header.depth, (1 << header.depth) - 1
    scale = 1 if header.colour == PALETTE else 255 // most
    table = [
        bytes(((byte >> shift) & most) * scale for shift in range(8 - depth, -1, -depth))
        for byte in range(256)
    ]
    found = bytearray()
    for start in range(0, len(rows), header.row):
        wide = b"".join(table[byte] for byte in rows[start : start + header.row])
        found += wide[: header.width]
    return bytes(found)


def _coloured(header: _Header, values: bytes, chunks: dict[bytes, bytes]) -> Image:
    """Places in a palette as colours."""
    palette, alphas = chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b"")
    colours = [palette[start : start + 3] for start in range(0, len(palette), 3)]
    if len(palette) % 3 or not colours or max(values) >= len(colours):
        raise BadRecord("the image's palette lacks colours")
    if alphas:
        shades = alphas.ljust(len(colours), b"\xff")
        colours = [colour + shades[place : place + 1] for place, colour in enumerate(colours)]
    data = b"".join(map(colours.__getitem__, values))
    return Image(header.width, header.height, len(colours[0]), 8, data)
