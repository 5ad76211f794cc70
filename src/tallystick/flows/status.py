"""Say what changed in data and stages, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from importlib import import_module
from typing import Literal

from tallystick.data.changes import Changes, Seen, blobs, see
from tallystick.data.singles import untouched
from tallystick.data.tracked import PATTERN as POINTERS
from tallystick.data.tracked import Malformed, Tracked, blobs_of, found_in, unpointed
from tallystick.errors import ObjectsError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project, open_remote
from tallystick.records.receipt import Artifact
from tallystick.runs.reasons import Outlook, StageStatus
from tallystick.store import RemoteStore

PIPELINES = "*tally.yaml"
OUTLOOK = "tallystick.runs.outlook"
"""What looks at stages: loaded where there are any, as it takes as long as all the rest."""

BATCH = 200_000
"""Blobs that a store is asked for at once."""

PathState = Literal["unchanged", "modified", "missing", "malformed", "untrackable"]


@dataclass(frozen=True, slots=True)
class PathStatus:
    """One tracked path: what it holds as against its pointer, and which of its blobs are in which store."""

    path: str
    state: PathState
    stored: bool = True
    pushed: bool | None = None
    stage: str | None = None
    changes: Changes | None = None
    reason: str | None = None
    hint: str | None = None

    @property
    def clean(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.state == "unchanged" and self.stored and self.pushed is not False


@dataclass(frozen=True, slots=True)
class _Looked:
    """A path, what stands there, and the blobs that its pointer needs, where the list of them is here."""

    found: Tracked | Malformed
    seen: Seen | None
    needed: Set[bytes] | None

    @property
    def sent(self) -> Iterable[bytes]:
        """What a remote should have of it; of an unknown list of files, at least the list."""
        if self.needed is not None or isinstance(self.found, Malformed):
            return self.needed or ()
        return (self.found.pointer.digest,)


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that is tracked or made; `clean` if there is nothing to add, push, run or repair.

    `untracked` is what git doesn't see because tracked paths of its kind are hidden, and nothing else tracks.
    `drift` is where the project's own lock files say otherwise than what is installed.
    """

    paths: tuple[PathStatus, ...]
    stages: tuple[StageStatus, ...]
    remote: str | None
    clean: bool
    untracked: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


def status(
    project: Project,
    targets: Sequence[str] = (),
    *,
    variables: Mapping[str, str],
    remote: str | None = None,
    progress: Progress = silent,
) -> Status:
    """Compare tracked paths with their pointers, pointers with the stores, and stages with their receipts.

    The remote is asked only if one is named. `variables` are those in which stages would run.
    """
    store = open_remote(project, remote) if remote is not None else None
    artifacts: dict[str, Artifact] = {}
    # Git looks through the whole worktree for either, so both are asked for at once; a target is looked up.
    listed = None if targets else project.git.list_files([POINTERS, PIPELINES])
    found = found_in(project, targets, listed)
    paths = tuple(_paths(project, found, store, artifacts, progress))
    # Beside a path that was named nothing else is meant.
    untracked = tuple(unpointed(project, (one for one in found if one.path not in targets)))
    looked = _outlook(project, targets, variables, artifacts, listed)
    clean = all(path.clean for path in paths) and not any(stage.reasons for stage in looked.stages)
    clean = clean and not untracked
    name = None if store is None else store.name
    return Status(paths, looked.stages, name, clean, untracked, looked.drift)


def _outlook(
    project: Project,
    targets: Sequence[str],
    variables: Mapping[str, str],
    artifacts: Mapping[str, Artifact],
    listed: Iterable[str] | None,
) -> Outlook:
    """What there is to say of stages: nothing where there are none, and no run has left anything."""
    pipelines = project.git.list_files([PIPELINES]) if listed is None else listed
    pipelines = [path for path in pipelines if path.endswith(PIPELINES[1:])]
    if not pipelines and not (project.home / "running").is_dir():
        return Outlook()
    found: Outlook = import_module(OUTLOOK).outlook(project, targets, variables, artifacts, pipelines)
    return found


def _paths(
    project: Project,
    found: Sequence[Tracked | Malformed],
    store: RemoteStore | None,
    artifacts: dict[str, Artifact],
    progress: Progress,
) -> Iterator[PathStatus]:
    """Look at paths; what they hold is noted in `artifacts`, so that stages need not look again.

    A store is asked for the blobs of many small paths at once: each of its indexes has to be searched.
    """
    looked: list[_Looked] = []
    size = 0
    tracked = [one for one in found if isinstance(one, Tracked)]
    files = untouched(project, [one.path for one in tracked if one.pointer.kind == "file"])
    for one in found:
        seen = None if isinstance(one, Malformed) else see(project, one, progress, files.get(one.path))
        if seen is not None and seen.held is not None:
            artifacts[one.path] = seen.held.artifact
        looked.append(_Looked(one, seen, _needed(project, one, seen)))
        size += len(looked[-1].needed or ())
        if size >= BATCH:
            yield from _told(project, looked, store)
            looked, size = [], 0
    yield from _told(project, looked, store)


def _told(project: Project, looked: Sequence[_Looked], store: RemoteStore | None) -> Iterator[PathStatus]:
    """What is to say of paths, now that their blobs are known."""
    lacking = project.store.missing(_union(one.needed for one in looked))
    unsent = set() if store is None else store.missing(_union(one.sent for one in looked))
    for one in looked:
        found, seen = one.found, one.seen
        if isinstance(found, Malformed) or seen is None:
            assert isinstance(found, Malformed)
            yield PathStatus(found.path, "malformed", reason=found.error.message, hint=found.error.hint)
            continue
        yield PathStatus(
            path=found.path,
            state=seen.state,
            stored=one.needed is not None and lacking.isdisjoint(one.needed),
            pushed=None if store is None else unsent.isdisjoint(one.sent),
            stage=found.pointer.stage,
            changes=seen.changes,
            reason=seen.reason,
        )


def _union(sets: Iterable[Iterable[bytes] | None]) -> set[bytes]:
    every = [digests for digests in sets if digests]
    # Mostly there is one large folder, and a copy would take a while.
    return every[0] if len(every) == 1 and isinstance(every[0], set) else set().union(*every)


def _needed(project: Project, tracked: Tracked | Malformed, seen: Seen | None) -> Set[bytes] | None:
    """The blobs of a pointer; None where the list of files isn't in the local store."""
    if isinstance(tracked, Malformed) or seen is None:
        return None
    if seen.state == "unchanged" and seen.held is not None:
        return blobs(seen.held)
    try:
        return blobs_of(project, tracked)
    except ObjectsError:
        return None
