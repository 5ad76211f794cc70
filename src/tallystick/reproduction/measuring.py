"""What a stage's metric is at a commit: by its receipts, or by a run in a worktree of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from threading import Event
from typing import Literal

from tallystick.data.blobs import bring
from tallystick.data.placing import place_all
from tallystick.data.tracked import Selected
from tallystick.digest import Digest
from tallystick.envs.activate import lend, stand_in
from tallystick.envs.activate import variables as activated
from tallystick.errors import CommandFailed, ObjectMissing, Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.project.trust import require_grant
from tallystick.records import environment as environments
from tallystick.records.receipt import Receipt
from tallystick.reproduction.apart import tracked_at
from tallystick.reproduction.deadline import deadline
from tallystick.reproduction.isolation import isolated
from tallystick.runs.attending import Attendance, Orders, StageRun, attend_all
from tallystick.runs.environments import build_environment
from tallystick.runs.inputs import Standing, Surroundings, environment_now
from tallystick.runs.measures import places
from tallystick.runs.pipelines import Graph, Step, load, read_file
from tallystick.runs.readiness import require
from tallystick.runs.reasons import LOCAL_REASONS
from tallystick.runs.receipts import recorded
from tallystick.runs.rereading import reads_the_same
from tallystick.runs.selection import chosen
from tallystick.runs.staleness import stale_stages

How = Literal["receipt", "reused", "ran"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric at a commit, and the run that it is from: read, taken from the ledger, or made just now."""

    value: float
    how: How
    run: Digest
    receipt: Receipt
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Means:
    """How what has no receipt is run: in which environment, and for how many seconds at most."""

    rebuild: bool = True
    any_python: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured, the metric of a stage, and all that a run of it needs."""

    project: Project
    metric: str
    stage: str
    variables: Mapping[str, str]
    output: Callable[[bytes], None]
    progress: Progress
    means: Means = field(default_factory=Means)


@dataclass(frozen=True, slots=True)
class _Place:
    """A commit's worktree, its stages, and which of those have no receipt that fits."""

    commit: str
    inner: Project
    graph: Graph
    steps: tuple[Step, ...]
    unfit: frozenset[str]


def measure(to: Measuring, commit: str) -> Measured:
    """Read the metric where all that leads to it has a receipt that fits the commit; run what has none.

    The user's worktree stays as it is; a run is in the ledger as one of that commit. Raises NotTrusted before
    anything runs, and what stands in the way: CommandFailed, EnvironmentNotRebuilt, ObjectMissing, Refused, …
    """
    with isolated(to.project, commit, None) as inner:
        graph = load(inner)
        if to.stage not in graph.steps:
            raise Refused(f"it has no stage `{to.stage}`")
        steps = chosen(graph, [to.stage], "")
        place = _Place(commit, inner, graph, steps, _unfit(to, inner, graph, steps, commit))
        if not place.unfit:
            return _found(to, place, "receipt", 0.0)
        require_grant(to.project, [step.command for step in steps if step.address in place.unfit])
        return _attended(to, place)


def _unfit(to: Measuring, inner: Project, graph: Graph, steps: Sequence[Step], commit: str) -> frozenset[str]:
    """The stages whose receipts don't tell of this commit: of its inputs, and of files that nobody declared.

    What this machine has installed or set counts for nothing: the question is what the commit holds.
    """
    part = Graph({step.address: step for step in steps}, graph.makers, graph.needs)
    unfit: set[str] = set()
    for address, reasons in stale_stages(inner, part, Surroundings(to.variables), placed=False).items():
        above = {reason.name for reason in reasons if reason.kind == "stage"}
        own = [reason for reason in reasons if reason.kind not in (*LOCAL_REASONS, "stage")]
        if own or above & unfit:
            unfit.add(address)
    for step in steps:
        last = None if step.address in unfit else recorded(inner, step)
        # What git can't tell is left to the receipt, as `tally check` leaves it.
        if last is not None and reads_the_same(to.project, last.receipt, commit) is False:
            # Without its receipt the stage runs, or takes over a run that read nothing undeclared.
            (inner.git.root / step.receipt_path).unlink()
            unfit |= {step.address}
    return frozenset(_with_users(graph, steps, unfit))


def _with_users(graph: Graph, steps: Sequence[Step], unfit: set[str]) -> Iterator[str]:
    """Stages, and those that need one of them; a frozen one needs nothing."""
    found = set(unfit)
    for step in steps:
        if step.address in found or (not step.stage.frozen and found & set(graph.needs[step.address])):
            found.add(step.address)
            yield step.address


def _attended(to: Measuring, place: _Place) -> Measured:
    """Run what has no receipt that fits, in the commit's environment, on the commit's data."""
    inner = place.inner
    steps = _furnished(to, place)
    variables = _variables(to, place, steps)
    require(inner, place.graph, steps)
    with _limited(to.means.timeout) as stop:
        surroundings = Surroundings(variables, standing_for=Standing(place.commit), stop=stop)
        attendance = Attendance(inner, place.graph, surroundings, Orders(), to.output, to.progress)
        stages = attend_all(attendance, steps)
    ran = [stage for stage in stages if stage.status == "succeeded"]
    seconds = sum(stage.seconds or 0.0 for stage in ran)
    return _found(to, place, _how(stages, to.stage), seconds)


def _how(stages: Sequence[StageRun], address: str) -> How:
    status = next((stage.status for stage in stages if stage.stage == address), "")
    return "ran" if status == "succeeded" else "reused" if status == "reused" else "receipt"


def _found(to: Measuring, place: _Place, how: How, seconds: float) -> Measured:
    """The metric in the receipt that the worktree has now."""
    last = recorded(place.inner, place.graph.steps[to.stage])
    if last is None:
        raise Refused(f"stage `{to.stage}` left no receipt")
    where = places(last.receipt.metrics, to.metric)
    if len(where) != 1:
        how_many = "several metrics" if where else "no metric"
        raise Refused(f"stage `{to.stage}` has {how_many} `{to.metric}` there")
    file, key = where[0]
    return Measured(last.receipt.metrics[file][key], how, last.id, last.receipt, seconds)


def _furnished(to: Measuring, place: _Place) -> tuple[Step, ...]:
    """Place the data that stages read; say which of them have to be seen to.

    That is all of them where the results of one whose receipt fits are nowhere.
    """
    steps = tuple(step for step in place.steps if step.address in place.unfit)
    try:
        _furnish(to, place, steps)
    except ObjectMissing:
        if len(steps) == len(place.steps):
            raise
        steps = place.steps
        _furnish(to, place, steps)
    return steps


def _furnish(to: Measuring, place: _Place, steps: Sequence[Step]) -> None:
    made = {out.path for step in steps for out in step.outs}
    read = {path for step in steps for path in (*step.deps, *(part.path for part in step.params))}
    found = tracked_at(place.inner, sorted(read - made)).values()
    makers = {step.address for step in steps}
    wanted = [Selected(one) for one in found if one is not None and place.graph.maker(one.path) not in makers]
    bring(to.project, wanted, progress=to.progress)
    place_all(place.inner, wanted, force=True, progress=to.progress)


def _variables(to: Measuring, place: _Place, steps: Sequence[Step]) -> dict[str, str]:
    """The user's variables, within the environment that the commit records; theirs if it records none."""
    step = place.graph.steps[to.stage]
    text = read_file(place.inner, step.lock_path) if to.means.rebuild else None
    here, there = to.project.git.root, place.inner.git.root
    lock = None if text is None else environments.parse(text, f"{place.commit[:10]}:{step.lock_path}")
    now = None if lock is None else environment_now(to.project, step, Surroundings(to.variables))
    active = (
        now is not None
        and lock is not None
        and environments.identity(now.lock) == environments.identity(lock)
    )
    if lock is None or active:
        for each in steps:
            lend(each.stage.cmd, each.cwd, here, there)
        return dict(to.variables)
    rebuilt = build_environment(
        to.project,
        lock,
        to.variables,
        named=step.lock_path,
        treeish=place.commit,
        any_python=to.means.any_python,
        progress=to.progress,
    )
    for each in steps:
        stand_in(rebuilt, each.stage.cmd, there / each.cwd, there)
    return activated(rebuilt, to.variables, lock, there)


@contextmanager
def _limited(seconds: float | None) -> Iterator[Event | None]:
    """An event that is set once the time is over; what it ends is CommandFailed, Ctrl-C is still Ctrl-C."""
    with deadline(seconds) as stop:
        try:
            yield stop
        except KeyboardInterrupt:
            if stop is not None and stop.is_set():
                raise CommandFailed(f"its command did not end within {seconds:g} s") from None
            raise
