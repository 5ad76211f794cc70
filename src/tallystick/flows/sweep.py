"""Run stages at every point of a grid of parameters, each in isolation, several at once."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import field
from threading import Event, Lock
from typing import Any

from tallystick.digest import Digest
from tallystick.engines import local
from tallystick.engines.cluster import Task, open_cluster
from tallystick.errors import CommandFailed, Refused, RemoteUnreachable, TallyError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, Silent, Spoken, silent
from tallystick.project import Project, with_own_doors
from tallystick.project.trust import require_grant
from tallystick.records.stage import PARAMS
from tallystick.reproduction.apart import State, state_of
from tallystick.reproduction.points import STANDING, Plan, attend_point
from tallystick.reproduction.sending import received, shipped, task_of
from tallystick.reproduction.worker import work
from tallystick.runs import grid
from tallystick.runs.accounts import refuse_new_secrets
from tallystick.runs.attending import Attendance, Orders, StageRun
from tallystick.runs.editing import with_params
from tallystick.runs.grid import Point
from tallystick.runs.inputs import Surroundings
from tallystick.runs.interrupted import write_down
from tallystick.runs.naming import METRICS, flat
from tallystick.runs.pipelines import load
from tallystick.runs.scheduling import Prefixed
from tallystick.runs.selection import chosen


@dataclass(frozen=True, slots=True)
class PointRun:
    """What became of one point: `succeeded`, `reused`, `failed` or `would run`.

    `params` are all that the sweep sets, `run` is that of its last stage. `metrics` are named `key`, or
    `file:key` outside of `metrics.json`; `seconds` is how long its stages took when they ran.
    """

    point: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    run: Digest | None = None
    seconds: float | None = None
    stages: tuple[StageRun, ...] = ()
    complaint: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """All points, and the names of the parameters and metrics that tell them apart.

    `exit_code` is not 0 when some failed.
    """

    points: tuple[PointRun, ...]
    params: tuple[str, ...]
    metrics: tuple[str, ...]
    dry_run: bool
    notes: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What is swept: settings like `lr=0.1,0.01`, for which stages, how many at once, on which cluster.

    `sort` names a metric or parameter by which the points are told, with `-` before it the largest first.
    """

    settings: tuple[str, ...]
    targets: tuple[str, ...] = ()
    folder: str = ""
    jobs: int = 1
    reuse: bool = True
    dry_run: bool = False
    on: str | None = None
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """Everything that the points need."""

    project: Project
    request: Request
    plans: Sequence[Plan]
    state: State
    variables: Mapping[str, str]
    output: Callable[[bytes], None]
    progress: Progress
    lock: Lock


def sweep(
    project: Project,
    request: Request,
    *,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    progress: Progress = silent,
) -> Swept:
    """Run the stages at every point of the grid; the user's worktree stays as it is.

    A point that fails doesn't stop the others. Raises NotTrusted before anything runs, and RemoteUnreachable
    when a cluster is gone; what was done until then is in the ledger.
    """
    points = grid.parse(request.settings)
    plans = _plans(project, request, points)
    notes = tuple(_unread(points, plans))
    if request.dry_run:
        return _swept(request, points, [_planned(plan) for plan in plans], notes)
    refuse_new_secrets("", [text for plan in plans for text in plan.point.overrides], variables)
    require_grant(project, [step.command for plan in plans for step in plan.steps])
    write_down(project)
    state, lock = state_of(project, (), {}, whole=request.on is not None), Lock()
    call = _Call(project, request, plans, state, variables, output, Spoken(progress, lock), lock)
    done: dict[int, PointRun] = {}
    with closing(_here(call) if request.on is None else _there(call, request.on)) as results:
        for number, result in results:
            done[number] = result
            call.progress.say(f"[{len(done)}/{len(plans)}] {result.point}: {_sentence(result)}")
    return _swept(request, points, [done[number] for number in sorted(done)], notes)


def _plans(project: Project, request: Request, points: grid.Grid) -> tuple[Plan, ...]:
    """Each point with what it changes; a setting that means nothing is refused before anything runs."""
    plans = []
    for point in points.points():
        edits = with_params(project, request.folder, point.overrides)
        graph = load(project, edits)
        plans.append(Plan(point, edits, graph, chosen(graph, request.targets, request.folder)))
    if not plans[0].steps:
        raise Refused("there is no stage to run", hint="write a `tally.yaml`, or see `tally run --help`")
    return tuple(plans)


def _unread(points: grid.Grid, plans: Sequence[Plan]) -> Iterator[str]:
    """A remark on each parameter that no stage is known to depend on: all its points would be one run."""
    first, last = plans[0], plans[-1]
    if [step.stage for step in first.steps] != [step.stage for step in last.steps]:
        return
    steps = [step for plan in (first, last) for step in plan.steps]
    for axis in points.axes:
        key, file = axis.key.rpartition(":")[2], _changed_file(axis.key, first)
        read = (part for step in steps for part in step.params if part.path == file)
        declared = any(not part.keys or any(_touches(key, name) for name in part.keys) for part in read)
        if not declared and not any(file in step.deps for step in steps):
            yield f"no stage names `{axis.key}` among its `params`: its values may make no difference"


def _changed_file(key: str, plan: Plan) -> str:
    """The file that a key stands in, as the project names it."""
    name = key.rpartition(":")[0] or PARAMS
    return next((path for path in plan.edits if path == name or path.endswith(f"/{name}")), name)


def _touches(key: str, other: str) -> bool:
    """Whether one dotted key is the other, or holds it."""
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")


def _here(call: _Call) -> Generator[tuple[int, PointRun], None, None]:
    """Do the points on this machine."""

    def attend(plan: Plan, stop: Event) -> PointRun:
        return _attended(call, plan, stop)

    yield from local.each(attend, call.plans, call.request.jobs)


def _attended(call: _Call, plan: Plan, stop: Event) -> PointRun:
    if stop.is_set():
        raise KeyboardInterrupt
    several = call.request.jobs > 1 and len(call.plans) > 1
    output = Prefixed(plan.point.name, call.output, call.lock)
    to = Attendance(
        # What the doors know of the disk is not made for several threads.
        with_own_doors(call.project),
        plan.graph,
        Surroundings(call.variables, stop=stop),
        Orders(reuse=call.request.reuse),
        output if several else call.output,
        _Named(plan.point.name, call.progress),
    )
    try:
        state = State(call.state.tree, call.state.standing, plan.edits, {})
        return _point_run(plan.point, attend_point(to, plan.steps, state))
    except TallyError as error:
        return _failed(plan.point, error.message, error.hint)
    finally:
        output.close()


class _Named(Silent):
    """Says of what is said by which point."""

    def __init__(self, name: str, progress: Progress) -> None:
        self._name = name
        self._progress = progress

    def say(self, message: str) -> None:
        self._progress.say(f"{self._name}: {message}")


def _there(call: _Call, address: str) -> Generator[tuple[int, PointRun], None, None]:
    """Do the points on a cluster; receipts come into the ledger here, data goes to the remote."""
    reuse = call.request.reuse
    outputs = [Prefixed(plan.point.name, call.output, call.lock) for plan in call.plans]
    with (
        open_cluster(address) as cluster,
        shipped(call.project, call.plans, call.state, reuse=reuse, progress=call.progress) as shipment,
    ):
        tasks = [task_of(shipment, plan, call.state, call.variables, reuse=reuse) for plan in call.plans]

        def hear(number: int, piece: bytes | str) -> None:
            if isinstance(piece, bytes):
                outputs[number](piece)
            else:
                call.progress.say(f"{call.plans[number].point.name}: {piece}")

        with closing(cluster.each(work, tasks, hear)) as results:
            for number, result in results:
                outputs[number].close()
                yield number, _arrived(call.project, call.plans[number], result)


def _arrived(project: Project, plan: Plan, result: Task) -> PointRun:
    """What a worker tells of a point."""
    if "interrupted" in result:
        raise RemoteUnreachable("a worker was stopped", hint="the same command does the rest")
    if "error" in result:
        return _failed(plan.point, result["error"], result["hint"])
    try:
        return _point_run(plan.point, received(project, plan, result))
    except TallyError as error:
        return _failed(plan.point, error.message, error.hint)


def _point_run(point: Point, stages: tuple[StageRun, ...]) -> PointRun:
    failed = next((stage for stage in stages if stage.status == "failed"), None)
    idle = all(stage.status in ("reused", *STANDING) for stage in stages)
    told = [stage.run for stage in stages if stage.run is not None]
    metrics: dict[str, float] = {}
    for stage in stages:
        metrics.update(flat(stage.metrics, METRICS))
    return PointRun(
        point.name,
        "failed" if failed else "reused" if idle else "succeeded",
        point.values,
        metrics,
        failed.run if failed else told[-1] if told else None,
        sum(stage.seconds or 0.0 for stage in stages if stage.status == "succeeded") or None,
        stages,
        failed.complaint if failed else None,
        failed.hint if failed else None,
    )


def _failed(point: Point, complaint: str, hint: str | None) -> PointRun:
    return PointRun(point.name, "failed", point.values, complaint=complaint, hint=hint)


def _planned(plan: Plan) -> PointRun:
    stages = tuple(StageRun(step.address, "would run", (), step.command) for step in plan.steps)
    return PointRun(plan.point.name, "would run", plan.point.values, stages=stages)


def _sentence(result: PointRun) -> str:
    run = "" if result.run is None else f" (run {result.run.short})"
    return f"{result.status}{run}" if result.complaint is None else f"failed: {result.complaint}"


def _swept(request: Request, points: grid.Grid, found: list[PointRun], notes: tuple[str, ...]) -> Swept:
    metrics = tuple(dict.fromkeys(name for result in found for name in result.metrics))
    if request.sort is not None and not request.dry_run:
        name = request.sort.removeprefix("-")
        if any(name in (*result.metrics, *result.params) for result in found):
            found = _sorted(found, name, largest=request.sort.startswith("-"))
        else:
            notes = (*notes, f"no point has a metric or parameter `{name}` to sort by")
    failed = any(result.status == "failed" for result in found)
    code = CommandFailed.exit_code if failed else 0
    said = dict.fromkeys(note for result in found for stage in result.stages for note in stage.notes)
    return Swept(tuple(found), points.varying, metrics, request.dry_run, (*notes, *said), code)


def _sorted(found: list[PointRun], name: str, *, largest: bool) -> list[PointRun]:
    """By a metric or parameter; points without it last, in either order."""

    def value(result: PointRun) -> Any:
        return grid.comparable(result.metrics.get(name, result.params.get(name, "")))

    with_it = [result for result in found if name in result.metrics or name in result.params]
    without = [result for result in found if name not in result.metrics and name not in result.params]
    return sorted(with_it, key=value, reverse=largest) + without
