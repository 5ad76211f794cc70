"""Images that are hardly packed: PGM, PPM and BMP."""

import struct
import sys

from tallystick.compare.forms import turned
from tallystick.compare.image import Image, check_size
from tallystick.errors import BadRecord
from tallystick.patterns import regex

_NETPBM = regex(rb"P([56])(?=[\s#])")
_WORD = regex(rb"(?:\s|#[^\n]{0,999}\n)*([0-9]{1,9})(?=[\s#])")
_CHANNELS = {b"5": 1, b"6": 3}


def read_netpbm(data: bytes) -> Image:
    """The pixels of a binary PGM or PPM image; raise BadRecord for what is none."""
    match = _NETPBM.match(data)
    if match is None:
        raise BadRecord("not a binary PGM or PPM image")
    numbers, at = [], match.end()
    for _ in range(3):
        word = _WORD.match(data, at)
        if word is None:
            raise BadRecord("the image has no size")
        numbers.append(int(word[1]))
        at = word.end()
    width, height, most = numbers
    channels, each = _CHANNELS[match[1]], 1 if most < 256 else 2
    check_size(width, height, channels * each)
    if not 0 < most < 1 << 16 or len(data) - at - 1 != width * height * channels * each:
        raise BadRecord("the image has not as many pixels as it says")
    values = data[at + 1 :]
    swapped = each == 2 and sys.byteorder == "little"
    return Image(width, height, channels, 8 * each, turned(values, 2) if swapped else values)


def read_bmp(data: bytes) -> Image:
    """The pixels of an uncompressed BMP image of 24 or 32 bits; raise BadRecord for any other."""
    if data[:2] != b"BM" or len(data) < 54:
        raise BadRecord("not a BMP image")
    start, _, width, height, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
    if bits not in (24, 32) or packing not in (0, 3) or (packing == 3 and bits == 24):
        raise BadRecord("images of that kind are not looked into")
    channels = bits // 8
    check_size(width, abs(height), channels)
    padded = (width * channels + 3) // 4 * 4
    if start < 54 or start + padded * abs(height) > len(data):
        raise BadRecord("the image is cut off")
    rows = [
        data[start + padded * number : start + padded * number + width * channels]
        for number in range(abs(height))
    ]
    # Rows stand from the bottom, unless the height is negative; colours as blue, green, red.
    return Image(width, abs(height), channels, 8, b"".join(rows if height < 0 else rows[::-1]))
