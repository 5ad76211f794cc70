"""Show one run in full: by its id, by its stage, or by a path that it made."""

import posixpath
from collections.abc import Iterator
from dataclasses import replace

from tallystick.data.tracked import Tracked, pointers_of
from tallystick.digest import Digest
from tallystick.errors import ObjectsError, Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.pointer import SUFFIX
from tallystick.records.receipt import Receipt
from tallystick.records.verdict import Verdict
from tallystick.runs import ledger
from tallystick.runs.edited import originals
from tallystick.runs.ledger import Damaged
from tallystick.runs.pipelines import Graph, load
from tallystick.runs.receipts import recorded

TAIL = 20
"""Lines of the output that are shown unasked."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of something: the receipt of the run it comes from, or what its pointer says.

    `edited` is the run that the receipt was made from before somebody edited it by hand.
    """

    target: str
    run: Digest | None = None
    receipt: Receipt | None = None
    tracked: Tracked | None = None
    verdict: Verdict | None = None
    output: str | None = None
    output_lines: int = 0
    notes: tuple[str, ...] = ()
    edited: Digest | None = None


def show(project: Project, target: str, *, folder: str = "", whole_output: bool = False) -> Shown:
    """Find what a word means: a run, a verdict, a stage, a path. Raises Refused if it means nothing."""
    graph = load(project)
    path = posixpath.normpath(posixpath.join(folder, target)).removesuffix(SUFFIX)
    for address in (f"{folder}:{target}", target):
        if address in graph.steps:
            return _of_stage(project, graph, address, whole_output)
    tracked = pointers_of(project).at(path)
    if tracked is not None or graph.maker(path) is not None:
        return _of_path(project, graph, path, tracked, whole_output)
    if ledger.seems_run(target):
        return _of_id(project, target, whole_output)
    raise Refused(f"`{target}` is no run, stage or tracked path", hint="see `tally log` and `tally status`")


def _of_id(project: Project, target: str, whole_output: bool) -> Shown:
    try:
        run = ledger.find(project, target)
    except Refused:
        verdict = ledger.find_verdict(project, target)
        if verdict is None:
            raise
        return Shown(target, verdict[0], verdict=verdict[1])
    return _of_receipt(project, target, run.id, run.receipt, whole_output)


def _of_stage(project: Project, graph: Graph, address: str, whole_output: bool) -> Shown:
    """The receipt that the worktree holds, else the newest run in the ledger."""
    present = recorded(project, graph.steps[address])
    if present is not None:
        shown = _of_receipt(project, address, present.id, present.receipt, whole_output)
        return replace(shown, edited=originals(project, [present]).get(present.id))
    for run in ledger.runs(project):
        if not isinstance(run, Damaged) and run.receipt.stage == address:
            return _of_receipt(project, address, run.id, run.receipt, whole_output)
    raise Refused(f"stage `{address}` has never run", hint=f"tally run {address}")


def _of_path(project: Project, graph: Graph, path: str, tracked: Tracked | None, whole_output: bool) -> Shown:
    """The run that made what the pointer stands for, and the pointer itself."""
    maker = graph.maker(path)
    if maker is None:
        return Shown(path, tracked=tracked)
    for identity, receipt, edited in _runs_of(project, graph, maker):
        made = {artifact.path: artifact.digest for artifact in receipt.outs}
        if tracked is None or made.get(tracked.path) == tracked.pointer.digest:
            shown = _of_receipt(project, path, identity, receipt, whole_output)
            return replace(shown, tracked=tracked, edited=edited)
    return Shown(path, tracked=tracked, notes=(f"no run of `{maker}` is known to have made this",))


def _runs_of(project: Project, graph: Graph, address: str) -> Iterator[tuple[Digest, Receipt, Digest | None]]:
    """The stage's receipt in the worktree, and what it was made from if it was edited; then its runs."""
    present = recorded(project, graph.steps[address])
    if present is not None:
        yield present.id, present.receipt, originals(project, [present]).get(present.id)
    for run in ledger.runs(project):
        if not isinstance(run, Damaged) and run.receipt.stage == address:
            yield run.id, run.receipt, None


def _of_receipt(
    project: Project, target: str, identity: Digest, receipt: Receipt, whole_output: bool
) -> Shown:
    text, notes = _output(project, receipt)
    lines = [] if text is None else text.splitlines()
    kept = lines if whole_output else lines[-TAIL:]
    return Shown(
        target,
        identity,
        receipt,
        output=None if text is None else "\n".join(kept),
        output_lines=len(lines),
        notes=notes,
    )


def _output(project: Project, receipt: Receipt) -> tuple[str | None, tuple[str, ...]]:
    """What the command wrote, if the local store has it."""
    if receipt.log is None:
        return None, ()
    try:
        return project.store.read(receipt.log).decode(errors="replace"), ()
    except ObjectsError:
        return None, (f"its output ({receipt.log}) is not in the local store",)
