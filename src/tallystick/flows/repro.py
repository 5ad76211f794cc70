"""Rebuild a past run, execute it again in isolation, and say whether the halves match."""

import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tallystick import __version__
from tallystick.digest import Digest
from tallystick.errors import CommandFailed, EnvironmentNotRebuilt, ObjectMissing, TallyError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.project.trust import require_grant
from tallystick.records.verdict import Outcome, StageVerdict, Verdict, worst
from tallystick.reproduction.comparison import Halves
from tallystick.reproduction.isolation import Surrounding, isolated, surrounding
from tallystick.reproduction.past import Past, command_of, past
from tallystick.reproduction.reenactment import UNBUILT, Judged, bring_roots, reenact
from tallystick.runs import ledger
from tallystick.runs.execution import now
from tallystick.runs.receipts import NO_PYTHON, Recorded

REPRODUCED: tuple[Outcome, ...] = ("identical", "within tolerance")
"""Outcomes that are a yes."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be repeated, and how: a commit or run, some of its stages, in which environment."""

    target: str = "HEAD"
    stages: tuple[str, ...] = ()
    folder: str = ""
    rebuild: bool = True
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Reproduced:
    """The verdict, its id in the ledger, and the exit code it comes to; `kept` is the worktree if wanted."""

    verdict: Verdict
    id: Digest
    exit_code: int
    kept: str | None = None
    hint: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Call:
    """Everything that the steps of one reproduction need."""

    project: Project
    past: Past
    inner: Project
    request: Request
    variables: Mapping[str, str]
    output: Callable[[bytes], None]
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What came of it: a verdict on each stage, and what ended it early."""

    stages: tuple[StageVerdict, ...]
    around: Surrounding | None
    failure: TallyError | None
    notes: tuple[str, ...]


def repro(
    project: Project,
    request: Request,
    *,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    progress: Progress = silent,
) -> Reproduced:
    """Repeat a commit's stages, or one run, in a worktree and environment of their own, and compare.

    The user's worktree, index and receipts stay as they are. Raises NotTrusted before anything runs.
    """
    found = past(project, request.target, request.stages, request.folder)
    require_grant(project, [command_of(each) for each in found.recorded.values()])
    started = now()
    keep = _place_to_keep(project, found) if request.keep else None
    with isolated(project, found.treeish, keep) as inner:
        attempt = _attempt(_Call(project, found, inner, request, variables, output, progress))
    verdict = _verdict(found, attempt, started)
    return Reproduced(
        verdict,
        ledger.append_verdict(project, verdict),
        _exit_code(verdict, attempt),
        None if keep is None else str(keep),
        None if attempt.failure is None else attempt.failure.hint,
        attempt.notes,
    )


def _attempt(call: _Call) -> _Attempt:
    """Repeat stage after stage, until one can't be repeated."""
    judged: list[StageVerdict] = []
    around: list[Surrounding] = []
    try:
        bring_roots(call.project, call.past, call.inner, call.progress)
        for each in call.past.recorded.values():
            around.append(_surrounding(call, each))
            one = _reenact(call, each, around[-1])
            judged.append(one.verdict)
            if one.exit_code:
                return _attempted(call, judged, around, _failed(each, one))
    except (ObjectMissing, EnvironmentNotRebuilt) as error:
        return _attempted(call, judged, around, error)
    return _attempted(call, judged, around, None)


def _surrounding(call: _Call, recorded: Recorded) -> Surrounding:
    return surrounding(
        call.project,
        call.inner.git.root,
        recorded.receipt,
        call.variables,
        rebuild_environment=call.request.rebuild,
        progress=call.progress,
    )


def _reenact(call: _Call, recorded: Recorded, around: Surrounding) -> Judged:
    call.progress.say(f"repeating `{recorded.receipt.stage}`: {command_of(recorded)}")
    halves = Halves(call.project, call.past, call.inner, recorded)
    return reenact(halves, around.variables, output=call.output, progress=call.progress)


def _failed(recorded: Recorded, judged: Judged) -> CommandFailed:
    return CommandFailed(
        f"stage `{recorded.receipt.stage}` ended with exit code {judged.exit_code}",
        hint="repeat with `--keep` to look at the worktree where it failed",
    )


def _attempted(
    call: _Call, judged: list[StageVerdict], around: list[Surrounding], failure: TallyError | None
) -> _Attempt:
    """Add the stages that it did not come to, with the reason."""
    left = list(call.past.recorded.values())[len(judged) :]
    reasons = [
        failure.message if failure is not None else "",
        *["a stage before it could not be repeated"] * len(left),
    ]
    if failure is not None and judged and judged[-1].outcome == UNBUILT:
        reasons = reasons[1:]
    unbuilt = [
        StageVerdict(each.receipt.stage, each.id, UNBUILT, (), 0.0, reason)
        for each, reason in zip(left, reasons, strict=False)
    ]
    notes = dict.fromkeys(note for each in around for note in each.notes)
    return _Attempt((*judged, *unbuilt), around[-1] if around else None, failure, tuple(notes))


def _verdict(found: Past, attempt: _Attempt, started: str) -> Verdict:
    around = attempt.around
    return Verdict(
        outcome=worst(each.outcome for each in attempt.stages),
        target=found.target,
        commit=found.commit,
        stages=attempt.stages,
        started=started,
        python=NO_PYTHON if around is None else around.python,
        platform=sysconfig.get_platform() if around is None else around.platform,
        environment=None if around is None else around.environment,
        tool=f"tally {__version__}",
    )


def _exit_code(verdict: Verdict, attempt: _Attempt) -> int:
    if attempt.failure is not None:
        return attempt.failure.exit_code
    return 0 if verdict.outcome in REPRODUCED else 1


def _place_to_keep(project: Project, found: Past) -> Path:
    return project.home / "kept" / f"{found.treeish[:10]}-{time.strftime('%Y%m%d-%H%M%S')}"
