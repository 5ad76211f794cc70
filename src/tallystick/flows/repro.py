"""Rebuild a past run, execute it again in isolation, and say whether the halves match."""

import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.project.trust import require_grant
from tallystick.records.verdict import REPRODUCED, Verdict
from tallystick.reproduction.attempt import Attempt, Manner, Trial
from tallystick.reproduction.baseline import Against, baseline_of
from tallystick.reproduction.explaining import explain, present_past
from tallystick.reproduction.judging import carry_out, verdict_of
from tallystick.reproduction.past import Past, command_of, past
from tallystick.reproduction.policies import write_policies
from tallystick.reproduction.unpickling import allowed
from tallystick.runs import ledger
from tallystick.runs.execution import now
from tallystick.runs.pipelines import load


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be repeated, and how: a commit or run, some of its stages, in which manner.

    With `explain` its axes are swapped with those of another commit or run; `""` is the present worktree.
    `against` is a commit or run whose metrics are compared with, `fail_if` are conditions on both.
    """

    target: str = "HEAD"
    stages: tuple[str, ...] = ()
    folder: str = ""
    keep: bool = False
    manner: Manner = field(default_factory=Manner)
    explain: str | None = None
    write_tolerance: bool = False
    against: str | None = None
    fail_if: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reproduced:
    """The verdict, its id in the ledger, and the exit code it comes to; `kept` is the worktree if wanted.

    `written` are the pipelines that the measured spread was written into.
    """

    verdict: Verdict
    id: Digest
    exit_code: int
    kept: str | None = None
    hint: str | None = None
    notes: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    against: Against | None = None


def repro(
    project: Project,
    request: Request,
    *,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    progress: Progress = silent,
) -> Reproduced:
    """Repeat a commit's stages, or one run, in a worktree and environment of their own, and compare.

    The user's worktree, index and receipts stay as they are, but for the tolerance that they ask to be
    written. Raises NotTrusted before anything runs.
    """
    found = past(project, request.target, request.stages, request.folder)
    require_grant(project, [command_of(each) for each in found.recorded.values()])
    other = _other(project, request, found, variables)
    baseline = baseline_of(project, request.against, request.fail_if, found, request.folder)
    started = now()
    keep = _place_to_keep(project, found) if request.keep else None
    trial = Trial(project, found, _manner(project, request), variables, output, progress)
    made = carry_out(trial, keep)
    if other is not None:
        made = replace(made, stages=explain(trial, made, other))
    verdict = verdict_of(trial, made, started)
    whole = made.failure is None
    compared = baseline.against(found, made.metrics, repeated=True) if baseline and whole else None
    return Reproduced(
        verdict,
        ledger.append_verdict(project, verdict),
        _exit_code(verdict, made, compared),
        None if keep is None else str(keep),
        None if made.failure is None else made.failure.hint,
        made.notes,
        write_policies(trial, made) if request.write_tolerance and whole else (),
        compared,
    )


def _other(project: Project, request: Request, found: Past, variables: Mapping[str, str]) -> Past | None:
    """The run whose axes are swapped in; raise NotTrusted if its commands may not run either."""
    if request.explain is None:
        return None
    if request.explain:
        other = past(project, request.explain, request.stages, request.folder)
        require_grant(project, [command_of(each) for each in other.recorded.values()])
    else:
        steps = load(project).steps
        require_grant(project, [steps[address].command for address in found.recorded if address in steps])
        other = present_past(project, found, variables)
    if not other.recorded.keys() & found.recorded.keys():
        raise Refused(
            f"`{other.target}` and `{found.target}` have no stage in common", hint="see `tally log --all`"
        )
    return other


def _manner(project: Project, request: Request) -> Manner:
    """How the user wants it, this time or always."""
    return replace(request.manner, unpickle=request.manner.unpickle or allowed(project))


def _exit_code(verdict: Verdict, made: Attempt, compared: Against | None) -> int:
    if made.failure is not None:
        return made.failure.exit_code
    failed = compared is not None and compared.failed
    return 0 if verdict.outcome in REPRODUCED and not failed else 1


def _place_to_keep(project: Project, found: Past) -> Path:
    return project.home / "kept" / f"{found.treeish[:10]}-{time.strftime('%Y%m%d-%H%M%S')}"
