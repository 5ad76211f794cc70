"""Repeat the stages of a past, one after the other, until one can't be repeated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from tallystick.errors import CommandFailed, EnvironmentNotRebuilt, ObjectMissing, TallyError
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records.verdict import REPRODUCED, Outcome, StageVerdict, worst
from tallystick.reproduction.baseline import measured
from tallystick.reproduction.comparison import Halves
from tallystick.reproduction.confinement import Limits
from tallystick.reproduction.isolation import Surrounding, surrounding
from tallystick.reproduction.past import Past, command_of
from tallystick.reproduction.preflight import unlike_around
from tallystick.reproduction.reenactment import UNBUILT, Judged, Scene, bring_roots, reenact
from tallystick.reproduction.spread import Spread, spread, unmeasured
from tallystick.reproduction.unpickling import Unpickler
from tallystick.runs.measures import Measures
from tallystick.runs.receipts import Recorded
from tallystick.runs.submodules import uncommitted


@dataclass(frozen=True, slots=True)
class Manner:
    """How a past is repeated: in which environment, within which limits, how often.

    `unpickle` is the user's leave to read what pickles hold.
    """

    rebuild: bool = True
    any_python: bool = False
    limits: Limits = field(default_factory=Limits)
    repetitions: int = 1
    unpickle: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that the steps of one reproduction need."""

    project: Project
    past: Past
    manner: Manner
    variables: Mapping[str, str]
    output: Callable[[bytes], None]
    progress: Progress


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it: a verdict on each stage, what was enforced, and what ended it early."""

    stages: tuple[StageVerdict, ...] = ()
    around: Surrounding | None = None
    failure: TallyError | None = None
    notes: tuple[str, ...] = ()
    enforced: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    spread: Spread = field(default_factory=dict)
    metrics: Mapping[str, Measures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Stage:
    """One stage's repetitions: the worst of them, and how far their numbers lay apart."""

    judged: Judged
    spread: Spread


class _Course:
    """What is known so far."""

    def __init__(self) -> None:
        self.judged: list[StageVerdict] = []
        self.around: list[Surrounding] = []
        self.enforced: dict[str, None] = {}
        self.unlike: dict[str, None] = {}
        self.spread: dict[str, Mapping[str, float]] = {}
        self.metrics: dict[str, Measures] = {}

    def end(self, past: Past, failure: TallyError | None) -> Attempt:
        """All of it, with the stages that it did not come to, and why it did not."""
        left = list(past.recorded.values())[len(self.judged) :]
        reasons = [
            failure.message if failure is not None else "",
            *["a stage before it could not be repeated"] * len(left),
        ]
        if failure is not None and self.judged and self.judged[-1].outcome == UNBUILT:
            reasons = reasons[1:]
        unbuilt = [
            StageVerdict(each.receipt.stage, each.id, UNBUILT, (), 0.0, reason)
            for each, reason in zip(left, reasons, strict=False)
        ]
        around = self.around[-1] if self.around else None
        notes = dict.fromkeys(note for each in self.around for note in each.notes)
        enforced = (*self.enforced, *dict.fromkeys(fact for each in self.around for fact in each.facts))
        stages = (*self.judged, *unbuilt)
        said = (tuple(notes), enforced, tuple(self.unlike))
        return Attempt(stages, around, failure, *said, self.spread, self.metrics)


def attempt(trial: Trial, inner: Project) -> Attempt:
    """Repeat stage after stage in a worktree, until one can't be repeated."""
    course = _Course()
    try:
        bring_roots(trial.project, trial.past, inner, trial.progress)
        for each in trial.past.recorded.values():
            course.around.append(_surrounding(trial, inner, each))
            _say_unlike(trial, each, course)
            unpickler = unpickler_for(trial, course.around[-1])
            halves = Halves(trial.project, trial.past, inner, each, unpickler)
            stage = _repeated(trial, halves, course.around[-1])
            course.judged.append(_doubted(stage.judged.verdict, each.receipt.changed))
            course.enforced.update(dict.fromkeys(_facts(each, stage.judged)))
            course.enforced.update({} if unpickler is None else unpickler.facts)
            course.spread.update(stage.spread)
            course.metrics[each.receipt.stage] = measured(inner, each)
            if stage.judged.complaint is not None:
                return course.end(trial.past, CommandFailed(stage.judged.complaint, hint=stage.judged.hint))
    except (ObjectMissing, EnvironmentNotRebuilt) as error:
        return course.end(trial.past, error)
    return course.end(trial.past, None)


def unpickler_for(trial: Trial, around: Surrounding) -> Unpickler | None:
    """What reads pickles, where the user gave leave."""
    return Unpickler(trial.project, around, trial.manner.limits) if trial.manner.unpickle else None


def _surrounding(trial: Trial, inner: Project, recorded: Recorded) -> Surrounding:
    found = surrounding(
        trial.project,
        inner.git.root,
        recorded.receipt,
        trial.variables,
        rebuild_environment=trial.manner.rebuild,
        any_python=trial.manner.any_python,
        progress=trial.progress,
    )
    return replace(found, notes=(*found.notes, *_submodules(inner, recorded)))


def _submodules(inner: Project, recorded: Recorded) -> Iterator[str]:
    """What is not in the submodules as it was."""
    code = recorded.receipt.code
    with_work = uncommitted(inner, code)
    for path, commit in code.submodules.items():
        place = inner.git.root / path
        if not place.is_dir() or not any(place.iterdir()):
            yield f"submodule `{path}` is not here at {commit[:10]}: `git submodule update --init` brings it"
        elif f"{path}/" in code.left_out:
            yield f"submodule `{path}` held uncommitted work, which is not here"
        elif path in with_work and (place / ".git").exists():
            yield (
                f"submodule `{path}` held uncommitted work, which is in no commit: "
                f"`tally repro {recorded.id.short}` has it"
            )


def _say_unlike(trial: Trial, recorded: Recorded, course: _Course) -> None:
    for line in unlike_around(recorded.receipt, course.around[-1]):
        if line not in course.unlike:
            course.unlike[line] = None
            trial.progress.say(f"not as recorded: {line}")


def _repeated(trial: Trial, halves: Halves, around: Surrounding) -> _Stage:
    """Repeat one stage as often as is asked for, unless it can't be repeated at all."""
    tries: list[Judged] = []
    recorded = halves.recorded
    for number in range(trial.manner.repetitions):
        count = f" ({number + 1} of {trial.manner.repetitions})" if trial.manner.repetitions > 1 else ""
        trial.progress.say(f"repeating `{recorded.receipt.stage}`{count}: {command_of(recorded)}")
        scene = Scene(around, trial.manner.limits)
        tries.append(reenact(halves, scene, output=trial.output, progress=trial.progress))
        if tries[-1].complaint is not None:
            break
    if len(tries) == 1:
        return _Stage(tries[0], {})
    comparisons = [each.verdict.comparisons for each in tries]
    for name in unmeasured(comparisons):
        trial.progress.say(f"{name}: it differs and is no number, so that no tolerance can cover it")
    return _Stage(_worst(tries), spread(comparisons))


def _worst(tries: Sequence[Judged]) -> Judged:
    """The repetition that came out worst; how often it came to what, where they did not agree."""
    outcomes = [each.verdict.outcome for each in tries]
    chosen = tries[outcomes.index(worst(outcomes))]
    if len(set(outcomes)) == 1:
        return chosen
    counts = ", ".join(f"{outcomes.count(each)} {each}" for each in dict.fromkeys(outcomes))
    remark = f"of {len(tries)} repetitions: {counts}"
    reason = "; ".join(filter(None, (chosen.verdict.reason, remark)))
    return replace(chosen, verdict=replace(chosen.verdict, reason=reason))


def _doubted(verdict: StageVerdict, changed: Sequence[str]) -> StageVerdict:
    """Take no result for proof whose deps changed while the recorded run ran: it may have read either."""
    if not changed:
        return verdict
    names = ", ".join(f"`{path}`" for path in changed)
    doubt = f"{names} changed while it ran then: nobody knows which bytes it read"
    outcome: Outcome = "inconclusive" if verdict.outcome in REPRODUCED else verdict.outcome
    return replace(verdict, outcome=outcome, reason="; ".join(filter(None, (verdict.reason, doubt))))


def _facts(recorded: Recorded, judged: Judged) -> list[str]:
    """What was enforced; that a stage may use the network is said with its name."""
    asked = recorded.step.stage.network and not any(fact.startswith("not ") for fact in judged.enforced)
    opened = [f"`{recorded.receipt.stage}` asks for the network and had it"] if asked else []
    return [*judged.enforced, *opened]
