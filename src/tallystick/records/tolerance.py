"""The policy of how exactly a repetition must match: bounds on numbers, and whether order counts."""

from collections.abc import Mapping
from typing import Any

from tallystick.frozen import dataclass
from tallystick.records.fields import Fields, is_number, item_path
from tallystick.records.syntax import line_of

EVERY = "*"
"""In a tolerance: every number that has none of its own."""

MARGIN = 2.0
"""How often a measured spread two runs may be apart: each lies within it, on whichever side of the record."""

MOST_ULPS = 1 << 63
_NUMBERS = ("absolute", "relative", "ulps")
_WORDS = (*_NUMBERS, "measured", "order")
_MEASURED = ("spread", "runs")


@dataclass(frozen=True, slots=True)
class Measured:
    """How far repetitions of a stage were from the record at most, and how many there were."""

    spread: float
    runs: int


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from the recorded one: within any of the bounds is close enough.

    `ulps` counts the numbers of the same type that lie between, the further one included. `any_order`
    stands under EVERY only: rows, keys and lines of the file may come in any order.
    """

    absolute: float | None = None
    relative: float | None = None
    ulps: int | None = None
    measured: Measured | None = None
    any_order: bool = False

    @property
    def distance(self) -> float | None:
        """The largest distance that is covered whatever the numbers are; None if none is."""
        bounds = [] if self.absolute is None else [self.absolute]
        bounds += [] if self.measured is None else [self.measured.spread * MARGIN]
        return max(bounds, default=None)

    @property
    def bounds_numbers(self) -> bool:
        """Whether it says anything about numbers."""
        return self.distance is not None or self.relative is not None or self.ulps is not None


Tolerances = Mapping[str, Mapping[str, Tolerance]]
"""Path -> key of a number, or EVERY -> bound."""


def read_tolerances(fields: Fields) -> Tolerances:
    """Read the field `tolerance`, of a stage or of a receipt."""
    if not fields.has("tolerance"):
        return {}
    table = fields.fields("tolerance")
    return {
        item_path("tolerance", path, line_of(table.value, path), fields): _of_path(table, path)
        for path in table.value
    }


def _of_path(table: Fields, path: str) -> Mapping[str, Tolerance]:
    """A bound for all numbers of a path, or bounds by name; `order: any` may stand among the names."""
    value = table.value[path]
    if not isinstance(value, dict):
        return {EVERY: _bound(table, path)}
    if not value:
        table.bad(f"the tolerance of `{path}` is empty", path)
    if _is_bound(value):
        return {EVERY: _bound(table, path, whole=True)}
    names = table.nested(path, value)
    bounds = {key: _bound(names, key, whole=key == EVERY) for key in value if not _is_order(value, key)}
    if len(bounds) < len(value):
        every = bounds.get(EVERY, Tolerance())
        bounds[EVERY] = Tolerance(every.absolute, every.relative, every.ulps, every.measured, True)
    return bounds


def _is_order(value: Mapping[str, Any], key: str) -> bool:
    return key == "order" and isinstance(value[key], str)


def _is_bound(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is one bound, not bounds by name: a number may be called `order`, too."""
    if not set(value) <= set(_WORDS):
        return False
    nested = {key: part for key, part in value.items() if isinstance(part, dict)}
    return not nested or (set(nested) == {"measured"} and set(nested["measured"]) <= set(_MEASURED))


def _bound(fields: Fields, key: str, whole: bool = False) -> Tolerance:
    """A number (absolute), or a mapping of bounds; `order` only where it is about the whole file."""
    value = fields.value[key]
    if is_number(value) and value >= 0:
        return Tolerance(absolute=float(value))
    if not isinstance(value, dict) or not value:
        reason = f"the tolerance of `{key}` must be a number, or `absolute`, `relative`, `ulps`, `measured`"
        fields.bad(reason, key)
    bounds = fields.nested(key, value)
    bounds.only(*(_WORDS if whole else (*_NUMBERS, "measured")))
    return Tolerance(
        bounds.optional("absolute", bounds.number),
        bounds.optional("relative", bounds.number),
        bounds.optional("ulps", lambda name: bounds.integer(name, most=MOST_ULPS)),
        bounds.optional("measured", lambda name: _measured(bounds, name)),
        _order(bounds),
    )


def _measured(bounds: Fields, name: str) -> Measured:
    value = bounds.value[name]
    if not isinstance(value, dict) or set(value) != set(_MEASURED):
        hint = "`tally repro -n 5` measures both"
        bounds.bad("`measured` must be `{spread: number, runs: number}`", name, hint)
    table = bounds.fields(name)
    return Measured(table.number("spread"), table.integer("runs", least=1))


def _order(bounds: Fields) -> bool:
    if not bounds.has("order"):
        return False
    if bounds.value["order"] != "any":
        bounds.bad(
            "`order` must be `any`",
            "order",
            "a number of that name has its bound as `order: {absolute: 0.1}`",
        )
    return True


def tolerance_values(tolerance: Tolerances) -> dict[str, dict[str, dict[str, Any]]]:
    """Tolerances as plain values, every bound in full: the short forms say the same."""
    return {
        path: {key: _bound_values(limit) for key, limit in bounds.items()}
        for path, bounds in tolerance.items()
    }


def _bound_values(limit: Tolerance) -> dict[str, Any]:
    measured = limit.measured
    values = {
        "absolute": limit.absolute,
        "relative": limit.relative,
        "ulps": limit.ulps,
        "measured": None if measured is None else {"spread": measured.spread, "runs": measured.runs},
        "order": "any" if limit.any_order else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def short_values(bounds: Mapping[str, Tolerance]) -> Any:
    """The bounds of one path as a person would write them."""
    values = {key: _short(limit) for key, limit in bounds.items()}
    if set(values) == {EVERY}:
        return values[EVERY]
    # A number may be called like a bound: then only the full form tells them apart.
    return {key: _bound_values(limit) for key, limit in bounds.items()} if _is_bound(values) else values


def _short(limit: Tolerance) -> Any:
    values = _bound_values(limit)
    return values["absolute"] if set(values) == {"absolute"} else values
