"""Images side by side: size, and how many pixels differ by how much."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import ne
from typing import Any, BinaryIO

from tallystick.compare.bitmaps import read_bmp, read_netpbm
from tallystick.compare.forms import FORMS
from tallystick.compare.image import Image
from tallystick.compare.numbers import Furthest, Policy, furthest, other, tolerance_for
from tallystick.compare.png import read_png
from tallystick.compare.shown import Only, whole
from tallystick.frozen import dataclass
from tallystick.records.tolerance import Tolerance
from tallystick.records.verdict import Difference

PIXELS = "pixels"
"""What the values of an image's channels are called, in a tolerance too."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row that differs: its number, its furthest values, and how many of its pixels differ."""

    number: int
    furthest: Furthest
    pixels: int


def compare_png(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """How two PNG images differ; raise BadRecord if one is none, or is interlaced."""
    return _compare(read_png, expected, actual, tolerances)


def compare_netpbm(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """How two binary PGM or PPM images differ; raise BadRecord if one is none."""
    return _compare(read_netpbm, expected, actual, tolerances)


def compare_bmp(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """How two BMP images differ; raise BadRecord if one is none, or is compressed."""
    return _compare(read_bmp, expected, actual, tolerances)


def _compare(
    read: Callable[[bytes], Image], expected: BinaryIO, actual: BinaryIO, tolerances: Policy
) -> Iterable[Difference] | Only:
    old, new = read(whole(expected)), read(whole(actual))
    if old.layout != new.layout:
        return [other("size", old.layout, new.layout)]
    if old.data == new.data:
        return "layout"
    return [_difference(old, new, tolerance_for(PIXELS, tolerances))]


def _difference(old: Image, new: Image, tolerance: Tolerance) -> Difference:
    """The values that are furthest apart, and how many pixels differ."""
    rows = list(_rows(old, new, tolerance))
    widest = max(rows, key=lambda row: row.furthest.distance)
    found = Furthest(
        widest.furthest.expected,
        widest.furthest.actual,
        widest.furthest.distance,
        max(row.furthest.relative for row in rows),
        all(row.furthest.within for row in rows),
        sum(row.pixels for row in rows),
        0,
    )
    where = f"x {widest.furthest.position // old.channels}, y {widest.number}"
    return found.difference(PIXELS, tolerance, where, old.width * old.height)


def _rows(old: Image, new: Image, tolerance: Tolerance) -> Iterator[_Row]:
    """The rows that differ; most rows of most images don't, and are only compared as bytes."""
    form = FORMS[f"u{old.depth // 8}"]
    length = len(old.data) // old.height
    for number in range(old.height):
        one, two = (image.data[number * length : (number + 1) * length] for image in (old, new))
        if one != two:
            values = form.read(one), form.read(two)
            found = furthest(zip(*values, strict=True), tolerance)
            assert found is not None
            pixels = sum(map(ne, _pixels(values[0], old.channels), _pixels(values[1], old.channels)))
            yield _Row(number, found, pixels)


def _pixels(values: Sequence[float], channels: int) -> Iterator[Any]:
    return zip(*[iter(values)] * channels, strict=True)
