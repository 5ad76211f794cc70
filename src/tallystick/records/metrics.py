"""Metrics: the numbers that a stage writes, by dotted key."""

import json
import math
import re
from contextlib import suppress

from tallystick.errors import BadRecord
from tallystick.patterns import regex
from tallystick.records.fields import is_number
from tallystick.records.values import flatten, load

_NOT_FINITE = regex(r"[-+]?(\.?nan|\.?inf(inity)?)", re.IGNORECASE)


def read(data: bytes | str, file: str) -> dict[str, float]:
    """Dotted key -> number of a metrics file; words, flags and lists are left out.

    Raises BadRecord for NaN and infinity, which equal nothing: a run that made them has gone wrong.
    """
    try:
        values = load(data, file)
    except BadRecord as error:
        if found := re.search(r"-?\b(NaN|Infinity)\b", error.reason):
            raise BadRecord(f"{_named(data)} is {found[0]}, not a number", file, error.line) from error
        raise
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadRecord("metrics must be a mapping", file, 1)
    flat = flatten(values, file)
    for key, value in flat.items():
        if isinstance(value, str) and _NOT_FINITE.fullmatch(value):
            raise BadRecord(f"metric `{key[:80]}` is {value}, not a number", file)
    return {key: value for key, value in flat.items() if is_number(value)}


def _named(data: bytes | str) -> str:
    """The metric of a JSON text that is not finite; Python's own reader takes it, and knows the key."""
    with suppress(ValueError, RecursionError, BadRecord):
        for key, value in flatten(json.loads(data), "").items():
            if isinstance(value, float) and not math.isfinite(value):
                return f"metric `{key[:80]}`"
    return "a metric"
