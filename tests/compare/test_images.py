"""Images beside each other: decoded without a library, bounded, and told by pixel."""

import io
import struct
import zlib

import pytest

from tallystick.compare.png import read_png
from tallystick.records.tolerance import EVERY, Tolerance
from tests.compare.files import between, chunk, found, png

GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6


def test_an_image_says_how_many_pixels_differ_and_where_the_furthest_is() -> None:
    old = png([b"\0" + bytes(9), b"\0" + bytes(9)], 3, RGB)
    new = png([b"\0" + bytes(9), b"\0" + bytes(3) + b"\x01\x02\x03" + b"\0\0\x09"], 3, RGB)
    told = found("a.png", old, new)
    (one,) = told.differences
    assert (told.kind, one.name, one.expected, one.actual, one.absolute) == ("image", "pixels", 0, 9, 9)
    assert (one.where, one.differing, one.values) == ("x 2, y 1", 2, 6)


def test_a_tolerance_of_pixels_is_one_of_their_values() -> None:
    old, new = png([b"\0\x10\x20"], 2, GREY), png([b"\0\x12\x21"], 2, GREY)
    for bound, within in ((2, True), (1, False)):
        for name in ("pixels", EVERY):
            assert between("a.png", old, new, {name: Tolerance(bound)})[0].within is within


def test_the_same_pixels_packed_in_another_way_are_layout() -> None:
    """Each row in the five ways that the format knows, beside the same image without."""
    rows = [bytes([10 * y + x + c for x in range(3) for c in (0, 50, 100)]) for y in range(5)]
    filtered = []
    for y, row in enumerate(rows):
        above = rows[y - 1] if y else bytes(9)
        each = bytearray([y])
        for at, value in enumerate(row):
            left, up = row[at - 3] if at >= 3 else 0, above[at]
            corner = above[at - 3] if at >= 3 else 0
            plane = left + up - corner
            nearest = min((left, up, corner), key=lambda each: abs(plane - each))
            each.append((value - (0, left, up, (left + up) // 2, nearest)[y]) & 255)
        filtered.append(bytes(each))
    assert found("a.png", png([b"\0" + row for row in rows], 3, RGB), png(filtered, 3, RGB)).only == "layout"


def test_a_date_in_an_image_is_layout() -> None:
    row = b"\0\x10"
    old, new = (png([row], 1, GREY, 8, chunk(b"tEXt", b"Date\0" + day)) for day in (b"1", b"2"))
    assert found("a.png", old, new).only == "layout"


@pytest.mark.parametrize(
    ("depth", "row", "values"),
    [
        (1, b"\xa0", b"\xff\0\xff"),
        (2, b"\x1b", b"\0\x55\xaa"),
        (4, b"\x0f\x80", b"\0\xff\x88"),
        (8, b"\1\2\3", b"\1\2\3"),
    ],
)
def test_grey_of_few_bits_is_spread(depth: int, row: bytes, values: bytes) -> None:
    assert read_png(png([b"\0" + row], 3, GREY, depth)).data == values


def test_sixteen_bits_are_one_number() -> None:
    old, new = png([b"\0\x01\x00"], 1, GREY, 16), png([b"\0\x00\xff"], 1, GREY, 16)
    (told,) = between("a.png", old, new)
    assert (told.expected, told.actual, told.absolute) == (256, 255, 1)


def test_places_in_a_palette_are_compared_as_colours() -> None:
    colours, other = chunk(b"PLTE", b"\0\0\0\xff\0\0"), chunk(b"PLTE", b"\xff\0\0\0\0\0")
    old, new = png([b"\0\x40"], 2, PALETTE, 1, colours), png([b"\0\x80"], 2, PALETTE, 1, other)
    assert found("a.png", old, new).only == "layout"
    clear = chunk(b"tRNS", b"\0")
    assert read_png(png([b"\0\0\1"], 2, PALETTE, 8, colours, clear)).data == b"\0\0\0\0\xff\0\0\xff"


def test_images_of_other_size_or_colour_say_so() -> None:
    (told,) = between("a.png", png([b"\0\0"], 1, GREY), png([b"\0" + bytes(6)], 2, RGB))
    assert (told.name, told.expected, told.actual) == ("size", "1x1 grey", "2x1 RGB")


def header(width: int, height: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", body)


END = chunk(b"IEND", b"")
PIXEL = chunk(b"IDAT", zlib.compress(b"\0\0"))
HOSTILE = {
    "empty": b"",
    "no chunk": b"\x89PNG\r\n\x1a\n",
    "no pixels": header(1, 1) + END,
    "no header": b"\x89PNG\r\n\x1a\n" + PIXEL + END,
    "no size": header(0, 1) + PIXEL + END,
    "a size of billions": header(1 << 31, 1 << 31) + PIXEL + END,
    "fewer pixels than it says": header(2, 2) + PIXEL + END,
    "more pixels than it says": header(1, 1) + chunk(b"IDAT", zlib.compress(bytes(9))) + END,
    "a bomb": header(1, 1) + chunk(b"IDAT", zlib.compress(bytes(1 << 26))) + END,
    "not packed": header(1, 1) + chunk(b"IDAT", b"\0\0") + END,
    "interlaced": header(1, 1, interlaced=1) + PIXEL + END,
    "a depth that is none": header(1, 1, depth=3) + PIXEL + END,
    "a colour that is none": header(1, 1, colour=5) + PIXEL + END,
    "a filter that is none": header(1, 1) + chunk(b"IDAT", zlib.compress(b"\7\0")) + END,
    "no palette": header(1, 1, colour=3) + PIXEL + END,
    "a palette that is too small": png([b"\0\5"], 1, PALETTE, 8, chunk(b"PLTE", bytes(3))),
    "a chunk beyond the end": header(1, 1) + b"\xff\xff\xff\xffIDAT",
    "a damaged chunk": header(1, 1) + PIXEL[:-1] + b"\0" + END,
    "one transparent colour": png([b"\0\0"], 1, GREY, 8, chunk(b"tRNS", b"\0\0")),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_image_that_is_understood_is_bytes(data: bytes) -> None:
    good = png([b"\0\0"], 1, GREY)
    assert found("a.png", good, data).kind == "bytes"
    assert found("a.png", data, good).kind == "bytes"


def test_pgm_and_ppm_are_compared() -> None:
    (told,) = between("a.pgm", b"P5\n# made by us\n2 1\n255\n\1\2", b"P5 2 1 255\n\1\5")
    assert (told.name, told.absolute, told.where) == ("pixels", 3, "x 1, y 0")
    (told,) = between("a.ppm", b"P6 1 1 255\n\1\2\3", b"P6 1 1 255\n\1\2\4")
    assert (told.differing, told.absolute) == (None, 1)
    (told,) = between("a.pgm", b"P5 1 1 65535\n\1\0", b"P5 1 1 65535\n\0\xff")
    assert (told.expected, told.actual) == (256, 255)


@pytest.mark.parametrize(
    "data",
    [
        b"P5",
        b"P5 1 1 0\n\0",
        b"P5 1 1 99999\n\0",
        b"P5 9 9 255\n\0",
        b"P5 999999999 999999999 255\n\0",
        b"P5 " + b" " * 99_999 + b"x",
        b"P5 " + b"#\n" * 50_000,
        b"P2 1 1 255\n0\0",
    ],
)
def test_what_is_no_bitmap_is_bytes(data: bytes) -> None:
    assert found("a.pgm", data + b"\0", b"P5 1 1 255\n\0").kind == "bytes"


def bmp(rows: list[bytes], width: int, height: int, bits: int = 24, packing: int = 0) -> bytes:
    size = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + size + b"".join(rows)


def test_bmp_is_compared_from_the_top() -> None:
    up = bmp([b"\1\2\3\0", b"\4\5\6\0"], 1, 2)
    assert found("a.bmp", up, bmp([b"\4\5\6\0", b"\1\2\3\0"], 1, -2)).only == "layout"
    (told,) = between("a.bmp", up, bmp([b"\1\2\3\0", b"\4\5\7\0"], 1, 2))
    assert (told.where, told.absolute) == ("x 0, y 0", 1)


@pytest.mark.parametrize(
    "data",
    [
        bmp([], 1, 1),
        bmp([bytes(4)], 0, 1),
        bmp([bytes(4)], 1 << 30, -(1 << 30)),
        bmp([bytes(4)], 1, 1, 8),
        bmp([bytes(4)], 1, 1, 24, 1),
    ],
)
def test_what_is_no_plain_bmp_is_bytes(data: bytes) -> None:
    assert found("a.bmp", data, bmp([bytes(4)], 1, 1) + b"\0").kind == "bytes"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "I;16"])
def test_pillow_reads_the_same_pixels(mode: str) -> None:
    image = pytest.importorskip("PIL.Image")
    values = bytes((7 * at) % 256 for at in range(31 * 17 * 4))
    made = image.frombytes("RGBA", (31, 17), values)
    made = image.new("I;16", (31, 17), 777) if mode == "I;16" else made.convert(mode)
    file = io.BytesIO()
    made.save(file, "PNG", optimize=True)
    ours = read_png(file.getvalue())
    shown = {"P": "RGBA" if ours.channels == 4 else "RGB", "1": "L"}
    theirs = made.convert(shown[mode]) if mode in shown else made
    expected = theirs.tobytes()
    assert (ours.width, ours.height) == (31, 17)
    assert ours.data[: len(expected)] == expected
