"""How two sides differ, as a line for people."""

from tallystick.records.verdict import Difference


def difference_text(difference: Difference) -> str:
    """What was expected and what came, where, how many of how many, and how far off."""
    text = f"{_value(difference.expected)} -> {_value(difference.actual)}"
    if difference.expected == difference.name == "":
        # What is not named one by one has no two sides.
        text = str(difference.actual)
    name = f"{difference.name}: " if difference.name else ""
    place = "" if difference.where is None else f" at {difference.where}"
    remarks = [each for each in (_count(difference), _distance(difference)) if each]
    said = f" ({'; '.join(remarks)})" if remarks else ""
    return f"{name}{text}{place}{said}"


def _count(difference: Difference) -> str:
    if difference.differing is None or difference.values is None:
        return ""
    return f"{difference.differing:,} of {difference.values:,} differ"


def _distance(difference: Difference) -> str:
    allowed = "" if difference.allowed is None else f"allowed {difference.allowed}"
    if difference.absolute is None:
        return allowed
    share = "" if difference.relative is None else f", {_share(difference)}"
    return f"off by {difference.absolute:.3g}{share}{allowed and f'; {allowed}'}"


def _share(difference: Difference) -> str:
    """The largest relative distance, which of many numbers need not be that of the furthest one."""
    relative, expected = difference.relative or 0.0, difference.expected
    share = f"{relative * 100:.3g}%"
    if isinstance(expected, (int, float)) and expected and difference.absolute is not None:
        here = difference.absolute / abs(expected)
        return share if abs(here - relative) <= 1e-6 * relative else f"elsewhere up to {share}"
    return share


def _value(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
