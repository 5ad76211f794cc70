"""Where a number stands on an axis, and which round numbers are written beside it."""

import math
from collections.abc import Iterable, Iterator

from tallystick.frozen import dataclass

LARGEST = 1e300
"""Beyond this, differences of numbers are no numbers any more."""

SMALLEST = 1e-280

_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of numbers, its ends apart."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Axis":
        """The stretch that holds all values which can be drawn."""
        found = [value for value in values if can_be_drawn(value)]
        low, high = (min(found), max(found)) if found else (0.0, 1.0)
        if high - low <= max(abs(low), abs(high), SMALLEST) * 1e-9:
            room = abs(low) * 0.1 if abs(low) > SMALLEST else 1.0
            return cls(low - room, high + room)
        return cls(low, high)

    def place(self, value: float) -> float:
        """Where a value stands: 0 is the lower end, 1 the upper."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> Iterator[float]:
        """At most so many round numbers on the axis."""
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((power * each for each in _STEPS if power * each >= rough), power * 10)
        for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1):
            yield number * step


def can_be_drawn(value: float) -> bool:
    """Whether a value has a place: NaN and infinity have none."""
    return math.isfinite(value) and abs(value) < LARGEST


def tick_text(value: float) -> str:
    """A number as it is written beside an axis."""
    return f"{value + 0.0:.5g}"
