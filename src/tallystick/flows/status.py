"""Say what changed in data and stages, and why."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from tallystick.data.changes import Changes, Seen, blobs, see
from tallystick.data.tracked import PATTERN as POINTERS
from tallystick.data.tracked import Malformed, Tracked, blobs_of, found_in, unpointed
from tallystick.digest import Digest
from tallystick.errors import ObjectsError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project, open_remote
from tallystick.records.receipt import Artifact
from tallystick.runs.inputs import Surroundings
from tallystick.runs.pipelines import PATTERN as PIPELINES
from tallystick.runs.pipelines import Graph, load
from tallystick.runs.staleness import Reason, stale_stages
from tallystick.store import RemoteStore

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
class StageStatus:
    """One stage, and why it is out of date; nothing when it isn't."""

    stage: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that is tracked or made; `clean` if there is nothing to add, push, run or repair.

    `untracked` is what git doesn't see because tracked paths of its kind are hidden, and nothing else tracks.
    """

    paths: tuple[PathStatus, ...]
    stages: tuple[StageStatus, ...]
    remote: str | None
    clean: bool
    untracked: tuple[str, ...] = ()


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
    paths = tuple(_path(project, one, store, artifacts, progress) for one in found)
    # Beside a path that was named nothing else is meant.
    untracked = tuple(unpointed(project, (one for one in found if one.path not in targets)))
    stages = tuple(_stages(project, load(project, listed=listed), targets, variables, artifacts))
    clean = all(path.clean for path in paths) and not any(stage.reasons for stage in stages)
    clean = clean and not untracked
    return Status(paths, stages, None if store is None else store.name, clean, untracked)


def _path(
    project: Project,
    found: Tracked | Malformed,
    store: RemoteStore | None,
    artifacts: dict[str, Artifact],
    progress: Progress,
) -> PathStatus:
    """Look at one path; what it holds is noted in `artifacts`, so that stages need not look again."""
    if isinstance(found, Malformed):
        return PathStatus(found.path, "malformed", reason=found.error.message, hint=found.error.hint)
    seen = see(project, found, progress)
    if seen.held is not None:
        artifacts[found.path] = seen.held.artifact
    needed = _needed(project, found, seen)
    return PathStatus(
        path=found.path,
        state=seen.state,
        stored=needed is not None and not project.store.missing(needed),
        pushed=None if store is None else _pushed(found, needed, store),
        stage=found.pointer.stage,
        changes=seen.changes,
        reason=seen.reason,
    )


def _needed(project: Project, tracked: Tracked, seen: Seen) -> set[Digest] | None:
    """The blobs of a pointer; None where the list of files isn't in the local store."""
    if seen.state == "unchanged" and seen.held is not None:
        return blobs(seen.held)
    try:
        return blobs_of(project, tracked)
    except ObjectsError:
        return None


def _pushed(tracked: Tracked, needed: set[Digest] | None, store: RemoteStore) -> bool:
    """Whether the remote has all of a path; of an unknown list of files, at least the list."""
    return not store.missing(needed if needed is not None else {tracked.pointer.digest})


def _stages(
    project: Project,
    graph: Graph,
    targets: Sequence[str],
    variables: Mapping[str, str],
    seen: Mapping[str, Artifact],
) -> Iterable[StageStatus]:
    """The stages that targets concern: by what they make, or all without targets."""
    stale = stale_stages(project, graph, Surroundings(variables, seen=seen))
    meant = set(graph.steps) if not targets else {found for path in targets if (found := graph.maker(path))}
    return [StageStatus(address, reasons) for address, reasons in stale.items() if address in meant]
