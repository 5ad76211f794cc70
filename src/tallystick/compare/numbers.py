"""How far numbers are apart, and whether a tolerance covers it."""

import math
from collections.abc import Iterable, Mapping

from tallystick.records.tolerance import EVERY, Tolerance
from tallystick.records.verdict import Difference

EXACT = Tolerance()


def tolerance_for(name: str, tolerances: Mapping[str, Tolerance]) -> Tolerance:
    """What a name may be apart: its own tolerance, else the one for all."""
    return tolerances.get(name, tolerances.get(EVERY, EXACT))


def allowed_text(tolerance: Tolerance) -> str | None:
    """A tolerance for people: `0.001`, `1%`, `0.001 or 1%`; None for none."""
    parts = [f"{tolerance.absolute:g}"] if tolerance.absolute is not None else []
    parts += [f"{tolerance.relative * 100:g}%"] if tolerance.relative is not None else []
    return " or ".join(parts) or None


def apart(
    name: str, pairs: Iterable[tuple[float, float]], tolerances: Mapping[str, Tolerance]
) -> Difference | None:
    """The furthest of the pairs (expected, actual) that differ; None when none does."""
    tolerance = tolerance_for(name, tolerances)
    widest: tuple[float, float, float] | None = None
    furthest, relative, within = -1.0, 0.0, True
    for expected, actual in pairs:
        distance = _distance(expected, actual)
        if distance == 0.0:
            continue
        share = distance / abs(expected) if expected else math.inf
        within = within and covers(tolerance, distance, share)
        relative = max(relative, share)
        if distance > furthest:
            furthest, widest = distance, (expected, actual, distance)
    if widest is None:
        return None
    return Difference(
        name,
        _number(widest[0]),
        _number(widest[1]),
        _finite(widest[2]),
        _finite(relative),
        allowed_text(tolerance),
        within,
    )


def covers(tolerance: Tolerance, distance: float, share: float) -> bool:
    """Whether a tolerance covers a distance, as such or as a share of what was expected."""
    absolute = tolerance.absolute is not None and distance <= tolerance.absolute
    relative = tolerance.relative is not None and share <= tolerance.relative
    return absolute or relative


def other(name: str, expected: str, actual: str) -> Difference:
    """A difference that no tolerance covers."""
    return Difference(name, expected, actual)


def _distance(expected: float, actual: float) -> float:
    """How far two numbers are apart; what can't be measured is infinitely far."""
    if expected == actual or (expected != expected and actual != actual):
        return 0.0
    try:
        distance = abs(expected - actual)
    except OverflowError:
        return math.inf
    return math.inf if math.isnan(distance) else float(distance)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float) -> float | str:
    """A number as JSON can hold it."""
    return value if math.isfinite(value) else str(value)
