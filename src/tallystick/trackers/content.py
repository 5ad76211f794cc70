"""What a run is in MLflow's terms: names, numbers and texts within the limits that its servers set."""

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.patterns import regex

LONGEST_KEY = 250
LONGEST_PARAM = 6000
LONGEST_TAG = 5000
LONGEST_NAME = 500
"""Characters of a data set's name."""
LONGEST_DIGEST = 36

MOST_TEXTS = 100
MOST_METRICS = 1000
MOST_INPUTS = 100
ROOM = 900_000
"""Bytes of a request that log values; MLflow takes a million."""

_FORBIDDEN = regex(r"[^/\w.\- :]")
_HALF = regex("[\x00\ud800-\udfff]")
"""What some database, or UTF-8, has no way to write."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Metric:
    """One point of a metric; `timestamp` in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int

    def told(self) -> dict[str, Any]:
        """As the server wants to hear it; what JSON has no number for is a word."""
        value = self.value
        number: float | str = value if value - value == 0 else _word(value)
        return {"key": self.key, "value": number, "timestamp": self.timestamp, "step": self.step}


@dataclass(frozen=True, slots=True)
class Input:
    """Data that a run read."""

    name: str
    digest: str
    source: str
    profile: str
    tags: Mapping[str, str]

    def told(self) -> dict[str, Any]:
        """As the server wants to hear it."""
        dataset = {
            "name": self.name,
            "digest": self.digest,
            "source_type": "tallystick",
            "source": self.source,
            "profile": self.profile,
        }
        return {"dataset": dataset, "tags": pairs(self.tags)}


@dataclass(frozen=True, slots=True)
class Content:
    """All of a run; times in milliseconds since 1970. `notes` say what could not be told whole."""

    name: str
    started: int
    ended: int
    status: str
    params: Mapping[str, str]
    metrics: tuple[Metric, ...]
    tags: Mapping[str, str]
    inputs: tuple[Input, ...]
    notes: tuple[str, ...] = ()


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Names and values as the server wants to hear them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def _word(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def keys_for(names: Iterable[str]) -> dict[str, str]:
    """For each name one that MLflow takes; two names never become one."""
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        key = _key(name)
        if key in taken:
            key = f"{key[: LONGEST_KEY - 9]}-{Digest.of(name.encode('utf-8', 'surrogateescape')).hex()[:8]}"
        taken.add(key)
        given[name] = key
    return given


def _key(name: str) -> str:
    """A name without the characters that MLflow refuses; it must not read as another path than it is."""
    key = _FORBIDDEN.sub("_", name)
    if posixpath.normpath(key) != key or key.startswith(("/", "..")) or key == ".":
        key = key.replace("/", "_").replace("..", "__")
    key = "_" if key in ("", ".") else key
    return key if len(key) <= LONGEST_KEY else key[: LONGEST_KEY - 1] + "_"


def bounded(text: str, most: int) -> str:
    """A text that a database can hold, cut where it is too long, which it then says."""
    clean = _HALF.sub("\ufffd", text)
    if len(clean) <= most:
        return clean
    end = f"… ({len(clean):,} characters)"
    return clean[: most - len(end)] + end


def batches(items: Iterable[Item], most: int, room: int = ROOM) -> Iterator[list[Item]]:
    """Items in portions of so many at most, each of which fits into a request."""
    portion: list[Item] = []
    size = 0
    for item in items:
        length = len(json.dumps(item, ensure_ascii=False).encode()) + 2
        if portion and (len(portion) == most or size + length > room):
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += length
    if portion:
        yield portion
