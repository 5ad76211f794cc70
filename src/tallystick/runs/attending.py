"""See to stages: those that are out of date are taken over from an earlier run, or run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from threading import Event, Lock

from tallystick.digest import Digest
from tallystick.errors import CommandFailed, TallyError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, Spoken
from tallystick.project import Project, with_own_doors
from tallystick.runs.gathering import gather
from tallystick.runs.inputs import Surroundings
from tallystick.runs.live import only_run
from tallystick.runs.pipelines import Graph, Step
from tallystick.runs.reasons import Reason
from tallystick.runs.reuse import reuse
from tallystick.runs.running import Performed, perform
from tallystick.runs.scheduling import Course, Failed, Prefixed, Skipped, one_by_one, side_by_side
from tallystick.runs.staleness import foresee, stale


@dataclass(frozen=True, slots=True)
class StageRun:
    """What became of one stage, and why.

    `succeeded`, `reused`, `up to date`, `frozen` or `would run`; when the others went on, `failed` or
    `skipped` too, with the `complaint`. `made` says of a reused run when and by whom it was made.
    """

    stage: str
    status: str
    reasons: tuple[Reason, ...] = ()
    command: str = ""
    run: Digest | None = None
    seconds: float | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    complaint: str | None = None
    hint: str | None = None
    made: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """How stages are seen to: the stale or all, taken over where that can be, so many at once."""

    force: bool = False
    reuse: bool = True
    keep_going: bool = False
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class Attendance:
    """What seeing to one stage needs."""

    project: Project
    graph: Graph
    surroundings: Surroundings
    orders: Orders
    output: Callable[[bytes], None]
    progress: Progress


def attend_all(to: Attendance, steps: Sequence[Step]) -> tuple[StageRun, ...]:
    """See to stages, each after those it needs; say what became of each.

    Raises the first failure, unless the others shall go on, and KeyboardInterrupt once all have ended.
    """
    foresee(to.project, steps, to.surroundings)
    course: Course[StageRun] = Course(steps, to.graph.needs, to.orders.keep_going)
    if to.orders.jobs == 1 or len(steps) == 1:
        one_by_one(course, lambda step: attend(to, step))
    else:
        _attend_side_by_side(to, course)
    return tuple(_told(to.graph, outcome) for outcome in course.outcomes())


def _attend_side_by_side(to: Attendance, course: Course[StageRun]) -> None:
    stop, lock = Event(), Lock()
    several = replace(
        to, surroundings=replace(to.surroundings, stop=stop), progress=Spoken(to.progress, lock)
    )

    def work(step: Step) -> StageRun:
        output = Prefixed(step.address, to.output, lock)
        # What the doors know of the disk is not made for several threads.
        own = replace(several, project=with_own_doors(to.project), output=output)
        try:
            return attend(own, step)
        finally:
            output.close()

    side_by_side(course, work, jobs=to.orders.jobs, stop=stop)


def attend(to: Attendance, step: Step) -> StageRun:
    """See to one stage; raise CommandFailed if it fails, after its receipt is in the ledger."""
    reasons = stale(to.project, step, to.surroundings)
    if step.stage.frozen or not (reasons or to.orders.force):
        status = "frozen" if step.stage.frozen else "up to date"
        return StageRun(step.address, status, (), step.command)
    with only_run(to.project, step.address) as lock:
        surroundings = replace(to.surroundings, lock=lock)
        inputs = gather(to.project, to.graph, step, surroundings, to.progress)
        if to.orders.reuse and not to.orders.force:
            run = reuse(to.project, step, inputs, to.progress)
            if run is not None:
                made = (run.receipt.started, run.receipt.author)
                metrics = run.receipt.metrics
                return StageRun(
                    step.address, "reused", reasons, step.command, run.id, metrics=metrics, made=made
                )
        to.progress.say(_announcement(step, reasons))
        performed = perform(to.project, step, inputs, surroundings, output=to.output, progress=to.progress)
    _pass_on(step, performed)
    return _succeeded(step, reasons, performed)


def _announcement(step: Step, reasons: Sequence[Reason]) -> str:
    why = "; ".join(str(reason) for reason in reasons[:3]) or "forced"
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return f"running `{step.address}` ({why}{more}): {step.command}"


def _pass_on(step: Step, performed: Performed) -> None:
    """Raise what a stage came to that did not succeed."""
    if performed.receipt.status == "interrupted":
        raise KeyboardInterrupt
    if performed.complaint is not None:
        raise CommandFailed(
            f"stage `{step.address}` {performed.complaint}",
            hint=f"`tally show {performed.id.short}` has its receipt and its output",
            run=str(performed.id),
        )


def _succeeded(step: Step, reasons: tuple[Reason, ...], performed: Performed) -> StageRun:
    receipt = performed.receipt
    return StageRun(
        step.address,
        receipt.status,
        reasons,
        step.command,
        performed.id,
        receipt.seconds,
        receipt.metrics,
        performed.notes,
    )


def _told(graph: Graph, outcome: StageRun | Failed | Skipped) -> StageRun:
    if isinstance(outcome, StageRun):
        return outcome
    command = graph.steps[outcome.address].command
    if isinstance(outcome, Skipped):
        return StageRun(
            outcome.address, "skipped", (), command, complaint=f"it needs `{outcome.because}`, which failed"
        )
    error: TallyError = outcome.error
    run = Digest.parse(error.run) if isinstance(error, CommandFailed) and error.run else None
    complaint = error.message.removeprefix(f"stage `{outcome.address}` failed: ")
    return StageRun(outcome.address, "failed", (), command, run=run, complaint=complaint, hint=error.hint)
