"""Compare two states, or two runs, side by side: code, data, params, metrics, environment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tallystick.data.blobs import bring_lists
from tallystick.data.changes import changes
from tallystick.data.tracked import Selected, entries_of
from tallystick.digest import Digest
from tallystick.errors import ObjectsError, Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records.environment import Lock, compare
from tallystick.records.receipt import Receipt
from tallystick.records.tree import Entry
from tallystick.runs import ledger
from tallystick.runs.contrast import Contrast, PathDiff, ValueDiff, contrast, values
from tallystick.runs.edited import told_of_edited
from tallystick.runs.pipelines import load, load_at
from tallystick.runs.receipts import Recorded, recorded, recorded_at
from tallystick.runs.states import State, Version, state_at, state_now

WORKTREE = "worktree"


@dataclass(frozen=True, slots=True)
class EnvironmentDiff:
    """What differs between two environments that one lock, or one receipt of a container, recorded."""

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


@dataclass(frozen=True, slots=True)
class Side:
    """One of two runs: where it was found, and how it can be told from others."""

    run: Digest
    place: str
    stage: str
    started: str
    status: str
    seconds: float
    commit: str | None
    dirty: bool


@dataclass(frozen=True, slots=True)
class RunsDiff:
    """Everything that differs between two runs."""

    old: Side
    new: Side
    differs: Contrast
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
    notes = list(told_of_edited(project, before.receipts, f"commit {first[:10]}"))
    notes += told_of_edited(
        project, after.receipts, "the worktree" if second is None else f"commit {second[:10]}"
    )
    data = tuple(_data(project, before, after, targets, notes))
    whole = not targets
    params = tuple(values(before.params, after.params)) if whole else ()
    metrics = tuple(values(before.metrics, after.metrics)) if whole else ()
    apart = (*_environment(before.locks, after.locks), *_images(before.images, after.images))
    environment = apart if whole else ()
    same = not (data or params or metrics or environment)
    return Diff(first, second or WORKTREE, data, params, metrics, environment, tuple(notes), same)


def diff_runs(project: Project, old: str, new: str | None = None) -> RunsDiff:
    """Compare two runs, each given by (the beginning of) its id; one of them may be a commit.

    A commit, or without `new` the worktree, stands for its receipt of the stage that the other run is of.
    Raises Refused where there is none.
    """
    given = [word if word is not None and is_run(project, word) else None for word in (old, new)]
    found = [None if word is None else ledger.find(project, word) for word in given]
    stage = next((run.receipt.stage for run in found if run is not None), None)
    if stage is None:
        raise Refused(f"`{old}` is no run", hint="see `tally log`")
    sides: list[tuple[Side, Receipt]] = []
    notes: list[str] = []
    for word, run in zip((old, new), found, strict=True):
        if run is not None:
            sides.append((_side(run.id, run.receipt, "ledger"), run.receipt))
        else:
            place, one = _committed(project, stage, word)
            notes += told_of_edited(project, [one])
            sides.append((_side(one.id, one.receipt, place), one.receipt))
    (first, before), (second, after) = sides
    differs = contrast(project, before, after, notes)
    if before.stage != after.stage:
        notes.insert(0, f"these are runs of different stages: `{before.stage}` and `{after.stage}`")
    return RunsDiff(first, second, differs, tuple(notes), differs.same)


def is_run(project: Project, word: str) -> bool:
    """Whether a word is (the beginning of) the id of runs in the ledger."""
    return ledger.seems_run(word) and ledger.knows(project, word)


def _committed(project: Project, stage: str, commit: str | None) -> tuple[str, Recorded]:
    """The receipt of a stage that a commit holds, or the worktree, and which of these it was."""
    if commit is None:
        place, graph = WORKTREE, load(project)
        step = graph.steps.get(stage)
        found = None if step is None else recorded(project, step)
    else:
        place = project.git.resolve(commit)
        found = recorded_at(project, place, load_at(project, place)).get(stage)
    if found is None:
        where = "the worktree" if commit is None else f"commit `{commit}`"
        raise Refused(f"{where} holds no receipt of stage `{stage}`", hint="see `tally log` for its runs")
    return place, found


def _side(run: Digest, receipt: Receipt, place: str) -> Side:
    code = receipt.code
    facts = (receipt.stage, receipt.started, receipt.status, receipt.seconds, code.commit, code.dirty)
    return Side(run, place, *facts)


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


def _images(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[EnvironmentDiff]:
    """The receipts that record another image."""
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path, "none"), new.get(path, "none")
        if before != after:
            yield EnvironmentDiff(path, (f"image {before} -> {after}",))
