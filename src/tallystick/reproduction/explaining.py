"""Find out what a result comes from: swap one axis at a time between two runs, and repeat."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tallystick.data.freezing import keep
from tallystick.envs.hardware import hardware
from tallystick.envs.host import host
from tallystick.envs.settings import VARIABLES
from tallystick.errors import EnvironmentNotRebuilt, ObjectsError, Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.provenance import EnvironmentRef
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.verdict import CAME_AGAIN, Axis, AxisName, StageVerdict
from tallystick.reproduction.attempt import Attempt, Trial, unpickler_for
from tallystick.reproduction.axes import Pair, Side, differences, edits, machines, swapped
from tallystick.reproduction.comparison import Halves
from tallystick.reproduction.isolation import isolated, surrounding
from tallystick.reproduction.past import Past
from tallystick.reproduction.preflight import unlike_here
from tallystick.reproduction.reenactment import UNBUILT, Judged, Scene, bring_roots, reenact
from tallystick.runs.images import image_now
from tallystick.runs.inputs import Surroundings, environment_now, params_now, variables_now
from tallystick.runs.pipelines import Step, load
from tallystick.runs.receipts import NO_PYTHON, Recorded
from tallystick.runs.running import environment_ref
from tallystick.runs.staleness import same

PRESENT = "the present worktree"
NOT_REPEATABLE = (
    "repeating it unchanged gives another result each time, so that no axis can be blamed: is a seed missing?"
)

_NOT_TRIED = (ObjectsError, EnvironmentNotRebuilt, RemoteUnreachable, Refused)


@dataclass(frozen=True, slots=True)
class Explained:
    """The axes that were tried, and the sentence that they come to."""

    axes: tuple[Axis, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class _Swap:
    """Two runs, and all that it takes to repeat one with an axis of the other."""

    trial: Trial
    pair: Pair
    first: StageVerdict

    @property
    def came_again(self) -> bool:
        """Whether the record could be reproduced."""
        return self.first.outcome in CAME_AGAIN


def present_past(project: Project, past: Past, variables: Mapping[str, str]) -> Past:
    """What the stages of a past would be made from here and now, as if it had run; data goes to the store."""
    graph, tree = load(project), project.git.snapshot().tree
    surroundings = Surroundings(variables)
    recorded = {
        address: Recorded(step, each.id, _receipt_now(project, step, each.receipt, surroundings))
        for address, each in past.recorded.items()
        if (step := graph.steps.get(address)) is not None
    }
    return Past(PRESENT, tree, project.git.head(), graph, recorded)


def _receipt_now(project: Project, step: Step, like: Receipt, surroundings: Surroundings) -> Receipt:
    captured = environment_now(project, step, surroundings)
    environment = EnvironmentRef(None, NO_PYTHON, like.environment.platform)
    if captured is not None:
        with project.store.writer() as writer:
            lock = writer.add(environments.render(captured.lock))
        environment = EnvironmentRef(lock, captured.python, captured.platform, lock)
    switches = {name: value for name, value in surroundings.variables.items() if name in VARIABLES}
    image = image_now(project, step, surroundings)
    if image is not None:
        environment, switches = environment_ref(None, image), {}
    return replace(
        like,
        cmd=step.stage.cmd,
        wdir=step.wdir,
        deps=tuple(_deps_now(project, step)),
        params=params_now(project, step, surroundings),
        seed=step.stage.seed,
        variables=variables_now(step, surroundings),
        environment=replace(environment, settings=switches),
        hardware=hardware(),
        host=host(),
    )


def _deps_now(project: Project, step: Step) -> Iterator[Artifact]:
    for path in step.deps:
        kept = keep(project, path)
        if kept is not None:
            yield kept.artifact


def explain(trial: Trial, made: Attempt, other: Past) -> tuple[StageVerdict, ...]:
    """The verdicts on the stages, each with what its result comes from, where its command came to an end."""
    return tuple(_with_axes(trial, verdict, other) for verdict in made.stages)


def _with_axes(trial: Trial, verdict: StageVerdict, other: Past) -> StageVerdict:
    recorded, against = trial.past.recorded[verdict.stage], other.recorded.get(verdict.stage)
    if verdict.outcome == UNBUILT:
        return verdict
    if against is None:
        found = Explained((), f"{other.target} has no such stage to compare with")
    else:
        base = Side(trial.past.target, _alone(trial.past, recorded), recorded)
        pair = Pair.of(trial.project, base, Side(other.target, other, against, other.target == PRESENT))
        found = _explained(_Swap(trial, pair, verdict))
    beside = f"compared with {_called(other, against)}" if found.axes and against is not None else None
    reason = "; ".join(filter(None, (verdict.reason, found.sentence, beside)))
    return replace(verdict, axes=found.axes, reason=reason)


def _called(other: Past, against: Recorded) -> str:
    """The other run, so that the record of a verdict says which one it was."""
    return other.target if other.target == PRESENT else f"{other.target} (run {against.id.hex()[:12]})"


def _alone(past: Past, recorded: Recorded) -> Past:
    """A past with one stage only: what others make is then brought, not made anew."""
    return replace(past, recorded={recorded.step.address: recorded})


def _explained(swap: _Swap) -> Explained:
    if not swap.came_again and not _comes_again(swap):
        return Explained((), NOT_REPEATABLE)
    if swap.came_again and not swap.pair.other.present and _same_outs(swap.pair):
        return Explained((), f"{swap.pair.other.name} has the same results: there is nothing to explain")
    axes = [_tried(swap, each.axis, each.detail) for each in differences(swap.pair)]
    causes = [axis for axis in axes if _explains(swap, axis)]
    if not causes:
        axes += _machine(swap)
    return Explained(tuple(axes), _sentence(swap, axes, causes))


def _comes_again(swap: _Swap) -> bool:
    """Whether a repetition of the unchanged run has the result that the first one had."""
    swap.trial.progress.say(f"repeating `{swap.first.stage}` unchanged once more")
    again = _repeated(swap, None).verdict
    first = {each.path: each.actual for each in swap.first.comparisons}
    return first == {each.path: each.actual for each in again.comparisons}


def _same_outs(pair: Pair) -> bool:
    outs = {out.path: out for out in pair.other.receipt.outs}
    return all(out.path in outs and same(out, outs[out.path]) for out in pair.base.receipt.outs)


def _tried(swap: _Swap, axis: AxisName, detail: str) -> Axis:
    """What comes of the run with one axis of the other."""
    swap.trial.progress.say(f"repeating `{swap.first.stage}` with the {axis} of {swap.pair.other.name}")
    try:
        judged = _repeated(swap, axis)
    except _NOT_TRIED as error:
        return Axis(axis, UNBUILT, f"{detail} (can't be swapped: {error.message})")
    why = f" ({judged.complaint})" if judged.complaint else ""
    return Axis(axis, judged.verdict.outcome, f"{detail}{why}")


def _repeated(swap: _Swap, axis: AxisName | None) -> Judged:
    trial, pair = swap.trial, swap.pair
    receipt, side = swapped(pair, axis), pair.other if axis == "code" else pair.base
    present = axis == "environment" and pair.other.present
    with isolated(trial.project, side.past.treeish, None) as inner:
        bring_roots(trial.project, pair.base.past, inner, trial.progress)
        around = surrounding(
            trial.project,
            inner.git.root,
            receipt,
            trial.variables,
            rebuild_environment=trial.manner.rebuild and not present,
            any_python=trial.manner.any_python,
            progress=trial.progress,
        )
        repeated = replace(pair.base.recorded, receipt=receipt)
        halves = Halves(trial.project, side.past, inner, repeated, unpickler_for(trial, around))
        scene = Scene(around, trial.manner.limits, edits(pair, axis))
        return reenact(halves, scene, output=trial.output, progress=trial.progress)


def _explains(swap: _Swap, axis: Axis) -> bool:
    """Whether the verdict flips with it."""
    return axis.outcome != UNBUILT and (axis.outcome in CAME_AGAIN) != swap.came_again


def _machine(swap: _Swap) -> list[Axis]:
    """What can't be swapped is named where nothing else explains."""
    detail = "; ".join(unlike_here(swap.pair.base.receipt))
    if swap.came_again:
        detail = machines(swap.pair)
    return [Axis("machine", UNBUILT, f"{detail} (can't be swapped)")] if detail else []


def _sentence(swap: _Swap, axes: Sequence[Axis], causes: Sequence[Axis]) -> str:
    if causes:
        return "; ".join(f"`{axis.name}` explains it: {axis.detail}" for axis in causes)
    if any(axis.name == "machine" for axis in axes):
        return "nothing that could be swapped explains it; the machine is another one"
    if not axes:
        return f"nothing that is recorded differs from {swap.pair.other.name}"
    if swap.came_again:
        return "no axis changes the result when it alone is swapped"
    return "no axis explains it: something that is not recorded differs"
