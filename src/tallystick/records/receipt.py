"""The receipt: everything that one run of a stage came from, and what came out of it."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Literal

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.paths import check_path, is_plain
from tallystick.patterns import regex
from tallystick.records.fields import LARGEST, Fields, is_number, versioned
from tallystick.records.pointer import KINDS, Kind
from tallystick.records.provenance import (
    Code,
    EnvironmentRef,
    Feature,
    Hardware,
    Host,
    Tracker,
    read_code,
    read_environment,
    read_feature,
    read_hardware,
    read_host,
    read_tracker,
)
from tallystick.records.stage import LARGEST_SEED, TRACES, Trace
from tallystick.records.syntax import RECEIPT_LIMIT, dump_with_rows, load_json, load_piece, pieces, row
from tallystick.records.tolerance import Tolerances, read_tolerances, tolerance_values

VERSION = 1

Status = Literal["succeeded", "failed", "interrupted"]
STATUSES: dict[str, Status] = {"succeeded": "succeeded", "failed": "failed", "interrupted": "interrupted"}

TAIL = 20
"""The last lines of its output that the receipt of a run without success holds."""

_STARTED = regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)

_BLAKE3 = regex(r"blake3:([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a path held, relative to the project's root."""

    path: str
    kind: Kind
    digest: Digest
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """One run of one stage. `stage` is its address: `train`, or `sub/dir:train` below the root.

    `cause` and `tail` say why it was no success; `undeclared` and `undeclared_writes` are what `trace` found.
    """

    stage: str
    cmd: str | tuple[str, ...]
    wdir: str
    status: Status
    exit_code: int
    started: str
    seconds: float
    code: Code
    environment: EnvironmentRef
    hardware: Hardware
    tool: str
    author: str
    deps: tuple[Artifact, ...] = ()
    changed: tuple[str, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int | None = None
    variables: Mapping[str, str | None] = field(default_factory=dict)
    outs: tuple[Artifact, ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    undeclared: tuple[str, ...] = ()
    produced_by: Mapping[str, str] = field(default_factory=dict)
    log: Digest | None = None
    tolerance: Tolerances = field(default_factory=dict)
    cause: str | None = None
    tail: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    undeclared_writes: tuple[str, ...] = ()
    trace: Trace = "none"
    host: Host | None = None
    trackers: tuple[Tracker, ...] = ()
    series: Digest | None = None
    isolated: bool = False


REMEMBERED, SHORT = 500, 4096
"""So many fields are kept in mind, of so many letters at most."""

_FIELDS = tuple(item.name for item in dataclasses.fields(Receipt))
_KEYS = ("tally", *_FIELDS)
_LISTS = ("deps", "outs")
_ARTIFACT = frozenset(("path", "kind", "digest", "size"))
_OWN = (
    "stage", "cmd", "started", "seconds", "code", "deps", "params", "outs", "metrics", "produced_by",
    "log", "series",
)  # fmt: skip
_SHARED = tuple(name for name in _FIELDS if name not in _OWN)
"""What is a run's own, and what many that ran on one machine have in common."""

_ROW = regex(
    r'{\n      "digest": "blake3:([0-9a-f]{64})",\n      "kind": "(file|tree)",\n'
    r'      "path": "([^"\\]+)",\n      "size": (0|[1-9][0-9]{0,17})\n    }'
)
"""An artifact as almost all are, as it stands in a list of the canonical form."""


def identity(receipt: Receipt) -> Digest:
    """A receipt's id: the digest of its canonical form, which is its file's."""
    return Digest.of(render(receipt))


def render(receipt: Receipt) -> bytes:
    """Write a receipt in its canonical form."""
    values = {**_plain_values(receipt), **{key: [] for key in _LISTS}}
    return dump_with_rows(values, {key: map(_row, getattr(receipt, key)) for key in _LISTS})


def _row(artifact: Artifact) -> str:
    """An artifact as JSON, as it stands in a list of the canonical form; there may be ten thousand."""
    if artifact.executable or not is_plain(artifact.path):
        return row(_artifact_values(artifact))
    return (
        f'    {{\n      "digest": "blake3:{artifact.digest.hex()}",\n      "kind": "{artifact.kind}",\n'
        f'      "path": "{artifact.path}",\n      "size": {artifact.size}\n    }}'
    )


def as_values(receipt: Receipt) -> dict[str, Any]:
    """A receipt as its JSON says it."""
    return {
        **_plain_values(receipt),
        "deps": list(map(_artifact_values, receipt.deps)),
        "outs": list(map(_artifact_values, receipt.outs)),
    }


def _plain_values(receipt: Receipt) -> dict[str, Any]:
    """The same without its long lists."""
    plain = {name: _plain(getattr(receipt, name)) for name in _FIELDS if name not in _LISTS}
    return {
        "tally": VERSION,
        **plain,
        "seconds": float(receipt.seconds),
        "tolerance": tolerance_values(receipt.tolerance),
    }


def _plain(value: Any) -> Any:
    """A value as JSON says it: the fields of dataclasses, the text of digests."""
    if isinstance(value, Digest):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _artifact_values(artifact: Artifact) -> dict[str, Any]:
    """An artifact's fields; `executable` only where it is so."""
    values: dict[str, Any] = {
        "path": artifact.path,
        "kind": artifact.kind,
        "digest": str(artifact.digest),
        "size": artifact.size,
    }
    return {**values, "executable": True} if artifact.executable else values


def parse(data: bytes | str, source: str = "") -> Receipt:
    """Read a receipt; raise BadRecord naming what is wrong."""
    found = _parse_pieces(data)
    return _parse_whole(data, source) if found is None else found


def _parse_whole(data: bytes | str, source: str) -> Receipt:
    fields = versioned(load_json(data, source, RECEIPT_LIMIT), source, "receipt", VERSION)
    fields.only(*_KEYS)
    return Receipt(**{name: read(fields) for name, read in _READERS.items()})


def _parse_pieces(data: bytes | str) -> Receipt | None:
    """A receipt as `render` writes it, of which there may be thousands; None: look closer.

    What many share, the machine and the environment above all, is read once.
    """
    texts = pieces(data, RECEIPT_LIMIT)
    if texts is None or texts.pop("tally", "") != str(VERSION) or not texts.keys() <= _READERS.keys():
        return None
    try:
        shared = _read_shared(tuple(map(texts.get, _SHARED)))
        return Receipt(**shared, **{name: _read_piece(name, texts.get(name, "")) for name in _OWN})
    except (BadRecord, ValueError, RecursionError):
        return None


@lru_cache(maxsize=REMEMBERED)
def _read_shared(texts: tuple[str | None, ...]) -> dict[str, Any]:
    """The fields that many receipts have in common, all at once."""
    return {name: _read_piece(name, text or "") for name, text in zip(_SHARED, texts, strict=True)}


def _read_piece(name: str, text: str) -> Any:
    """The value of one field, given as text; without any it is absent."""
    if len(text) <= SHORT:
        return _read_once(name, text)
    return _listed(text) if name in _LISTS else _READERS[name](Fields({name: load_piece(text)}))


@lru_cache(maxsize=REMEMBERED)
def _read_once(name: str, text: str) -> Any:
    """The same of a short text: a thousand stages ran on one machine, and most ended alike."""
    if name in _LISTS and text:
        return _listed(text)
    return _READERS[name](Fields({name: load_piece(text)} if text else {}))


def _listed(text: str) -> tuple[Artifact, ...]:
    """Artifacts that are all as almost all are; raise ValueError for others."""
    parts = _ROW.split(text)
    if text != "[]" and (parts[::5] != ["[\n    ", *[",\n    "] * (len(parts) // 5 - 1), "\n  ]"]):
        raise ValueError("artifacts of another form")
    paths = parts[3::5]
    if len(set(paths)) != len(paths) or not all(map(is_plain, paths)):
        raise ValueError("a path twice, or one that needs a closer look")
    kinds = map(KINDS.__getitem__, parts[2::5])
    digests = map(Digest, map(bytes.fromhex, parts[1::5]))
    return tuple(map(Artifact, paths, kinds, digests, map(int, parts[4::5])))


def _tail(fields: Fields) -> tuple[str, ...]:
    tail = fields.lines("tail")
    if len(tail) > TAIL:
        fields.bad(f"`tail` holds more than {TAIL} lines", "tail")
    return tail


def _address(fields: Fields) -> str:
    """`train`, or `sub/dir:train`."""
    address = fields.line("stage")
    folder, colon, name = address.rpartition(":")
    if colon:
        check_path(folder, fields.source)
    check_path(name, fields.source)
    return address


def _wdir(fields: Fields) -> str:
    return "." if fields.text("wdir") == "." else fields.path("wdir")


def _started(fields: Fields) -> str:
    started = fields.line("started")
    if not _STARTED.fullmatch(started):
        fields.bad("`started` must be a time in UTC like `2026-01-31T12:00:00Z`")
    return started


def _artifacts(fields: Fields, key: str) -> tuple[Artifact, ...]:
    items = fields.value.get(key)
    plain = [_plain_artifact(item) for item in items] if isinstance(items, list) else [None]
    artifacts = tuple(each for each in plain if each is not None)
    if len(artifacts) != len(plain):
        artifacts = tuple(map(_artifact, fields.each(key)))
    paths = {artifact.path for artifact in artifacts}
    if len(paths) != len(artifacts):
        fields.bad(f"`{key}` names a path twice")
    return artifacts


def _plain_artifact(item: object) -> Artifact | None:
    """An artifact as almost all are, of which there may be ten thousand; None: look closer."""
    if not isinstance(item, dict) or item.keys() != _ARTIFACT:
        return None
    path, kind, digest, size = item["path"], item["kind"], item["digest"], item["size"]
    if type(path) is not str or type(kind) is not str or type(digest) is not str or type(size) is not int:
        return None
    match = _BLAKE3.fullmatch(digest)
    if match is None or kind not in KINDS or not 0 <= size < LARGEST or not is_plain(path):
        return None
    return Artifact(path, KINDS[kind], Digest(bytes.fromhex(match[1])), size)


def _artifact(fields: Fields) -> Artifact:
    fields.only("path", "kind", "digest", "size", "executable")
    return Artifact(
        path=fields.path("path"),
        kind=fields.choice("kind", KINDS),
        digest=fields.digest("digest"),
        size=fields.integer("size"),
        executable=fields.flag("executable"),
    )


def _params(fields: Fields) -> dict[str, dict[str, Any]]:
    table = fields.fields("params")
    return {check_path(file, fields.source): dict(table.fields(file).value) for file in table.value}


def _variables(fields: Fields) -> dict[str, str | None]:
    table = fields.fields("variables")
    return {name: table.optional(name, table.text) for name in table.value}


def _metrics(fields: Fields) -> dict[str, dict[str, float]]:
    table = fields.fields("metrics")
    metrics = {check_path(file, fields.source): dict(table.fields(file).value) for file in table.value}
    for file, numbers in metrics.items():
        for key, number in numbers.items():
            if not is_number(number):
                raise BadRecord(f"metric `{key[:80]}` of `{file}` is not a number", fields.source)
    return metrics


def _produced_by(fields: Fields) -> dict[str, str]:
    table = fields.fields("produced_by")
    return {check_path(path, fields.source): str(table.digest(path)) for path in table.value}


_READERS: dict[str, Callable[[Fields], Any]] = {
    "stage": _address,
    "cmd": lambda fields: (
        fields.lines("cmd") if isinstance(fields.require("cmd"), list) else fields.text("cmd")
    ),
    "wdir": _wdir,
    "status": lambda fields: fields.choice("status", STATUSES),
    "exit_code": lambda fields: fields.integer("exit_code", least=-(1 << 31)),
    "started": _started,
    "seconds": lambda fields: fields.number("seconds"),
    "code": lambda fields: read_code(fields.fields("code", "code")),
    "environment": lambda fields: read_environment(fields.fields("environment", "environment")),
    "hardware": lambda fields: read_hardware(fields.fields("hardware", "hardware")),
    "tool": lambda fields: fields.line("tool"),
    "author": lambda fields: fields.line("author"),
    "deps": lambda fields: _artifacts(fields, "deps"),
    "changed": lambda fields: fields.paths("changed"),
    "params": _params,
    "seed": lambda fields: fields.optional("seed", lambda key: fields.integer(key, most=LARGEST_SEED)),
    "variables": _variables,
    "outs": lambda fields: _artifacts(fields, "outs"),
    "metrics": _metrics,
    "undeclared": lambda fields: fields.paths("undeclared"),
    "produced_by": _produced_by,
    "log": lambda fields: fields.optional("log", fields.digest),
    "tolerance": read_tolerances,
    "cause": lambda fields: fields.optional("cause", fields.line),
    "tail": _tail,
    "features": lambda fields: tuple(map(read_feature, fields.each("features"))),
    "undeclared_writes": lambda fields: fields.paths("undeclared_writes"),
    "trace": lambda fields: fields.choice("trace", TRACES) if "trace" in fields else "none",
    "host": lambda fields: fields.optional("host", lambda key: read_host(fields.fields(key, key))),
    "trackers": lambda fields: tuple(map(read_tracker, fields.each("trackers"))),
    "series": lambda fields: fields.optional("series", fields.digest),
    "isolated": lambda fields: fields.flag("isolated"),
}
"""How each field is read, in the order in which what is wrong is said."""
