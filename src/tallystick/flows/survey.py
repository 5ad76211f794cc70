"""Repeat many runs of the ledger, one after the other, and say how much of it can still be rebuilt."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from tallystick.digest import Digest
from tallystick.errors import (
    BadRecord,
    CommandFailed,
    EnvironmentNotRebuilt,
    ObjectCorrupt,
    ObjectMissing,
    Refused,
    RemoteUnreachable,
    TallyError,
)
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.project.trust import require_grant
from tallystick.records.verdict import OUTCOMES, REPRODUCED, Outcome, Verdict
from tallystick.reproduction.attempt import Attempt, Manner, Trial
from tallystick.reproduction.judging import carry_out, verdict_of
from tallystick.reproduction.past import past_of_run
from tallystick.runs import ledger
from tallystick.runs.execution import now
from tallystick.runs.interrupted import write_down
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.sampling import Sampled, Sampling, choose, moment

INTERRUPTED = 130

UNBUILT = OUTCOMES["could not be rebuilt"]

CAUSES: tuple[tuple[type[TallyError], str], ...] = (
    (ObjectMissing, "data is in none of the places"),
    (ObjectCorrupt, "data is damaged"),
    (RemoteUnreachable, "a remote does not answer"),
    (EnvironmentNotRebuilt, "the environment can't be rebuilt"),
    (CommandFailed, "the command fails, or takes too long"),
    (BadRecord, "a record can't be read"),
)
"""Why a run could not be rebuilt, by the first class that fits."""

CODE_GONE = "the code is not in git"
OTHER_CAUSE = "other reasons"

_DAY = 86400.0
_YEAR = 365 * _DAY
_AGES = ((_DAY, "less than a day"), (7 * _DAY, "less than a week"), (30 * _DAY, "less than a month"))


@dataclass(frozen=True, slots=True)
class Request:
    """Which runs are looked at, and how each of them is repeated."""

    sampling: Sampling = field(default_factory=Sampling)
    manner: Manner = field(default_factory=Manner)


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one run: the outcome, why, and the exit code that it alone would have come to.

    `cause` is a class of reasons, `differs` are the outs that did not come again, `verdict` is the record in
    the ledger; there is none where something stood in the way that will pass.
    """

    run: Digest
    stage: str | None
    started: str | None
    outcome: Outcome
    exit_code: int
    seconds: float = 0.0
    why: str | None = None
    cause: str | None = None
    differs: tuple[str, ...] = ()
    verdict: Digest | None = None


@dataclass(frozen=True, slots=True)
class Age:
    """How many runs of one age were repeated, and how many of them came to what."""

    age: str
    runs: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """All runs that were looked at, of so many `among` which they were chosen, and what they add up to.

    `left` were chosen and not come to. The same `seed` chooses the same runs.
    """

    runs: tuple[Checked, ...]
    chosen: int
    among: int
    seed: int | None
    left: int
    outcomes: Mapping[str, int]
    causes: Mapping[str, int]
    ages: tuple[Age, ...]
    interrupted: bool
    exit_code: int
    notes: tuple[str, ...] = ()


def survey(
    project: Project,
    request: Request,
    *,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    hear: Callable[[Checked, Sequence[Sampled]], None] = lambda _checked, _all: None,
    progress: Progress = silent,
) -> Survey:
    """Repeat one chosen run after the other; none of them stops the rest, and Ctrl-C keeps what is done.

    Each verdict is in the ledger, and `hear` is told of it, before the next begins. Raises NotTrusted, before
    anything runs, unless the commands of all are allowed.
    """
    write_down(project)
    sample = choose(project, request.sampling)
    require_grant(project, [each.command for each in sample.chosen if each.command is not None])
    done: list[Checked] = []
    interrupted = False
    try:
        for number, each in enumerate(sample.chosen, 1):
            name = each.stage or "a damaged receipt"
            progress.begin(f"[{number}/{len(sample.chosen)}] {name}, run {each.run.short}")
            done.append(_checked(project, request.manner, each, variables, output, progress))
            progress.end()
            hear(done[-1], sample.chosen)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        progress.end()
    seed = request.sampling.seed if request.sampling.most is not None else None
    codes = [*(each.exit_code for each in done), INTERRUPTED if interrupted else 0]
    return Survey(
        tuple(done),
        len(sample.chosen),
        sample.among,
        seed,
        len(sample.chosen) - len(done),
        _counted(each.outcome for each in done),
        _counted(each.cause for each in done if each.cause is not None),
        tuple(_ages(done)),
        interrupted,
        max(codes),
        sample.notes,
    )


def _checked(
    project: Project,
    manner: Manner,
    chosen: Sampled,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    progress: Progress,
) -> Checked:
    """Repeat one run; whatever stands in the way is the answer."""
    began = time.monotonic()
    try:
        run = _run(project, chosen)
        found = past_of_run(project, run.id.short, run)
        trial = Trial(project, found, manner, variables, output, progress)
        started = now()
        made = carry_out(trial)
        verdict = verdict_of(trial, made, started)
        identity = ledger.append_verdict(project, verdict)
    except TallyError as error:
        seconds = round(time.monotonic() - began, 3)
        return Checked(
            chosen.run,
            chosen.stage,
            chosen.started,
            UNBUILT,
            error.exit_code,
            seconds,
            error.message,
            _cause_of(error),
        )
    return _judged(chosen, made, verdict, identity, round(time.monotonic() - began, 3))


def _run(project: Project, chosen: Sampled) -> Run:
    """The chosen run, with its code; raise BadRecord or ObjectMissing for one that isn't whole."""
    run = ledger.read(project, chosen.run)
    if isinstance(run, Damaged):
        raise run.error
    try:
        project.git.tree_of(run.receipt.code.tree)
    except Refused as error:
        raise Refused(CODE_GONE) from error
    return run


def _judged(chosen: Sampled, made: Attempt, verdict: Verdict, identity: Digest, seconds: float) -> Checked:
    failure = made.failure
    code = failure.exit_code if failure is not None else 0 if verdict.outcome in REPRODUCED else 1
    comparisons = [each for stage in verdict.stages for each in stage.comparisons]
    reason = "; ".join(stage.reason for stage in verdict.stages if stage.reason is not None) or None
    return Checked(
        chosen.run,
        chosen.stage,
        chosen.started,
        verdict.outcome,
        code,
        seconds,
        reason,
        _cause_of(failure) if failure is not None else _difference(verdict),
        tuple(each.path for each in comparisons if each.outcome != "identical"),
        identity,
    )


def _difference(verdict: Verdict) -> str | None:
    """What kind of "no" a verdict is; None for a yes."""
    if verdict.outcome in REPRODUCED:
        return None
    if verdict.outcome == "inconclusive":
        return "deps changed while it ran then"
    what = "results are missing" if verdict.outcome == "missing" else "results differ"
    return f"{what}, on a machine unlike the recorded one" if verdict.unlike else what


def _cause_of(error: TallyError) -> str:
    if error.message == CODE_GONE:
        return CODE_GONE
    return next((cause for kind, cause in CAUSES if isinstance(error, kind)), OTHER_CAUSE)


def _counted(words: Iterable[str]) -> dict[str, int]:
    """How often each came, the most frequent first."""
    return dict(Counter(words).most_common())


def _ages(done: Sequence[Checked]) -> list[Age]:
    """The runs by their age, the youngest first; those of damaged receipts have none."""
    present = time.time()
    by_age: dict[float, list[Checked]] = {}
    for each in done:
        if each.started is not None:
            by_age.setdefault(_class_of(present - moment(each.started)), []).append(each)
    return [
        Age(_age_text(age), len(some), _counted(each.outcome for each in some))
        for age, some in sorted(by_age.items())
    ]


def _class_of(seconds: float) -> float:
    """The upper end of the class of ages that a run belongs to."""
    small = next((end for end, _name in _AGES if seconds < end), None)
    return small if small is not None else (seconds // _YEAR + 1) * _YEAR


def _age_text(end: float) -> str:
    named = dict(_AGES)
    if end in named:
        return named[end]
    years = round(end / _YEAR)
    return "less than a year" if years == 1 else f"{years - 1} to {years} years"
