"""Find receipts that somebody edited by hand: the ledger knows their runs under other ids."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.project import Project
from tallystick.runs import ledger
from tallystick.runs.pipelines import Graph, Step
from tallystick.runs.receipts import Recorded, producers

BEFORE, AFTER = 60.0, 86400.0
"""Seconds around a run between which it came into the ledger: clocks differ, and `seconds` may be edited."""

MOST = 2000
"""Runs of the ledger that are looked at to find the one that a receipt was made from."""


def originals(project: Project, recorded: Sequence[Recorded]) -> dict[Digest, Digest]:
    """The receipts that were edited, by the ids they have now: the ids of their runs in the ledger.

    A receipt whose run isn't there at all can't be judged, and is left out.
    """
    wanted = set(ledger.missing(project, [each.id for each in recorded]))
    edited = [each for each in recorded if each.id in wanted]
    if not edited:
        return {}
    earliest = min(_began(each) for each in edited) - BEFORE
    dated = ledger.dated(project, max(earliest, 0.0))
    found: dict[Digest, Digest] = {}
    for each in edited:
        begin, end = _began(each) - BEFORE, _began(each) + each.receipt.seconds + AFTER
        near = [identity for time, identity in dated if begin <= time <= end]
        run = next(_runs(project, near[-MOST:], each.receipt.stage, each.receipt.started), None)
        if run is not None:
            found[each.id] = run
    return found


def produced_by(project: Project, graph: Graph, step: Step) -> dict[str, str]:
    """For each dep that another stage makes, the id of its run, whatever somebody wrote into its receipt."""
    made = producers(project, graph, step)
    edited = originals(project, list({one.id: one for one in made.values()}.values()))
    return {path: str(edited.get(one.id, one.id)) for path, one in made.items()}


def told_of_edited(project: Project, recorded: Sequence[Recorded], place: str = "") -> Iterator[str]:
    """A remark for each receipt that was edited by hand; `place` says which of several states has it."""
    edited = originals(project, recorded)
    for each in recorded:
        run = edited.get(each.id)
        if run is not None:
            where = f" of {place}" if place else ""
            yield (
                f"`{each.step.receipt_path}`{where} was edited by hand, so what it says is not what ran: "
                f"`tally show {run.short}` has that"
            )


def refuse_edited(project: Project, recorded: Mapping[str, Recorded], treeish: str) -> None:
    """Raise BadRecord for a receipt of a commit that was edited by hand."""
    edited = originals(project, list(recorded.values()))
    for each in recorded.values():
        run = edited.get(each.id)
        if run is not None:
            raise BadRecord(
                f"it was edited by hand: its run is {run.short}",
                f"{treeish[:10]}:{each.step.receipt_path}",
                hint=f"repeat what really ran: tally repro {run.short}",
            )


def refuse_edited_here(project: Project, recorded: Recorded) -> None:
    """Raise BadRecord for a receipt of the worktree that was edited by hand."""
    run = originals(project, [recorded]).get(recorded.id)
    if run is not None:
        what = f"it was edited by hand: its run is {run.short}"
        raise BadRecord(what, recorded.step.receipt_path, hint=f"name the run instead: {run.short}")


def _runs(project: Project, near: Sequence[Digest], stage: str, started: str) -> Iterator[Digest]:
    """The runs, among some, of a stage and a moment."""
    for identity, data in ledger.texts(project, near):
        try:
            values = json.loads(data)
            if (values["stage"], values["started"]) == (stage, started) and Digest.of(data) == identity:
                yield identity
        except (ValueError, RecursionError, KeyError, TypeError):
            continue


def _began(recorded: Recorded) -> float:
    try:
        return datetime.fromisoformat(recorded.receipt.started.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
