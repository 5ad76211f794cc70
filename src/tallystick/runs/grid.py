"""The grid of a sweep: settings with several values, and the points that they span."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from math import prod

from tallystick.errors import WrongUsage
from tallystick.frozen import dataclass
from tallystick.patterns import regex

MOST = 1000
"""Points that one sweep may have: each is a worktree and a run of its own."""

_NUMBER = r"[-+]?\d{1,15}(?:\.\d{1,15})?"
_RANGE = regex(rf"({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?", re.ASCII)
_NEARLY = regex(r"[-+]?[\d.]*\d[\d.eE+-]*\.\.", re.ASCII)
"""What begins like a range of numbers: a path like `../data` does not."""

_PAIRS = {"[": "]", "{": "}"}
_HINT = "write it as `KEY=VALUE,VALUE`, or `KEY=FIRST..LAST`, like `train.lr=0.1,0.01`"


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter, `key` or `file:key`, and the values that it takes, as they would be typed."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One choice of values; `name` says how it differs from the others."""

    name: str
    values: Mapping[str, str]

    @property
    def overrides(self) -> tuple[str, ...]:
        """The settings as `run -S` takes them."""
        return tuple(f"{key}={value}" for key, value in self.values.items())


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination of the values of some parameters."""

    axes: tuple[Axis, ...]

    @property
    def varying(self) -> tuple[str, ...]:
        """The parameters that have more than one value; all where none has."""
        found = tuple(axis.key for axis in self.axes if len(axis.values) > 1)
        return found or tuple(axis.key for axis in self.axes)

    def points(self) -> tuple[Point, ...]:
        """All points; the last parameter changes first."""
        keys, named = [axis.key for axis in self.axes], self.varying
        found = []
        for choice in product(*(axis.values for axis in self.axes)):
            values = dict(zip(keys, choice, strict=True))
            found.append(Point(" ".join(f"{key}={values[key]}" for key in named), values))
        return tuple(found)


def parse(settings: Sequence[str]) -> Grid:
    """Read settings like `lr=0.1,0.01` and `depth=2..6`.

    Raises WrongUsage for what can't be read, for a key that is given twice, and for more points than MOST.
    """
    if not settings:
        raise WrongUsage("a sweep needs a parameter with its values", hint="tally sweep -S train.lr=0.1,0.01")
    axes = tuple(map(_axis, settings))
    twice = [key for key, count in Counter(axis.key for axis in axes).items() if count > 1]
    if twice:
        raise WrongUsage(f"`{twice[0]}` is given twice", hint=f"list its values: `{twice[0]}=1,2,3`")
    count = prod(len(axis.values) for axis in axes)
    if count > MOST:
        raise _too_many(f"the grid has {count:,} points")
    return Grid(axes)


def _axis(setting: str) -> Axis:
    key, equals, text = setting.partition("=")
    if not equals or not key.strip() or not key.rpartition(":")[2]:
        raise WrongUsage(f"`{setting}` is not a parameter with its values", hint=_HINT)
    values = dict.fromkeys(value for piece in _pieces(text, setting) for value in _values(piece, setting))
    if len(values) > MOST:
        raise _too_many(f"`{key}` has {len(values):,} values")
    return Axis(key, tuple(values))


def _pieces(text: str, setting: str) -> Iterator[str]:
    """What stands between commas that are neither in quotes nor in brackets."""
    start, closing = 0, _Closing()
    for place, character in enumerate(text):
        if character == "," and not closing.open:
            yield _filled(text[start:place], setting)
            start = place + 1
        else:
            closing.take(character, first=not text[start:place].strip())
    if closing.open:
        raise WrongUsage(f"`{setting}`: `{closing.open[-1]}` is missing", hint="close the quote or bracket")
    yield _filled(text[start:], setting)


class _Closing:
    """The quotes and brackets that are open: a value begins with them, or they stand in brackets."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self._escaped = False

    def take(self, character: str, *, first: bool) -> None:
        """Take one more character; `first` says that it begins a value."""
        inner = self.open[-1] if self.open else ""
        if inner in ('"', "'"):
            if character == inner and not self._escaped:
                self.open.pop()
            self._escaped = inner == '"' and character == "\\" and not self._escaped
        elif inner and character == inner:
            self.open.pop()
        elif (first or inner) and character in "\"'[{":
            self.open.append(_PAIRS.get(character, character))


def _filled(piece: str, setting: str) -> str:
    value = piece.strip()
    if not value:
        raise WrongUsage(f"`{setting}` has an empty value", hint='an empty text is `""`, nothing is `null`')
    return value


def _values(piece: str, setting: str) -> Sequence[str]:
    """The values of a range, or the one that stands there."""
    match = _RANGE.fullmatch(piece)
    if match is not None:
        return _range(piece, *match.groups())
    if _NEARLY.match(piece):
        raise WrongUsage(
            f"`{setting}`: `{piece}` is not a range",
            hint="a range is `2..6` or `0.1..0.5..0.1`; what is meant as a text stands in quotes",
        )
    return (piece,)


def _range(piece: str, first: str, last: str, step: str | None) -> list[str]:
    """The numbers from one to another, both included where the steps meet them; exact, not in floats."""
    start, end = Decimal(first), Decimal(last)
    if step is None and "." in first + last:
        raise WrongUsage(f"`{piece}` needs a step", hint=f"for example: `{piece}..0.1`")
    stride = Decimal(step) if step is not None else Decimal(1 if end >= start else -1)
    if not stride or (end - start) * stride < 0:
        raise WrongUsage(f"`{piece}` never gets from {first} to {last}", hint="turn the step around")
    count = int((end - start) / stride) + 1
    if count > MOST:
        raise _too_many(f"`{piece}` has {count:,} values")
    fraction = "." in first + (step or "")
    return [_number(start + number * stride, fraction) for number in range(count)]


def _number(value: Decimal, fraction: bool) -> str:
    """A number as it is typed; one of a series with fractions has a point, so that all are of one kind."""
    text = format(value, "f")
    if not fraction:
        return text
    text = text.rstrip("0") if "." in text else f"{text}."
    return f"{text}0" if text.endswith(".") else text


def _too_many(what: str) -> WrongUsage:
    return WrongUsage(f"{what}, and a sweep has at most {MOST:,}", hint="narrow it, or sweep in several goes")


def comparable(value: float | str) -> tuple[int, float, str]:
    """A key to sort values by: numbers by size, then texts."""
    try:
        number = float(value)
    except ValueError:
        return 1, 0.0, str(value)
    return (0, number, "") if number == number else (1, 0.0, str(value))
