"""The metric series that a run logged: a JSON object a line, a step each."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tallystick.frozen import dataclass
from tallystick.records.fields import LARGEST, is_number

STEP = "step"
TIME = "@time"
"""When the step was logged, UTC, ISO 8601; no name of a metric in Python begins so."""

_WORDS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
"""What JSON has no number for stays a word."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was logged at once; `time` in seconds since 1970, None where that was not written down."""

    step: int
    values: Mapping[str, float]
    time: float | None = None


def line(step: int, numbers: Mapping[str, str], now: datetime) -> bytes:
    """One step as it is written, its numbers given as Python shows them."""
    values = {name: number if number in _WORDS else float(number) for name, number in numbers.items()}
    time = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({STEP: step, TIME: time, **values}).encode() + b"\n"


def read(data: bytes) -> Iterator[Step]:
    """The steps of a series. Any process of a stage may write there: lines that are none are passed over."""
    for text in data.split(b"\n"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and _is_step(value.get(STEP)):
            yield Step(value[STEP], dict(_metrics(value)), _time(value.get(TIME)))


def _is_step(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _metrics(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        if isinstance(value, str) and name != TIME and value in _WORDS:
            yield name, _WORDS[value]
        elif name not in (STEP, TIME) and (is_number(value) or _is_special(value)):
            yield name, float(value)


def _is_special(value: object) -> bool:
    """Whether a value is not finite: Python reads NaN and Infinity, written by others, without complaint."""
    return isinstance(value, float) and not is_number(value)


def _time(value: object) -> float | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.timestamp()
