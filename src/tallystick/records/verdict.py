"""The verdict: whether a repeated run's halves match, and by how much they don't."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Literal

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.records.fields import Fields, is_number, versioned
from tallystick.records.provenance import Hardware, Host, read_hardware, read_host
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

VERSION = 1

Outcome = Literal[
    "identical", "within tolerance", "inconclusive", "different", "missing", "could not be rebuilt"
]

REPRODUCED: tuple[Outcome, ...] = ("identical", "within tolerance")
"""Outcomes that are a yes."""

CAME_AGAIN: tuple[Outcome, ...] = (*REPRODUCED, "inconclusive")
"""Outcomes of results that are the recorded ones, whatever that proves."""

OUTCOMES: dict[str, Outcome] = {
    "identical": "identical",
    "within tolerance": "within tolerance",
    "inconclusive": "inconclusive",
    "different": "different",
    "missing": "missing",
    "could not be rebuilt": "could not be rebuilt",
}
"""From the best to the worst."""

Kind = Literal["arrays", "table", "keys", "image", "text", "folder", "bytes"]
KINDS: dict[str, Kind] = {
    "arrays": "arrays",
    "table": "table",
    "keys": "keys",
    "image": "image",
    "text": "text",
    "folder": "folder",
    "bytes": "bytes",
}
"""In whose terms two files are compared."""

AxisName = Literal["environment", "data", "code", "params", "seed", "machine"]
AXES: dict[str, AxisName] = {
    "environment": "environment",
    "data": "data",
    "code": "code",
    "params": "params",
    "seed": "seed",
    "machine": "machine",
}
"""What a result can come from."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs, or the furthest of many; `allowed` shows the tolerance that it was judged by.

    `where` says where the value shown stands, `differing` how many of `values` differ, and `file` which
    file of a folder it is.
    """

    name: str
    expected: str | int | float | bool | None
    actual: str | int | float | bool | None
    absolute: float | None = None
    relative: float | None = None
    allowed: str | None = None
    within: bool = False
    where: str | None = None
    differing: int | None = None
    values: int | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One out, beside what its receipt says; `unordered` if only the order of its parts differs."""

    path: str
    outcome: Outcome
    expected: Digest | None
    actual: Digest | None
    differences: tuple[Difference, ...] = ()
    kind: Kind = "bytes"
    unordered: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that another run had otherwise, and what a repetition came to with only that swapped."""

    name: AxisName
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class StageVerdict:
    """One stage that was executed again; `series` is what it logged meanwhile, in the store of who judged."""

    stage: str
    receipt: Digest
    outcome: Outcome
    comparisons: tuple[Comparison, ...]
    seconds: float
    reason: str | None = None
    axes: tuple[Axis, ...] = ()
    series: Digest | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A whole reproduction: by whom, on which machine, and what kept it apart from the rest of that machine.

    `unlike` is where machine and receipt were known to differ before anything ran. `spread` is how far
    numbers of several repetitions lay apart: by path, then by name. `notes` say what was not as it should be.
    """

    outcome: Outcome
    target: str
    commit: str | None
    stages: tuple[StageVerdict, ...]
    started: str
    python: str
    platform: str
    environment: Digest | None
    tool: str
    author: str | None = None
    host: Host | None = None
    hardware: Hardware | None = None
    enforced: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    repetitions: int = 1
    spread: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a whole is that of its worst part; of nothing, identical."""
    order = list(OUTCOMES.values())
    return max(outcomes, key=order.index, default="identical")


def render(verdict: Verdict) -> bytes:
    """Write a verdict in its canonical form."""
    return dump_json({"tally": VERSION, **_plain(verdict)})


def _plain(value: Any) -> Any:
    if isinstance(value, Digest):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return value


def identity(verdict: Verdict) -> Digest:
    """A verdict's id: the digest of its canonical form."""
    return Digest.of(render(verdict))


def parse(data: bytes | str, source: str = "") -> Verdict:
    """Read a verdict; raise BadRecord naming what is wrong."""
    fields = versioned(load_json(data, source, RECEIPT_LIMIT), source, "verdict", VERSION)
    fields.only("tally", *(item.name for item in dataclasses.fields(Verdict)))
    return Verdict(
        outcome=fields.choice("outcome", OUTCOMES),
        target=fields.line("target"),
        commit=fields.optional("commit", fields.line),
        stages=tuple(_stage(item) for item in fields.each("stages")),
        started=fields.line("started"),
        python=fields.line("python"),
        platform=fields.line("platform"),
        environment=fields.optional("environment", fields.digest),
        tool=fields.line("tool"),
        author=fields.optional("author", fields.line),
        host=fields.optional("host", lambda key: read_host(fields.fields(key, key))),
        hardware=fields.optional("hardware", lambda key: read_hardware(fields.fields(key, key))),
        enforced=fields.lines("enforced"),
        unlike=fields.lines("unlike"),
        repetitions=fields.integer("repetitions", least=1) if fields.has("repetitions") else 1,
        spread=_spread(fields) if fields.has("spread") else {},
        notes=fields.lines("notes"),
    )


def _spread(fields: Fields) -> dict[str, dict[str, float]]:
    table = fields.fields("spread")
    found = {}
    for path in table.value:
        numbers = table.fields(path)
        found[check_path(path, fields.source)] = {name: numbers.number(name) for name in numbers.value}
    return found


def _stage(fields: Fields) -> StageVerdict:
    fields.only(*(item.name for item in dataclasses.fields(StageVerdict)))
    return StageVerdict(
        stage=fields.line("stage"),
        receipt=fields.digest("receipt"),
        outcome=fields.choice("outcome", OUTCOMES),
        comparisons=tuple(_comparison(item) for item in fields.each("comparisons")),
        seconds=fields.number("seconds"),
        reason=fields.optional("reason", fields.text),
        axes=tuple(_axis(item) for item in fields.each("axes")),
        series=fields.optional("series", fields.digest),
    )


def _axis(fields: Fields) -> Axis:
    fields.only(*(item.name for item in dataclasses.fields(Axis)))
    return Axis(fields.choice("name", AXES), fields.choice("outcome", OUTCOMES), fields.text("detail"))


def _comparison(fields: Fields) -> Comparison:
    fields.only(*(item.name for item in dataclasses.fields(Comparison)))
    return Comparison(
        path=fields.path("path"),
        outcome=fields.choice("outcome", OUTCOMES),
        expected=fields.optional("expected", fields.digest),
        actual=fields.optional("actual", fields.digest),
        differences=tuple(_difference(item) for item in fields.each("differences")),
        kind=fields.choice("kind", KINDS) if fields.has("kind") else "bytes",
        unordered=fields.flag("unordered"),
    )


def _difference(fields: Fields) -> Difference:
    fields.only(*(item.name for item in dataclasses.fields(Difference)))
    return Difference(
        name=fields.text("name"),
        expected=_value(fields, "expected"),
        actual=_value(fields, "actual"),
        absolute=fields.optional("absolute", fields.number),
        relative=fields.optional("relative", fields.number),
        allowed=fields.optional("allowed", fields.line),
        within=fields.flag("within"),
        where=fields.optional("where", fields.line),
        differing=fields.optional("differing", fields.integer),
        values=fields.optional("values", fields.integer),
        file=fields.optional("file", fields.text),
    )


def _value(fields: Fields, key: str) -> str | int | float | bool | None:
    value = fields.require(key)
    if value is None or isinstance(value, str | bool) or is_number(value):
        return value  # type: ignore[no-any-return]
    raise BadRecord(f"`{key}` of a difference must be a text or a number", fields.source)
