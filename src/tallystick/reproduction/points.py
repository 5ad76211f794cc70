"""One point of a sweep: its stages, attended in a worktree of their own, and told in plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.reproduction.apart import State, attend_apart
from tallystick.runs.attending import Attendance, StageRun
from tallystick.runs.grid import Point
from tallystick.runs.pipelines import Graph, Step

STANDING = ("up to date", "frozen")
"""What a stage is that neither runs nor is taken over: the receipt beside it tells of its run."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A point with the files that it changes, and the stages as these make them."""

    point: Point
    edits: Mapping[str, bytes]
    graph: Graph
    steps: tuple[Step, ...]


def attend_point(to: Attendance, steps: Sequence[Step], state: State) -> tuple[StageRun, ...]:
    """See to all stages of a point; a failure ends only those that need the failed one."""
    going_on = replace(to, orders=replace(to.orders, keep_going=True))
    stages = attend_apart(going_on, steps, state)
    receipts_at = {step.address: step.receipt_path for step in steps}
    return tuple(
        _standing(to.project, state.tree, stage, receipts_at[stage.stage])
        if stage.status in STANDING
        else stage
        for stage in stages
    )


def _standing(project: Project, tree: str, stage: StageRun, path: str) -> StageRun:
    """A stage that didn't have to run, with the run that its receipt tells of."""
    data = project.git.read_at(tree, [path]).get(path)
    if data is None:
        return stage
    receipt = receipts.parse(data, path)
    made = (receipt.started, receipt.author)
    return replace(stage, run=Digest.of(data), seconds=receipt.seconds, metrics=receipt.metrics, made=made)


def to_plain(stage: StageRun) -> dict[str, Any]:
    """What became of a stage, for another process."""
    return {
        "stage": stage.stage,
        "status": stage.status,
        "command": stage.command,
        "run": None if stage.run is None else str(stage.run),
        "seconds": stage.seconds,
        "metrics": {file: dict(values) for file, values in stage.metrics.items()},
        "notes": list(stage.notes),
        "complaint": stage.complaint,
        "hint": stage.hint,
        "made": None if stage.made is None else list(stage.made),
    }


def from_plain(values: Mapping[str, Any]) -> StageRun:
    """The same in the process that asked for it."""
    run, made = values["run"], values["made"]
    return StageRun(
        stage=values["stage"],
        status=values["status"],
        command=values["command"],
        run=None if run is None else Digest.parse(run),
        seconds=values["seconds"],
        metrics=values["metrics"],
        notes=tuple(values["notes"]),
        complaint=values["complaint"],
        hint=values["hint"],
        made=None if made is None else (made[0], made[1]),
    )
