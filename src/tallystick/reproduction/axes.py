"""What a result can come from, one axis at a time: in which of them two runs of a stage differ."""

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tallystick.data.tracked import CommittedPointers, owner_of
from tallystick.envs.settings import VARIABLES
from tallystick.errors import BadRecord, ObjectsError, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.verdict import AxisName
from tallystick.reproduction.isolation import lock_of
from tallystick.reproduction.past import Past, command_of
from tallystick.reproduction.preflight import machines_apart
from tallystick.reproduction.switches import HASH_SEED, exchanged, switches_apart
from tallystick.runs.contrast import image_text
from tallystick.runs.receipts import Recorded

SHOWN = 5
"""How many changes of one axis are told."""

LONGEST = 60

_DATA = frozenset((
    ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".orc", ".npy", ".npz", ".h5",
    ".hdf5", ".pkl", ".joblib", ".safetensors", ".xml", ".gz", ".zip", ".xz", ".bz2", ".zst", ".txt", ".png",
    ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".wav", ".flac", ".mp3", ".mp4", ".db", ".sqlite",
))  # fmt: skip
"""What a dep that lies in git is called where it is no code."""

_BOOKS = frozenset((".tallyconfig", ".gitignore", ".gitattributes", "tally.yaml"))
_RECORDS = (".tally", ".lock", ".vault")
_PROSE = (".md", ".rst")


@dataclass(frozen=True, slots=True)
class Side:
    """One of two runs: what it is called, and its past with one stage; `present` is what stands here now."""

    name: str
    past: Past
    recorded: Recorded
    present: bool = False

    @property
    def receipt(self) -> Receipt:
        """What the stage came from."""
        return self.recorded.receipt


@dataclass(frozen=True, slots=True)
class Difference:
    """An axis in which two runs differ, and how."""

    axis: AxisName
    detail: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A run, and another whose axes are put into its place; `pointers` are those of both."""

    project: Project
    base: Side
    other: Side
    pointers: tuple[CommittedPointers, ...]

    @classmethod
    def of(cls, project: Project, base: Side, other: Side) -> "Pair":
        """Put two runs beside each other."""
        trees = dict.fromkeys(side.past.treeish for side in (base, other))
        return cls(project, base, other, tuple(CommittedPointers(project, tree) for tree in trees))

    @property
    def templated(self) -> bool:
        """Whether the commands differ only by what was put into the same template."""
        if self.base.receipt.cmd == self.other.receipt.cmd:
            return False
        source = self.base.recorded.step.source
        texts = [self._text(side, source) for side in (self.base, self.other)]
        return texts[0] is not None and texts[0] == texts[1]

    def _text(self, side: Side, path: str) -> bytes | None:
        return self.project.git.read_at(side.past.treeish, [path]).get(path)

    def is_data(self, path: str) -> bool:
        """Whether a dep is data: tracked, made by a stage, or called like data."""
        if any(side.past.graph.maker(path) for side in (self.base, self.other)):
            return True
        tracked = any(_is_tracked(pointers, path) for pointers in self.pointers)
        return tracked or posixpath.splitext(path)[1].lower() in _DATA


def _is_tracked(pointers: CommittedPointers, path: str) -> bool:
    found = pointers.at(path) or owner_of(pointers, path) or next(iter(pointers.below(path)), None)
    return found is not None


def differences(pair: Pair) -> Iterator[Difference]:
    """The axes in which two runs differ; the cheapest to swap come first."""
    for axis, details in (
        ("params", _params(pair)),
        ("seed", _values("seed", pair.base.receipt.seed, pair.other.receipt.seed)),
        ("data", _deps(pair, data=True)),
        ("code", _code(pair)),
        ("environment", _environment(pair)),
        ("machine", _switches(pair)),
    ):
        found = list(details)
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            yield Difference(axis, ", ".join(found[:SHOWN]) + more)  # type: ignore[arg-type]


def machines(pair: Pair) -> str:
    """In what the machines of two runs differ; empty if in nothing that results depend on."""
    old, new = pair.base.receipt, pair.other.receipt
    return "; ".join(machines_apart((old.hardware, old.host), (new.hardware, new.host)))


def swapped(pair: Pair, axis: AxisName | None) -> Receipt:
    """The receipt of the run with one axis from the other: what a repetition is then made from."""
    base, other = pair.base.receipt, pair.other.receipt
    where = pair.base.past if axis == "code" else pair.other.past
    mixed = replace(base, code=replace(base.code, tree=where.treeish)) if axis else base
    if axis == "params":
        return replace(mixed, params=other.params, cmd=other.cmd if pair.templated else base.cmd)
    if axis == "seed":
        return replace(_with_switches(mixed, other, {HASH_SEED}), seed=other.seed)
    if axis == "environment":
        found = replace(mixed, environment=other.environment, variables=other.variables)
        return _with_switches(found, base, VARIABLES)
    if axis == "machine":
        return _with_switches(mixed, other, {name for name, _, _ in switches_apart(base, other)})
    if axis == "data":
        return replace(mixed, deps=_mixed_deps(pair, data=pair.other, code=pair.base))
    if axis == "code":
        cmd = base.cmd if pair.templated else other.cmd
        deps = _mixed_deps(pair, data=pair.base, code=pair.other)
        return replace(mixed, deps=deps, cmd=cmd, wdir=other.wdir)
    return mixed


def _with_switches(receipt: Receipt, source: Receipt, names: Collection[str]) -> Receipt:
    settings = exchanged(receipt.environment.settings, source.environment.settings, names)
    return replace(receipt, environment=replace(receipt.environment, settings=settings))


def edits(pair: Pair, axis: AxisName | None) -> dict[str, bytes]:
    """The parameter files that have to be those of the run whose code is not checked out."""
    if axis not in ("params", "code") or not any(_params(pair)):
        return {}
    side = pair.other if axis == "params" else pair.base
    files = sorted(pair.base.receipt.params.keys() | pair.other.receipt.params.keys())
    return dict(pair.project.git.read_at(side.past.treeish, files))


def _mixed_deps(pair: Pair, *, data: Side, code: Side) -> tuple[Artifact, ...]:
    files = pair.base.receipt.params.keys() | pair.other.receipt.params.keys()
    kept = [dep for dep in data.receipt.deps if pair.is_data(dep.path)]
    kept += [dep for dep in code.receipt.deps if not pair.is_data(dep.path) and dep.path not in files]
    return tuple(kept)


def _params(pair: Pair) -> Iterator[str]:
    old, new = pair.base.receipt.params, pair.other.receipt.params
    for file in dict.fromkeys((*old, *new)):
        prefix = "" if file == "params.yaml" else f"{file}:"
        yield from _mappings(prefix, old.get(file, {}), new.get(file, {}))
    if pair.templated:
        yield f"the command: {command_of(pair.base.recorded)} -> {command_of(pair.other.recorded)}"


def _mappings(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        yield from _values(f"{prefix}{key}", old.get(key), new.get(key))


def _values(name: str, old: Any, new: Any) -> Iterator[str]:
    if old != new or type(old) is not type(new):
        yield f"{name}: {_text(old)} -> {_text(new)}"


def _text(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _deps(pair: Pair, *, data: bool) -> Iterator[str]:
    old, new = (_by_path(side.receipt.deps) for side in (pair.base, pair.other))
    files = pair.base.receipt.params.keys() | pair.other.receipt.params.keys()
    for path in dict.fromkeys((*old, *new)):
        if old.get(path) != new.get(path) and pair.is_data(path) == data and path not in files:
            maker = pair.base.past.graph.maker(path)
            yield path if maker is None else f"{path} (made by `{maker}`)"


def _by_path(artifacts: Sequence[Artifact]) -> dict[str, Artifact]:
    return {artifact.path: artifact for artifact in artifacts}


def _code(pair: Pair) -> Iterator[str]:
    """The command, declared files, then all else in git that could have been imported."""
    base, other = pair.base, pair.other
    if base.receipt.cmd != other.receipt.cmd and not pair.templated:
        yield f"the command: {_text(command_of(base.recorded))} -> {_text(command_of(other.recorded))}"
    yield from _values("wdir", base.receipt.wdir, other.receipt.wdir)
    declared = list(_deps(pair, data=False))
    yield from declared
    yield from (path for path in _files_apart(pair) if path not in declared)


def _files_apart(pair: Pair) -> Iterator[str]:
    """The files that two trees hold otherwise, but for data, parameters, results and records of ours."""
    base, other = pair.base, pair.other
    if base.past.treeish == other.past.treeish:
        return
    git = pair.project.git
    old, new = ({each.path: each for each in git.list_tree(side.past.treeish)} for side in (base, other))
    known = {dep.path for side in (base, other) for dep in side.receipt.deps}
    params = base.receipt.params.keys() | other.receipt.params.keys()
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path) or path in known or path in params or _is_book(path):
            continue
        if not any(side.past.graph.maker(path) for side in (base, other)) and not pair.is_data(path):
            yield path


def _is_book(path: str) -> bool:
    name = posixpath.basename(path)
    kept = posixpath.basename(posixpath.dirname(path)) == "receipts" and name.endswith(".json")
    return kept or name in _BOOKS or name.endswith((*_RECORDS, *_PROSE))


def _environment(pair: Pair) -> Iterator[str]:
    old, new = pair.base.receipt, pair.other.receipt
    if old.environment.container or new.environment.container:
        names = (image_text(each.environment.container) for each in (old, new))
        yield from _values("image", *names)
    elif old.environment.lock != new.environment.lock:
        yield from _packages(pair)
    yield from _mappings("", old.variables, new.variables)


def _switches(pair: Pair) -> Iterator[str]:
    """What of a machine can be swapped: how its libraries were told to compute."""
    for name, old, new in switches_apart(pair.base.receipt, pair.other.receipt):
        yield from _values(name, old, new)


def _packages(pair: Pair) -> Iterator[str]:
    names = [side.receipt.environment.lock for side in (pair.base, pair.other)]
    if None in names:
        yield "no Python -> a Python" if names[0] is None else "a Python -> no Python"
        return
    try:
        old, new = (lock_of(pair.project, name) for name in names if name is not None)
    except (BadRecord, ObjectsError, RemoteUnreachable):
        yield "other packages"
    else:
        yield from environments.compare(old, new) or ("other packages",)
