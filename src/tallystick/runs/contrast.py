"""How two runs differ: in what they came from, where they ran, and what came out."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from tallystick.data.blobs import bring_blobs
from tallystick.data.changes import Changes, changes
from tallystick.digest import Digest
from tallystick.errors import ObjectsError, Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment, tree
from tallystick.records.fields import is_number
from tallystick.records.pointer import SUFFIX
from tallystick.records.provenance import Container
from tallystick.records.receipt import Artifact, Receipt
from tallystick.runs.pipelines import ENVIRONMENT_LOCK, RECEIPTS

Change = Literal["added", "removed", "changed"]

_LETTERS: dict[str, Change] = {"A": "added", "D": "removed"}
_FACTS = (
    "stage",
    "cmd",
    "wdir",
    "seed",
    "status",
    "exit_code",
    "cause",
    "trace",
    "isolated",
    "author",
    "tool",
)
_HARDWARE = ("cpu", "cores", "memory", "gpus", "drivers", "flags")
_HOST = ("system", "kernel", "libc", "container")


@dataclass(frozen=True, slots=True)
class PathDiff:
    """A tracked path that differs; sizes and digests are None where it isn't there."""

    path: str
    state: Change
    old_size: int | None
    new_size: int | None
    old_digest: Digest | None
    new_digest: Digest | None
    changes: Changes | None = None


@dataclass(frozen=True, slots=True)
class ValueDiff:
    """A parameter or metric that differs; None where it isn't there; `difference` of numbers."""

    file: str
    key: str
    old: Any
    new: Any
    difference: float | None


@dataclass(frozen=True, slots=True)
class FileDiff:
    """A file of the code that differs; `added` and `removed` are lines, None for one that isn't text."""

    path: str
    state: Change
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """All that differs between two runs; values that belong to no file have an empty one."""

    facts: tuple[ValueDiff, ...]
    code: tuple[FileDiff, ...]
    deps: tuple[PathDiff, ...]
    features: tuple[ValueDiff, ...]
    params: tuple[ValueDiff, ...]
    variables: tuple[ValueDiff, ...]
    environment: tuple[str, ...]
    settings: tuple[ValueDiff, ...]
    machine: tuple[ValueDiff, ...]
    outs: tuple[PathDiff, ...]
    metrics: tuple[ValueDiff, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs at all."""
        return not any(getattr(self, name) for name in self.__slots__)


def contrast(project: Project, old: Receipt, new: Receipt, notes: list[str]) -> Contrast:
    """Set two receipts side by side; what can't be compared, since nobody has it, becomes a note."""
    return Contrast(
        facts=_plain(_attributes(old, _FACTS), _attributes(new, _FACTS)),
        code=tuple(_code(project, old, new, notes)),
        deps=tuple(_artifacts(project, old.deps, new.deps, notes)),
        features=_plain(_features(old), _features(new)),
        params=tuple(values(_by_key(old.params), _by_key(new.params))),
        variables=_plain(old.variables, new.variables),
        environment=tuple(_environment(project, old, new, notes)),
        settings=_plain(old.environment.settings, new.environment.settings),
        machine=_plain(_machine(old), _machine(new)),
        outs=tuple(_artifacts(project, old.outs, new.outs, notes)),
        metrics=tuple(values(_by_key(old.metrics), _by_key(new.metrics))),
    )


def values(old: Mapping[tuple[str, str], Any], new: Mapping[tuple[str, str], Any]) -> Iterator[ValueDiff]:
    """The values that differ; one that is not there is None."""
    for file, key in sorted(old.keys() | new.keys()):
        before, after = old.get((file, key)), new.get((file, key))
        if before != after or type(before) is not type(after):
            yield ValueDiff(file, key, before, after, _difference(before, after))


def _difference(old: Any, new: Any) -> float | None:
    return new - old if is_number(old) and is_number(new) else None


def _plain(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[ValueDiff, ...]:
    """Values of no file that differ, in the order in which they are given."""
    found = {each.key: each for each in values(_of_no_file(old), _of_no_file(new))}
    return tuple(found[key] for key in dict.fromkeys([*old, *new]) if key in found)


def _of_no_file(flat: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {("", key): value for key, value in flat.items()}


def _by_key(files: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(file, key): value for file, flat in files.items() for key, value in flat.items()}


def _attributes(value: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: _listed(getattr(value, name)) for name in names}


def _listed(value: Any) -> Any:
    """A tuple as words one after the other: a list of flags reads badly."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _features(receipt: Receipt) -> dict[str, str]:
    return {each.view: f"{each.version} {each.digest.short}" for each in receipt.features}


def _machine(receipt: Receipt) -> dict[str, Any]:
    host = {} if receipt.host is None else _attributes(receipt.host, _HOST)
    return {**_attributes(receipt.hardware, _HARDWARE), **host, "platform": receipt.environment.platform}


def _code(project: Project, old: Receipt, new: Receipt, notes: list[str]) -> Iterator[FileDiff]:
    """The files that differ between two snapshots; what runs write, and Tallystick, is no code."""
    trees = old.code.tree, new.code.tree
    if trees[0] == trees[1]:
        return
    try:
        for treeish in trees:
            project.git.tree_of(treeish)
    except Refused as error:
        notes.append(f"the code can't be compared: {error.message}; `tally pull` may bring it")
        return
    written = {path for receipt in (old, new) for path in (*_paths(receipt.outs), *receipt.metrics)}
    words = ("diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv")
    parts = iter(os.fsdecode(project.git.run(*words, *trees).stdout).split("\0"))
    states: dict[str, Change] = {}
    for part in filter(None, parts):
        if part.startswith(":"):
            states[next(parts)] = _LETTERS.get(part[-1], "changed")
            continue
        added, removed, path = part.split("\t", 2)
        if path not in written and not _is_record(path):
            yield FileDiff(path, states.get(path, "changed"), _lines(added), _lines(removed))


def _paths(artifacts: Iterable[Artifact]) -> Iterator[str]:
    return (each.path for each in artifacts)


def _lines(count: str) -> int | None:
    return int(count) if count.isdigit() else None


def _is_record(path: str) -> bool:
    folder, name = posixpath.split(path)
    is_receipt = posixpath.basename(folder) == RECEIPTS and name.endswith(".json")
    return is_receipt or name.endswith(SUFFIX) or name == ENVIRONMENT_LOCK


def _artifacts(
    project: Project, old: Iterable[Artifact], new: Iterable[Artifact], notes: list[str]
) -> Iterator[PathDiff]:
    """The paths whose content differs, and of folders the files in them."""
    before, after = ({each.path: each for each in some} for some in (old, new))
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was is None or now is None or (was.digest, was.executable) != (now.digest, now.executable):
            yield PathDiff(
                path,
                "added" if was is None else "removed" if now is None else "changed",
                None if was is None else was.size,
                None if now is None else now.size,
                None if was is None else was.digest,
                None if now is None else now.digest,
                _changes(project, was, now, notes),
            )


def _changes(
    project: Project, old: Artifact | None, new: Artifact | None, notes: list[str]
) -> Changes | None:
    """The files that differ in a folder that both runs know; None where their lists are nowhere."""
    if old is None or new is None or (old.kind, new.kind) != ("tree", "tree"):
        return None
    try:
        before, after = (tree.parse(_blob(project, each.digest, each.path), each.path) for each in (old, new))
    except (ObjectsError, RemoteUnreachable, Refused) as error:
        notes.append(f"the files of `{old.path}` can't be compared: {error.message}")
        return None
    return changes(before, after)


def _blob(project: Project, digest: Digest, path: str) -> bytes:
    """A small blob, brought from a remote where it isn't here."""
    bring_blobs(project, {digest: path})
    return project.store.read(digest)


def image_text(container: Container | None) -> str:
    """An image for people: as it was written, and which one that was."""
    return "none" if container is None else f"{container.image} {container.config[:19]}"


def _environment(project: Project, old: Receipt, new: Receipt, notes: list[str]) -> Iterator[str]:
    """What differs in Python and packages; only that something does where a lock is nowhere."""
    before, after = old.environment, new.environment
    if image_text(before.container) != image_text(after.container):
        yield f"image {image_text(before.container)} -> {image_text(after.container)}"
    if before.digest == after.digest:
        return
    if before.lock is None or after.lock is None:
        yield f"Python {before.python} -> {after.python}"
        return
    try:
        locks = [
            environment.parse(_blob(project, each, "environment.lock")) for each in (before.lock, after.lock)
        ]
    except (ObjectsError, RemoteUnreachable, Refused) as error:
        notes.append(f"the packages can't be compared: {error.message}")
        yield f"another environment: {before.lock.short} -> {after.lock.short}"
        return
    yield from environment.compare(*locks)
