"""Perform one stage in the user's worktree: from its inputs to its receipt."""

import os
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from itertools import chain

import tallystick
from tallystick.containers.images import Resolved
from tallystick.data.freezing import freeze, keep
from tallystick.digest import Digest
from tallystick.envs.capture import wheel_data
from tallystick.envs.captured import Captured
from tallystick.envs.hardware import hardware
from tallystick.envs.host import host
from tallystick.errors import BadRecord, DiskFull, Refused
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records import metrics as metrics_record
from tallystick.records import receipt as receipts
from tallystick.records.provenance import EnvironmentRef
from tallystick.records.receipt import Artifact, Receipt, Status
from tallystick.runs import ledger
from tallystick.runs.accounts import (
    KILLED,
    UNFINISHED,
    concluded,
    described,
    metrics_files,
    partial_metrics,
)
from tallystick.runs.aside import set_aside
from tallystick.runs.contained import UNSTARTED, executed_inside
from tallystick.runs.declaring import declare, settle
from tallystick.runs.execution import Execution, execute, now, stage_variables
from tallystick.runs.gathering import Inputs
from tallystick.runs.inputs import (
    Surroundings,
    dep_now,
    out_now,
)
from tallystick.runs.live import RECORD, place_of
from tallystick.runs.pipelines import Output, Step, read_file
from tallystick.runs.pythons import as_it_ran
from tallystick.runs.receipts import NO_PYTHON
from tallystick.runs.recording import VARIABLE as RECORD_VARIABLE
from tallystick.runs.recording import Record, fresh
from tallystick.runs.staleness import same
from tallystick.runs.submodules import uncommitted
from tallystick.runs.undeclared import denial, found, got_through, observed, remarks
from tallystick.runs.writing import make_folders, write_record
from tallystick.tracing.accesses import Undeclared

NOT_FOUND = 127
"""The exit code for a program that isn't there."""

SHELLS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"})
"""Words that mean something to a shell, and nothing in a command that is a list."""

_FOR_SHELLS = "is a word like any other in a list: for the shell, write the command as a text"


@dataclass(frozen=True, slots=True)
class Made:
    """What a stage left behind; `complaint` says why that is no success."""

    outs: tuple[Artifact, ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    complaint: str | None = None


@dataclass(frozen=True, slots=True)
class Performed:
    """A run that is over: its id in the ledger, its receipt, what went wrong, and remarks."""

    id: Digest
    receipt: Receipt
    complaint: str | None
    notes: tuple[str, ...]


def perform(
    project: Project,
    step: Step,
    inputs: Inputs,
    surroundings: Surroundings,
    *,
    output: Callable[[bytes], None],
    progress: Progress,
) -> Performed:
    """Run a stage, and write down what came of it: outs, environment, ledger, and last its receipt.

    A stage that fails or is interrupted gives back the outs that its command did not write itself.
    """
    _keep_environment(project, inputs.environment)
    with fresh(place_of(project, step.address, RECORD)) as record:
        return _performed(project, step, inputs, surroundings, record, output, progress)


def _performed(
    project: Project,
    step: Step,
    inputs: Inputs,
    surroundings: Surroundings,
    record: Record,
    output: Callable[[bytes], None],
    progress: Progress,
) -> Performed:
    variables = _variables(step, inputs, surroundings)
    there = environment_ref(inputs.environment, inputs.container)
    ref = described(project, step, inputs.environment, there, variables)
    write_atomic(record.pending, receipts.render(_pending(project, step, inputs, ref)))
    with set_aside(project, [out.path for out in step.outs]) as aside:
        execution, touched = _executed(project, step, inputs, variables, surroundings, record, output)
        slipped = got_through(project, step, touched, execution.started)
        made = _made(project, step, execution, progress, slipped)
        if made.complaint is None:
            aside.forget()
        elif not execution.interrupted and not slipped:
            made = replace(made, complaint=made.complaint + denial(step, touched))
    inputs, ref = _as_it_ran(project, step, inputs, ref, record, surroundings)
    declared: tuple[str, ...] = ()
    if surroundings.declare and made.complaint is None and touched.reads:
        grown = declare(project, step, inputs.deps, touched, execution.started)
        step, touched, declared = grown.step, grown.touched, grown.notes
        if grown.produced_by is not None:
            inputs = replace(inputs, deps=grown.deps, produced_by=grown.produced_by)
    receipt = _receipt(project, step, inputs, ref, execution, made)
    receipt = concluded(receipt, execution, record, made.complaint, variables, inputs.environment)
    receipt = replace(
        receipt,
        changed=_changed(project, inputs.deps, surroundings),
        undeclared=touched.reads,
        undeclared_writes=touched.writes,
        trace=step.stage.trace,
        isolated=surroundings.standing_for is not None,
    )
    if made.complaint is None:
        write_environment(project, step, inputs.environment)
    identity = _appended(project, record, receipt, text := receipts.render(receipt))
    if made.complaint is None:
        write_record(project, step.receipt_path, text)  # the commit point
        project.git.stage([*made.written, *records_of(project, step)])
    notes = (*_notes(project, receipt, inputs), *_hidden(project, step), *declared, *remarks(step, touched))
    return Performed(identity, receipt, made.complaint, notes)


def _as_it_ran(
    project: Project,
    step: Step,
    inputs: Inputs,
    ref: EnvironmentRef,
    record: Record,
    surroundings: Surroundings,
) -> tuple[Inputs, EnvironmentRef]:
    """What a command ran in, where it is another Python than its words told."""
    if inputs.container is not None:
        return inputs, ref
    seen = as_it_ran(project, step, inputs.environment, record, surroundings)
    if seen.captured is not inputs.environment:
        _keep_environment(project, seen.captured)
        inputs = replace(inputs, environment=seen.captured)
        variables = _variables(step, inputs, surroundings)
        ref = described(project, step, seen.captured, environment_ref(seen.captured), variables)
    return inputs, replace(ref, drift=(*ref.drift, *seen.remarks))


def _appended(project: Project, record: Record, receipt: Receipt, text: bytes) -> Digest:
    """Keep a receipt in the ledger, in the room that was kept free for it."""
    record.reserve.unlink(missing_ok=True)
    try:
        return ledger.append(project, receipt, text)
    except DiskFull as error:
        hint = "free some space: the next `tally run`, `log` or `status` writes it down"
        what = f"stage `{receipt.stage}` ended, but there is no room for its receipt: {error.message}"
        raise DiskFull(what, hint=hint) from error


def _keep_environment(project: Project, captured: Captured | None) -> None:
    """Store what a rebuild of the environment needs, before anything runs in it."""
    if captured is not None:
        with project.store.writer() as writer:
            writer.add(environments.render(captured.lock))
            for wheel in captured.wheels:
                if not project.store.contains(wheel.digest):
                    writer.add(wheel_data(wheel))


def _executed(
    project: Project,
    step: Step,
    inputs: Inputs,
    variables: Mapping[str, str],
    surroundings: Surroundings,
    record: Record,
    output: Callable[[bytes], None],
) -> tuple[Execution, Undeclared]:
    """Run the command, here or in its container, and see what it touches."""
    if surroundings.declare or step.stage.trace == "enforce":
        settle()  # files that a worktree, or the stage before, has just brought are judged by their times
    if inputs.container is not None:
        return executed_inside(project, step, inputs.container, variables, surroundings, record, output)
    cwd = project.git.root / step.cwd
    for out in step.outs:
        make_folders(project, out.path)
    variables = {**variables, RECORD_VARIABLE: str(record.folder)}
    with observed(project, step, variables) as tracer:
        execution = execute(
            project,
            step.stage.cmd,
            cwd=cwd,
            variables=variables,
            output=output,
            record=record,
            stop=surroundings.stop,
            lock=surroundings.lock,
            tracer=tracer,
        )
        return execution, found(project, step, tracer)


def _made(project: Project, step: Step, execution: Execution, progress: Progress, slipped: str) -> Made:
    """Take in what the command wrote, unless it failed, or wrote what it must not."""
    if execution.interrupted or execution.exit_code != 0:
        ended = f"failed: its command ended with exit code {execution.exit_code}{_several(step, execution)}"
        complaint = "was interrupted" if execution.interrupted else ended
        more = "" if execution.log_cut is None else f"; {execution.log_cut}"
        return Made(metrics=partial_metrics(project, step), complaint=complaint + more)
    if slipped:
        return Made(metrics=partial_metrics(project, step), complaint=f"failed: {slipped}")
    if execution.log_cut is not None:
        return Made(metrics=partial_metrics(project, step), complaint=f"failed: {execution.log_cut}")
    try:
        taken = [_taken(project, step, out, progress) for out in step.outs]
        metrics = {path: _metrics(project, path) for path in metrics_files(project, step)}
    except (BadRecord, Refused, DiskFull) as error:
        complaint = f"failed: {error.message}{_unquoted(step)}"
        return Made(metrics=partial_metrics(project, step), complaint=complaint)
    outs, written = zip(*taken, strict=True) if taken else ((), ())
    return Made(outs, metrics, tuple(chain.from_iterable(written)))


def _several(step: Step, execution: Execution) -> str:
    """Why a list of commands, as DVC knows it, can't be found, or that a container never began."""
    cmd = step.stage.cmd
    if step.stage.image is not None and execution.exit_code == UNSTARTED:
        return f": its container could not be started from `{step.stage.image}`"
    if execution.exit_code != NOT_FOUND or isinstance(cmd, str) or " " not in cmd[0]:
        return _unquoted(step)
    return f": no program is called `{cmd[0]}`; a list is one command, word by word"


def _unquoted(step: Step) -> str:
    """What a list with words for a shell does, where its stage failed: most likely that is why."""
    words = () if isinstance(step.stage.cmd, str) else step.stage.cmd
    found = next((word for word in words if word in SHELLS), None)
    return "" if found is None else f"; `{found}` {_FOR_SHELLS}"


def _metrics(project: Project, path: str) -> Mapping[str, float]:
    return metrics_record.read(read_file(project, path) or b"", path)


def _taken(project: Project, step: Step, out: Output, progress: Progress) -> tuple[Artifact, tuple[str, ...]]:
    """Store an out and write its pointer; one that git keeps is only stored."""
    if out_now(project, out.path) is None:
        raise Refused(f"its command did not write `{out.path}`")
    if not out.cache:
        # Git keeps it once it is committed; stored here too, another run of the same inputs can be spared.
        kept = keep(project, out.path, progress)
        assert kept is not None
        return kept.artifact, ()
    frozen = freeze(project, out.path, stage=step.address, progress=progress)
    return frozen.held.artifact, frozen.written


def _variables(step: Step, inputs: Inputs, surroundings: Surroundings) -> dict[str, str]:
    base = surroundings.variables if inputs.container is None else {}
    return stage_variables(base, step.address, step.stage.seed, inputs.variables)


def _pending(project: Project, step: Step, inputs: Inputs, ref: EnvironmentRef) -> Receipt:
    """The receipt of a run that nobody will be left to write down."""
    execution = Execution(KILLED, now(), 0.0, None, interrupted=True)
    receipt = _receipt(project, step, inputs, ref, execution, Made(complaint=UNFINISHED))
    return replace(receipt, cause=UNFINISHED)


def _receipt(
    project: Project, step: Step, inputs: Inputs, ref: EnvironmentRef, execution: Execution, made: Made
) -> Receipt:
    return Receipt(
        stage=step.address,
        cmd=step.stage.cmd,
        wdir=step.wdir,
        status=_status(execution, made),
        exit_code=execution.exit_code,
        started=execution.started,
        seconds=execution.seconds,
        code=inputs.code,
        environment=ref,
        hardware=hardware(),
        host=host(),
        tool=f"tally {tallystick.__version__}",
        author=project.git.author(),
        deps=inputs.deps,
        params=inputs.params,
        features=inputs.features,
        seed=step.stage.seed,
        variables=inputs.variables,
        outs=made.outs,
        metrics=made.metrics,
        produced_by=inputs.produced_by,
        log=execution.log,
        tolerance=step.tolerance,
    )


def _status(execution: Execution, made: Made) -> Status:
    if execution.interrupted:
        return "interrupted"
    return "failed" if made.complaint is not None else "succeeded"


def environment_ref(captured: Captured | None, container: Resolved | None = None) -> EnvironmentRef:
    """What a receipt says of the environment that a command ran in."""
    if container is not None:
        return EnvironmentRef(None, NO_PYTHON, container.record.platform, container=container.record)
    if captured is None:
        return EnvironmentRef(None, NO_PYTHON, sysconfig.get_platform())
    digest = environments.identity(captured.lock)
    return EnvironmentRef(digest, captured.python, captured.platform, digest)


def _changed(project: Project, deps: tuple[Artifact, ...], surroundings: Surroundings) -> tuple[str, ...]:
    """The deps that are no longer what they were before the command ran."""
    after = surroundings.noted.artifacts(project, [before.path for before in deps], dep_now)
    pairs = ((before, after[before.path]) for before in deps)
    return tuple(
        before.path for before, now in pairs if now is not before and (now is None or not same(before, now))
    )


def write_environment(project: Project, step: Step, captured: Captured | None) -> None:
    """Write the environment that ran beside its pipeline."""
    if captured is not None:
        write_record(project, step.lock_path, environments.render(captured.lock))


def records_of(project: Project, step: Step) -> list[str]:
    """The records of ours that git should keep."""
    paths = [step.receipt_path, step.lock_path]
    return [path for path in paths if (project.git.root / path).exists()]


def _became(project: Project, path: str) -> str:
    return "changed" if os.path.lexists(project.git.root / path) else "vanished"


def _hidden(project: Project, step: Step) -> Iterator[str]:
    """Outs that only git would keep, and that its ignores keep from it: no clone would ever see them."""
    for path in sorted(project.git.ignored(out.path for out in step.outs if not out.cache)):
        yield f"`{path}` is left to git, and git ignores it: take the line for it out of `.gitignore`"


def _notes(project: Project, receipt: Receipt, inputs: Inputs) -> tuple[str, ...]:
    unsure = "so it doesn't count as reproducible, and is out of date"
    notes = [
        f"`{path}` {_became(project, path)} while `{receipt.stage}` ran, {unsure}" for path in receipt.changed
    ]
    notes += [
        f"`{word}` {_FOR_SHELLS}"
        for word in receipt.cmd
        if not isinstance(receipt.cmd, str) and word in SHELLS
    ]
    notes += [f"`{path}` holds no number" for path, numbers in receipt.metrics.items() if not numbers]
    notes += [f"`{path}` is not what its pointer says: `tally add {path}`" for path in inputs.unadded]
    if receipt.code.left_out:
        names = ", ".join(f"`{path}`" for path in receipt.code.left_out[:3])
        rest = "" if len(receipt.code.left_out) <= 3 else f" and {len(receipt.code.left_out) - 3} more"
        notes.append(f"left out of the snapshot (large, secret, or of another repository): {names}{rest}")
    notes += [
        f"`{path}` holds uncommitted work: this run has it, a commit here won't; commit it there, too"
        for path in uncommitted(project, receipt.code)
    ]
    notes.extend(f"other packages than locked: {said}" for said in receipt.environment.drift[:3])
    if len(receipt.environment.drift) > 3:
        notes.append(f"and {len(receipt.environment.drift) - 3} more packages differ from lock files")
    if inputs.environment is not None:
        notes.extend(inputs.environment.problems)
    return tuple(notes)
