"""How far several repetitions of a stage lay from its record, and the policy that this comes to."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_UP, Context
from typing import NamedTuple

from tallystick.records.tolerance import EVERY, Measured, Tolerance, Tolerances
from tallystick.records.verdict import Comparison, Difference

Spread = Mapping[str, Mapping[str, float]]
"""Path of a file -> name of its number, or EVERY -> the largest distance."""


_THREE_DIGITS = Context(prec=3, rounding=ROUND_UP)


class _Number(NamedTuple):
    path: str
    name: str


def spread(repetitions: Iterable[Iterable[Comparison]]) -> Spread:
    """The largest distance of each number from the record, over all repetitions; of files in folders, too.

    Numbers that were the same each time are left out, and so is what has no distance: `unmeasured` has it.
    """
    found: dict[str, dict[str, float]] = {}
    for comparison, difference in _all(repetitions):
        if difference.absolute is not None:
            number = _number(comparison.path, difference)
            names = found.setdefault(number.path, {})
            names[number.name] = max(names.get(number.name, 0.0), difference.absolute)
    return {path: _with_rest(names) for path, names in found.items()}


def unmeasured(repetitions: Iterable[Iterable[Comparison]]) -> tuple[str, ...]:
    """What differed and has no distance, so that no spread covers it: paths with names."""
    found = (
        f"{comparison.path}: {difference.name or difference.actual}"
        for comparison, difference in _all(repetitions)
        if difference.absolute is None and not difference.within
    )
    return tuple(dict.fromkeys(found))


def policy(measured: Spread, runs: int, folder: str = "") -> Tolerances:
    """A spread as the tolerances of a stage; its paths are made relative to the folder that it runs in.

    Three digits are enough, if they are rounded up.
    """
    return {
        posixpath.relpath(path, folder or "."): {
            name: Tolerance(measured=Measured(_rounded_up(far), runs)) for name, far in names.items()
        }
        for path, names in measured.items()
    }


def _rounded_up(distance: float) -> float:
    return float(_THREE_DIGITS.create_decimal_from_float(distance))


def _all(repetitions: Iterable[Iterable[Comparison]]) -> Iterator[tuple[Comparison, Difference]]:
    for comparisons in repetitions:
        for comparison in comparisons:
            yield from ((comparison, difference) for difference in comparison.differences)


def _number(path: str, difference: Difference) -> _Number:
    """Which file's number it is; what was not named one by one counts for all."""
    name = difference.name
    if difference.file is not None:
        path, name = f"{path}/{difference.file}", name.removeprefix(f"{difference.file}: ")
    return _Number(path, name or EVERY)


def _with_rest(names: Mapping[str, float]) -> dict[str, float]:
    """Where some numbers were not named one by one, any of them may be as far off as the furthest."""
    return {**names, EVERY: max(names.values())} if EVERY in names else dict(names)
