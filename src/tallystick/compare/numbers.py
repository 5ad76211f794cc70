"""How far numbers are apart, and whether a tolerance covers it."""

import math
import struct
from collections.abc import Callable, Iterable, Mapping

from tallystick.frozen import dataclass
from tallystick.records.fields import is_number
from tallystick.records.tolerance import EVERY, MARGIN, Tolerance
from tallystick.records.verdict import Difference

EXACT = Tolerance()

Policy = Mapping[str, Tolerance]
"""What the numbers of one file may be apart: by name, or for EVERY one."""


def tolerance_for(name: str, tolerances: Policy) -> Tolerance:
    """What a name may be apart: its own tolerance, else the one for all."""
    return tolerances.get(name, tolerances.get(EVERY, EXACT))


def any_order(tolerances: Policy) -> bool:
    """Whether rows, keys and lines may come in any order."""
    return tolerances.get(EVERY, EXACT).any_order


def allowed_text(tolerance: Tolerance) -> str | None:
    """A tolerance for people: `0.001`, `1%`, `0.001 or 1%`; None for none."""
    parts = [f"{tolerance.absolute:g}"] if tolerance.absolute is not None else []
    parts += [f"{tolerance.relative * 100:g}%"] if tolerance.relative is not None else []
    parts += [f"{tolerance.ulps} ulps"] if tolerance.ulps is not None else []
    if tolerance.measured is not None:
        measured = tolerance.measured
        parts += [f"{measured.spread * MARGIN:g} as measured in {measured.runs} runs"]
    return " or ".join(parts) or None


@dataclass(frozen=True, slots=True)
class Furthest:
    """The pair of numbers that are furthest apart; `relative` is the largest share of any pair."""

    expected: float
    actual: float
    distance: float
    relative: float
    within: bool
    differing: int
    position: int

    def difference(self, name: str, tolerance: Tolerance, where: str | None, values: int) -> Difference:
        """The same for the verdict; of a single number it says neither where nor how many."""
        return Difference(
            name,
            _plain(self.expected),
            _plain(self.actual),
            _finite(self.distance),
            _finite(self.relative),
            allowed_text(tolerance),
            self.within,
            where,
            self.differing if values > 1 else None,
            values if values > 1 else None,
        )


def apart(
    name: str,
    pairs: Iterable[tuple[float, float]],
    tolerances: Policy,
    where: Callable[[int], str | None] = lambda _position: None,
    values: int = 1,
) -> Difference | None:
    """The furthest of the pairs (expected, actual) that differ; None when none does."""
    tolerance = tolerance_for(name, tolerances)
    found = furthest(pairs, tolerance)
    return None if found is None else found.difference(name, tolerance, where(found.position), values)


def furthest(pairs: Iterable[tuple[float, float]], tolerance: Tolerance) -> Furthest | None:
    """Find the pair that is furthest apart; None when all are the same."""
    widest: tuple[float, float] | None = None
    distance, relative, within, differing, position = -1.0, 0.0, True, 0, 0
    for at, (expected, actual) in enumerate(pairs):
        gap = gap_of(expected, actual)
        if gap == 0.0:
            continue
        differing += 1
        share = share_of(gap, expected)
        ulps = 0 if tolerance.ulps is None else ulps_of(expected, actual)
        within = within and covers(tolerance, gap, share, ulps)
        relative = max(relative, share)
        if gap > distance:
            distance, widest, position = gap, (expected, actual), at
    if widest is None:
        return None
    return Furthest(*widest, distance, relative, within, differing, position)


def covers(tolerance: Tolerance, gap: float, share: float, ulps: int) -> bool:
    """Whether one bound of a tolerance covers a distance; what can't be measured none does."""
    bound = tolerance.distance
    if not math.isfinite(gap):
        return False
    if bound is not None and gap <= bound:
        return True
    if tolerance.relative is not None and share <= tolerance.relative:
        return True
    return tolerance.ulps is not None and ulps <= tolerance.ulps


def gap_of(expected: float, actual: float) -> float:
    """How far two numbers are apart; what can't be measured is infinitely far."""
    if expected == actual or (expected != expected and actual != actual):
        return 0.0
    try:
        gap = abs(expected - actual)
    except OverflowError:
        return math.inf
    return math.inf if gap != gap else gap


def share_of(gap: float, expected: float) -> float:
    """A distance as a share of what was expected."""
    try:
        return gap / abs(expected) if expected and math.isfinite(gap) else math.inf
    except OverflowError:
        return math.inf


def ulps_of(expected: float, actual: float) -> int:
    """How many steps lie between two numbers: of 64-bit floats, or of whole numbers."""
    if isinstance(expected, int) and isinstance(actual, int):
        return abs(expected - actual)
    return abs(_rank(float(expected)) - _rank(float(actual)))


def _rank(number: float) -> int:
    """The place of a float among all floats, counted from zero."""
    bits: int = struct.unpack("<q", struct.pack("<d", number))[0]
    return bits if bits >= 0 else -(1 << 63) - bits


def other(name: str, expected: str, actual: str, where: str | None = None) -> Difference:
    """A difference that no tolerance covers."""
    return Difference(name, expected, actual, where=where)


def reordered(tolerances: Policy) -> Difference:
    """The same parts in another order, which a policy may allow."""
    allowed = any_order(tolerances)
    return Difference(
        "order", "as recorded", "another", allowed="any order" if allowed else None, within=allowed
    )


def rewritten(name: str, allowed: str | None, within: bool) -> Difference:
    """The same values as other bytes: no distance, so whatever is allowed covers it."""
    return Difference(name, "the same values", "written as other bytes", 0.0, 0.0, allowed, within)


def _finite(value: float) -> float | None:
    """A distance as JSON can hold it."""
    return float(value) if is_number(value) else None


def _plain(value: float) -> float | str:
    """A number as JSON can hold it."""
    return value if is_number(value) else str(value)
