"""A state of the project, as a commit holds it or the worktree does now: data, params, metrics, locks."""

from collections.abc import Iterable, Mapping
from typing import Any

from tallystick.data.hashing import Held, look
from tallystick.data.tracked import Tracked, tracked_at, tracked_in_worktree
from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records import metrics as metrics_record
from tallystick.records import params as params_record
from tallystick.records.environment import Lock
from tallystick.records.values import flatten
from tallystick.runs.contrast import image_text
from tallystick.runs.pipelines import Graph, Step, load, load_at, read_file
from tallystick.runs.receipts import Recorded, recorded, recorded_at

Values = Mapping[tuple[str, str], Any]
"""Values by file and dotted key."""


@dataclass(frozen=True, slots=True)
class Version:
    """A tracked path in one state; `held` where it was looked at rather than read from its pointer."""

    tracked: Tracked
    held: Held | None = None

    @property
    def identity(self) -> tuple[str, Digest, bool]:
        """What two equal versions share."""
        pointer = self.tracked.pointer
        if self.held is None:
            return pointer.kind, pointer.digest, pointer.executable
        return self.held.kind, self.held.digest, self.held.executable

    @property
    def digest(self) -> Digest:
        """The digest of its content."""
        return self.identity[1]

    @property
    def size(self) -> int:
        """The bytes of all its files."""
        return self.tracked.pointer.size if self.held is None else self.held.size


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a comparison looks at."""

    data: Mapping[str, Version]
    params: Values
    metrics: Values
    locks: Mapping[str, Lock]
    images: Mapping[str, str]
    receipts: tuple[Recorded, ...] = ()


def state_now(project: Project, progress: Progress = silent) -> State:
    """The worktree's state; data that isn't placed counts as its pointer says."""
    graph = load(project)
    receipts = tuple(one for step in graph.steps.values() if (one := recorded(project, step)) is not None)
    texts = {path: read_file(project, path) for path in _files(graph)}
    return State(
        data={
            one.path: Version(one, look(project, one.path, progress)) for one in tracked_in_worktree(project)
        },
        params=_params(graph, texts),
        metrics=_metrics((*(one.receipt.metrics for one in receipts), _beside(graph, texts))),
        locks=_locks(graph, texts),
        images=_images(receipts),
        receipts=receipts,
    )


def state_at(project: Project, commit: str) -> State:
    """The state that a commit holds."""
    graph = load_at(project, commit)
    texts = project.git.read_at(commit, sorted(_files(graph)))
    receipts = tuple(recorded_at(project, commit, graph).values())
    return State(
        data={one.path: Version(one) for one in tracked_at(project, commit)},
        params=_params(graph, texts),
        metrics=_metrics((*(one.receipt.metrics for one in receipts), _beside(graph, texts))),
        locks=_locks(graph, texts),
        images=_images(receipts),
        receipts=receipts,
    )


def _files(graph: Graph) -> set[str]:
    """The small files that pipelines name: parameters, metrics beside those of stages, and locks."""
    params = {part.path for step in graph.steps.values() for part in step.params}
    return {*params, *graph.params, *graph.metrics, *(step.lock_path for step in graph.steps.values())}


def _params(graph: Graph, texts: Mapping[str, bytes | None]) -> Values:
    """The parameters that stages and pipelines name, as far as they are there."""
    found: dict[tuple[str, str], Any] = {}
    for path, keys in {**_wanted(graph.steps.values()), **{path: {""} for path in graph.params}}.items():
        text = texts.get(path)
        values = {} if text is None else flatten(params_record.read(text, path), path)
        found.update(((path, key), value) for key, value in values.items() if _is_meant(key, keys))
    return found


def _wanted(steps: Iterable[Step]) -> dict[str, set[str]]:
    """The keys that stages read, by file; the empty key means all."""
    wanted: dict[str, set[str]] = {}
    for step in steps:
        for part in step.params:
            wanted.setdefault(part.path, set()).update(part.keys or ("",))
    return wanted


def _is_meant(key: str, keys: set[str]) -> bool:
    return any(not wanted or key == wanted or key.startswith(wanted + ".") for wanted in keys)


def _metrics(receipts: Iterable[Mapping[str, Mapping[str, Any]]]) -> Values:
    """The metrics that receipts hold."""
    return {
        (path, key): value
        for metrics in receipts
        for path, values in metrics.items()
        for key, value in values.items()
    }


def _beside(graph: Graph, texts: Mapping[str, bytes | None]) -> dict[str, Mapping[str, float]]:
    """The metrics in files that no stage makes: somebody else writes them, and git keeps them."""
    found = ((path, texts.get(path)) for path in graph.metrics)
    return {path: metrics_record.read(text, path) for path, text in found if text is not None}


def _images(receipts: Iterable[Recorded]) -> dict[str, str]:
    """The images that stages ran in, by the receipts that say so."""
    found = ((one.step.receipt_path, one.receipt.environment.container) for one in receipts)
    return {path: image_text(container) for path, container in found if container is not None}


def _locks(graph: Graph, texts: Mapping[str, bytes | None]) -> dict[str, Lock]:
    paths = {step.lock_path for step in graph.steps.values()}
    found = ((path, texts.get(path)) for path in sorted(paths))
    return {path: environments.parse(text, path) for path, text in found if text is not None}
