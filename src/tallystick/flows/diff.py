"""Compare two states side by side: data, params, metrics, environment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from tallystick.data.blobs import bring_lists
from tallystick.data.changes import Changes, changes
from tallystick.data.tracked import Selected, entries_of
from tallystick.digest import Digest
from tallystick.errors import ObjectsError, Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records.environment import Lock, compare
from tallystick.records.tree import Entry
from tallystick.runs.states import State, Values, Version, state_at, state_now

WORKTREE = "worktree"


@dataclass(frozen=True, slots=True)
class PathDiff:
    """A tracked path that differs; sizes and digests are None where it isn't there."""

    path: str
    state: Literal["added", "removed", "changed"]
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
class EnvironmentDiff:
    """What differs between two environments that one lock recorded."""

    lock: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that differs between two states."""

    old: str
    new: str
    data: tuple[PathDiff, ...]
    params: tuple[ValueDiff, ...]
    metrics: tuple[ValueDiff, ...]
    environment: tuple[EnvironmentDiff, ...]
    notes: tuple[str, ...]
    same: bool


def diff(
    project: Project,
    old: str | None = None,
    new: str | None = None,
    targets: Sequence[str] = (),
    *,
    progress: Progress = silent,
) -> Diff:
    """Compare a commit (HEAD without one) with another, or with the worktree as it is now.

    With targets only the data there is compared. Lists of files that aren't here are fetched if they can be.
    """
    first = project.git.resolve(old if old is not None else "HEAD")
    second = None if new is None else project.git.resolve(new)
    before = state_at(project, first)
    after = state_now(project, progress) if second is None else state_at(project, second)
    notes: list[str] = []
    data = tuple(_data(project, before, after, targets, notes))
    whole = not targets
    params = tuple(_values(before.params, after.params)) if whole else ()
    metrics = tuple(_values(before.metrics, after.metrics)) if whole else ()
    environment = tuple(_environment(before.locks, after.locks)) if whole else ()
    same = not (data or params or metrics or environment)
    return Diff(first, second or WORKTREE, data, params, metrics, environment, tuple(notes), same)


def _data(
    project: Project, before: State, after: State, targets: Sequence[str], notes: list[str]
) -> Iterator[PathDiff]:
    """The tracked paths that differ."""
    for path in sorted(before.data.keys() | after.data.keys()):
        old, new = before.data.get(path), after.data.get(path)
        if _is_meant(path, targets) and not (old and new and old.identity == new.identity):
            yield _path(project, path, old, new, notes)


def _is_meant(path: str, targets: Sequence[str]) -> bool:
    """Whether a path is a target, lies in one, or holds one."""
    return not targets or any(
        target == "." or path == target or path.startswith(target + "/") or target.startswith(path + "/")
        for target in targets
    )


def _path(
    project: Project, path: str, old: Version | None, new: Version | None, notes: list[str]
) -> PathDiff:
    """How one path differs, and in which files."""
    try:
        found = changes(_entries(project, old), _entries(project, new)) if _is_folder(old, new) else None
    except (ObjectsError, RemoteUnreachable, Refused) as error:
        found = None
        notes.append(f"the files of `{path}` can't be compared: {error.message}")
    return PathDiff(
        path=path,
        state="added" if old is None else "removed" if new is None else "changed",
        old_size=None if old is None else old.size,
        new_size=None if new is None else new.size,
        old_digest=None if old is None else old.digest,
        new_digest=None if new is None else new.digest,
        changes=found,
    )


def _is_folder(*versions: Version | None) -> bool:
    return all(version is None or version.identity[0] == "tree" for version in versions)


def _entries(project: Project, version: Version | None) -> Iterable[Entry]:
    """The files of a version, none of an absent one; raise ObjectMissing if nobody has their list."""
    if version is None:
        return ()
    if version.held is not None:
        return version.held.entries
    bring_lists(project, [Selected(version.tracked)])
    return entries_of(project, version.tracked)


def _values(old: Values, new: Values) -> Iterator[ValueDiff]:
    """The values that differ; one that is not there is None."""
    for file, key in sorted(old.keys() | new.keys()):
        before, after = old.get((file, key)), new.get((file, key))
        if before != after or type(before) is not type(after):
            yield ValueDiff(file, key, before, after, _difference(before, after))


def _difference(old: Any, new: Any) -> float | None:
    numbers = [
        value for value in (old, new) if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return numbers[1] - numbers[0] if len(numbers) == 2 else None


def _environment(old: Mapping[str, Lock], new: Mapping[str, Lock]) -> Iterator[EnvironmentDiff]:
    """The locks that differ, and in what."""
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before is None and after is not None:
            found: tuple[str, ...] = (f"recorded: Python {after.python} and {len(after.packages)} packages",)
        elif after is None:
            found = ("no longer recorded",)
        else:
            assert before is not None
            found = compare(before, after)
        if found:
            yield EnvironmentDiff(path, found)
