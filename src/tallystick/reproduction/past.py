"""A past state of the project: its stages and receipts, found by a commit or by a run's id."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tallystick.errors import Refused, TallyError
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.runs import ledger
from tallystick.runs.edited import refuse_edited
from tallystick.runs.ledger import Run
from tallystick.runs.pipelines import Graph, inside, load, load_at
from tallystick.runs.receipts import Recorded, recorded_at


@dataclass(frozen=True, slots=True)
class Past:
    """What can be repeated: receipts by address, in the order in which their stages run.

    `treeish` is what git has of the code: a commit, or the snapshot of a run that was never committed.
    """

    target: str
    treeish: str
    commit: str | None
    graph: Graph
    recorded: Mapping[str, Recorded]


def past(project: Project, target: str, stages: Sequence[str] = (), folder: str = "") -> Past:
    """Find a commit's receipts, or one run; raise Refused if there is none to repeat."""
    commit = _commit(project, target)
    if commit is None:
        return past_of_run(project, target, _run(project, target))
    graph = load_at(project, commit)
    found = recorded_at(project, commit, graph)
    wanted = _wanted(graph, found, stages, folder)
    if not wanted:
        raise Refused(
            f"commit {commit[:10]} holds no receipt to repeat",
            hint="run its stages with `tally run`, and commit what that writes",
        )
    refuse_edited(project, wanted, commit)
    return Past(target, commit, commit, graph, wanted)


def _commit(project: Project, target: str) -> str | None:
    """The commit that a word means; None if it can only mean a run. Raises Refused if it means neither."""
    try:
        return project.git.resolve(target)
    except Refused as error:
        if _is_stage(project, target):
            what = f"`{target}` is a stage, and no commit or run"
            raise Refused(what, hint=f"tally repro HEAD --stage {target}") from None
        if not ledger.seems_run(target):
            raise or_shallow(project, error) from None
        return None


def _is_stage(project: Project, word: str) -> bool:
    with suppress(TallyError):
        return word in load(project).steps
    return False


def _run(project: Project, target: str) -> Run:
    try:
        return ledger.find(project, target)
    except Refused as error:
        raise or_shallow(project, error) from None


def or_shallow(project: Project, error: Refused) -> Refused:
    """The error for what is not here, and may only not have been cloned."""
    if not (project.git.common / "shallow").is_file():
        return error
    hint = "this clone is shallow: `git fetch --unshallow` brings the commits that it lacks"
    return Refused(error.message, hint=hint)


def _wanted(
    graph: Graph, found: Mapping[str, Recorded], stages: Sequence[str], folder: str
) -> dict[str, Recorded]:
    """The receipts of the stages asked for; all without."""
    if not stages:
        return {address: each for address, each in found.items() if each.receipt.status == "succeeded"}
    chosen = {address for stage in stages for address in graph.addresses(stage, folder)}
    absent = [address for address in graph.steps if address in chosen and address not in found]
    if absent:
        raise Refused(f"stage `{absent[0]}` has no receipt there", hint="see `tally log`")
    return {address: each for address, each in found.items() if address in chosen}


def past_of_run(project: Project, target: str, run: Run) -> Past:
    """One run, with the code as it ran, committed or not; raise Refused if that can't be repeated."""
    receipt = run.receipt
    if receipt.status == "interrupted":
        raise Refused(f"run `{run.id.short}` was interrupted: it has no end to compare with")
    tree = receipt.code.tree
    graph = load_at(project, tree)
    step = graph.steps.get(receipt.stage)
    if step is None:
        raise Refused(f"the code of run `{run.id.short}` has no stage `{receipt.stage}`")
    return Past(target, tree, receipt.code.commit, graph, {receipt.stage: Recorded(step, run.id, receipt)})


def command_of(recorded: Recorded) -> str:
    """The command that a receipt would run, as a person would type it, and where if that is not here."""
    cmd, container = recorded.receipt.cmd, recorded.receipt.environment.container
    text = cmd if isinstance(cmd, str) else shlex.join(cmd)
    return text if container is None else inside(text, container.image)
