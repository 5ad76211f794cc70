"""Two arrays of numbers side by side, block by block: only blocks that differ are looked into."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import compress, repeat
from operator import sub, truediv
from typing import BinaryIO

from tallystick.compare.forms import Form, turned
from tallystick.compare.numbers import (
    Furthest,
    Policy,
    allowed_text,
    covers,
    gap_of,
    other,
    rewritten,
    share_of,
    tolerance_for,
)
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records.tolerance import MOST_ULPS, Tolerance
from tallystick.records.verdict import Difference

LARGEST = 1 << 32
"""Bytes of all arrays of a file, unpacked, that are looked into."""

MOST_TENSORS = 100_000
BLOCK = 1 << 16
"""Bytes that are compared as bytes first: almost all blocks are equal or almost none."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One array: type and shape, and its bytes, to be read from where `data` stands.

    `form` is None where its parts are no numbers; `parts` is 2 for complex ones.
    """

    type: str
    shape: tuple[int, ...]
    width: int
    form: Form | None
    data: BinaryIO
    parts: int = 1
    turned: bool = False
    fortran: bool = False

    @property
    def count(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)

    @property
    def layout(self) -> str:
        """Type and shape for people."""
        return f"{self.type} {'x'.join(map(str, self.shape)) or 'scalar'}"

    def where(self, position: int) -> str | None:
        """The index of a value by its position."""
        index, position = [], position // self.parts
        for length in self.shape if self.fortran else reversed(self.shape):
            index.append(position % length)
            position //= length
        ordered = index if self.fortran else index[::-1]
        return f"index {', '.join(map(str, ordered))}" if ordered else None


Named = Mapping[str, Callable[[], Tensor]]
"""The arrays of a file by name, each opened when its turn comes."""


def compare_named(expected: Named, actual: Named, tolerances: Policy) -> Iterator[Difference]:
    """How the arrays of two files differ, array by array."""
    if max(len(expected), len(actual)) > MOST_TENSORS:
        raise BadRecord("too many arrays to be looked into")
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            yield other(name, expected[name]().layout, "no such array")
        elif name not in expected:
            yield other(name, "no such array", actual[name]().layout)
        else:
            yield from compare_tensors(name, expected[name](), actual[name](), tolerances)


def compare_tensors(name: str, expected: Tensor, actual: Tensor, tolerances: Policy) -> Iterator[Difference]:
    """How two arrays differ; nothing when they hold the same bytes."""
    if expected.layout != actual.layout or expected.fortran != actual.fortran:
        yield other(name, _with_order(expected, actual), _with_order(actual, expected))
    elif expected.form is None:
        yield from _opaque(name, expected, actual)
    else:
        tolerance = tolerance_for(name, tolerances)
        gathered = _Gathered(expected.form, tolerance)
        for start, one, two in _blocks(expected, actual):
            gathered.add(start // expected.form.width, one, two)
        if gathered.furthest is not None:
            where = expected.where(gathered.furthest.position)
            yield gathered.furthest.difference(name, tolerance, where, expected.count * expected.parts)
        elif gathered.blocks:
            allowed = allowed_text(tolerance)
            yield rewritten(name, allowed, within=allowed is not None)


def _with_order(tensor: Tensor, beside: Tensor) -> str:
    if tensor.fortran == beside.fortran:
        return tensor.layout
    return f"{tensor.layout} by {'columns' if tensor.fortran else 'rows'}"


def _blocks(expected: Tensor, actual: Tensor) -> Iterator[tuple[int, bytes, bytes]]:
    """The blocks that differ, and where each begins."""
    size = expected.count * expected.width
    length = BLOCK - BLOCK % expected.width or expected.width
    for start in range(0, size, length):
        here = min(length, size - start)
        one, two = expected.data.read(here), actual.data.read(here)
        if not len(one) == len(two) == here:
            raise BadRecord("the array is cut off")
        one, two = _native(expected, one), _native(actual, two)
        if one != two:
            yield start, one, two


def _native(tensor: Tensor, data: bytes) -> bytes:
    return turned(data, tensor.width // tensor.parts) if tensor.turned else data


def _opaque(name: str, expected: Tensor, actual: Tensor) -> Iterator[Difference]:
    """How two arrays of texts differ: how many, and where the first."""
    width, differing, first = expected.width, 0, 0
    for start, one, two in _blocks(expected, actual):
        here = [at for at in range(0, len(one), width) if one[at : at + width] != two[at : at + width]]
        first = first if differing else (start + here[0]) // width
        differing += len(here)
    if differing:
        where = expected.where(first)
        yield Difference(
            name, expected.layout, "other values", where=where, differing=differing, values=expected.count
        )


class _Gathered:
    """What the blocks that differ come to together; each step is a loop of C over a whole block."""

    def __init__(self, form: Form, tolerance: Tolerance) -> None:
        self.furthest: Furthest | None = None
        self.blocks = 0
        self._form = form
        self._tolerance = tolerance

    def add(self, position: int, one: bytes, two: bytes) -> None:
        """Add a block that begins with the number at a position."""
        self.blocks += 1
        old, new = list(self._form.read(one)), list(self._form.read(two))
        gaps = list(map(abs, map(sub, new, old)))
        if not math.isfinite(sum(gaps)):
            gaps = list(map(gap_of, old, new))
        top = max(gaps)
        if not top:
            return
        at = gaps.index(top)
        wide = gaps if all(gaps) else list(compress(gaps, gaps))
        shares = _shares(wide, old if wide is gaps else compress(old, gaps), math.isfinite(top))
        within = self.furthest is None or self.furthest.within
        within = within and self._covered(wide, shares, lambda: compress(self._steps(one, two), gaps))
        found = Furthest(old[at], new[at], top, max(shares), within, len(wide), position + at)
        self.furthest = found if self.furthest is None else _further(self.furthest, found)

    def _covered(self, gaps: list[float], shares: list[float], steps: Callable[[], Iterable[int]]) -> bool:
        """Whether the tolerance covers every number of a block: all of them by one bound, or each by any."""
        tolerance, top = self._tolerance, max(gaps)
        if not tolerance.bounds_numbers or not math.isfinite(top):
            return False
        if covers(tolerance, top, max(shares), MOST_ULPS + 1):
            return True
        ulps = [0] * len(gaps) if tolerance.ulps is None else list(steps())
        if tolerance.ulps is not None and max(ulps) <= tolerance.ulps:
            return True
        return all(map(covers, repeat(tolerance), gaps, shares, ulps))

    def _steps(self, one: bytes, two: bytes) -> Iterable[int]:
        return map(abs, map(sub, self._form.ranks(one), self._form.ranks(two)))


def _further(one: Furthest, two: Furthest) -> Furthest:
    """Two blocks as one."""
    return replace(
        two if two.distance > one.distance else one,
        relative=max(one.relative, two.relative),
        within=one.within and two.within,
        differing=one.differing + two.differing,
    )


def _shares(gaps: Iterable[float], old: Iterable[float], finite: bool) -> list[float]:
    """Distances as shares of what was expected."""
    sizes = list(map(abs, old))
    return list(map(truediv if finite and all(sizes) else share_of, gaps, sizes))
