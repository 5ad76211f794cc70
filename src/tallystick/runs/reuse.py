"""Take a stage's outs from a run that was made from the same inputs, instead of running it."""

from collections.abc import Sequence

from tallystick.data.blobs import bring
from tallystick.data.freezing import record
from tallystick.data.hashing import look
from tallystick.data.placing import place, to_place, worktree_lock
from tallystick.digest import Digest
from tallystick.errors import TallyError
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records.provenance import Hardware
from tallystick.records.receipt import Artifact, Receipt
from tallystick.runs import ledger
from tallystick.runs.aside import set_aside
from tallystick.runs.gathering import Inputs
from tallystick.runs.inputs import out_now
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.made import selected_of
from tallystick.runs.pipelines import Step
from tallystick.runs.recipes import recipe_of, runs_of
from tallystick.runs.rereading import reads_the_same
from tallystick.runs.running import environment_ref, records_of, write_environment
from tallystick.runs.staleness import same
from tallystick.runs.writing import make_folders, write_record

TRIED = 5
"""Runs of one recipe that are tried, the newest first: the outs of an older one may still be had."""

PATIENCE = 600.0
"""Seconds to wait for another tally that places files in this worktree."""


def is_reusable(project: Project, receipt: Receipt, tree: str) -> bool:
    """Whether a run's outs come from its recipe, and else from files that a tree has as they were."""
    unsound = receipt.changed or receipt.undeclared_writes
    if unsound or receipt.status != "succeeded":
        return False
    return reads_the_same(project, receipt, tree) is True


def recipe_for(step: Step, inputs: Inputs) -> Digest:
    """The recipe of the run that a stage would be now."""
    made = tuple(Artifact(out.path, "file", Digest.of(b""), 0) for out in step.outs)
    return recipe_of(
        Receipt(
            stage=step.address,
            cmd=step.stage.cmd,
            wdir=step.wdir,
            status="succeeded",
            exit_code=0,
            started="",
            seconds=0.0,
            code=inputs.code,
            environment=environment_ref(inputs.environment, inputs.container),
            hardware=Hardware("", 0, 0),
            tool="",
            author="",
            deps=inputs.deps,
            params=inputs.params,
            features=inputs.features,
            seed=step.stage.seed,
            variables=inputs.variables,
            outs=made,
            metrics={out.path: {} for out in step.outs if out.kind == "metrics"},
        )
    )


def reuse(project: Project, step: Step, inputs: Inputs, progress: Progress) -> Run | None:
    """Put the outs of an earlier run of the same inputs in place, and its receipt; None if there is none."""
    if step.stage.always_changed or not step.outs:
        return None
    for identity in runs_of(project, recipe_for(step, inputs), progress)[:TRIED]:
        run = ledger.read(project, identity)
        if isinstance(run, Damaged) or not is_reusable(project, run.receipt, inputs.code.tree):
            continue
        try:
            take(project, step, run, inputs, progress)
        except TallyError as error:
            progress.say(f"run {identity.short} can't be reused: {error.message}")
        else:
            return run
    return None


def take(project: Project, step: Step, run: Run, inputs: Inputs, progress: Progress) -> None:
    """Make the worktree hold what a run made: the outs, their pointers, and last the run's own receipt.

    What stood at the outs is stored first. Raises ObjectMissing, RemoteUnreachable, … with nothing changed
    when a blob can't be had.
    """
    wanted = [out for out in run.receipt.outs if not _is_there(project, out)]
    selected = [selected_of(out) for out in wanted]
    bring(project, selected, progress=progress)
    with set_aside(project, [out.path for out in wanted]) as aside:
        with worktree_lock(project, wait=PATIENCE):
            for one in selected:
                make_folders(project, one.tracked.path)
                place(project, to_place(project, one), progress=progress)
        aside.forget()
    written = _pointers(project, step)
    write_environment(project, step, inputs.environment)
    write_record(project, step.receipt_path, _text_of(project, run))
    project.git.stage([*written, *records_of(project, step)])


def _text_of(project: Project, run: Run) -> bytes:
    """A run's receipt as it was written: an earlier version may have written it with fewer keys."""
    data = receipts.render(run.receipt)
    if Digest.of(data) != run.id:
        data = next((text for _, text in ledger.texts(project, [run.id])), data)
    return data


def _is_there(project: Project, out: Artifact) -> bool:
    now = out_now(project, out.path)
    return now is not None and same(now, out)


def _pointers(project: Project, step: Step) -> Sequence[str]:
    """Write the pointers and ignore lines of outs that stand in their place."""
    written: list[str] = []
    for out in step.outs:
        found = look(project, out.path) if out.cache else None
        if found is not None:
            written += record(project, found, stage=step.address).written
    return written
