"""List the runs in the ledger, newest first, with what tells them apart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.receipt import Receipt
from tallystick.records.verdict import Outcome
from tallystick.runs import ledger
from tallystick.runs.interrupted import write_down
from tallystick.runs.ledger import Damaged, Run


@dataclass(frozen=True, slots=True)
class Logged:
    """One run; `params` and `metrics` are named `key`, or `file:key` outside of the usual files."""

    run: Digest
    started: str
    stage: str
    status: str
    commit: str | None
    dirty: bool
    seconds: float
    params: Mapping[str, Any]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Log:
    """Runs, the names of params and metrics that are not the same in all of them, and if there are more."""

    runs: tuple[Logged, ...]
    params: tuple[str, ...]
    metrics: tuple[str, ...]
    more: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """One reproduction."""

    verdict: Digest
    started: str
    target: str
    commit: str | None
    outcome: Outcome
    stages: tuple[str, ...]


def log(project: Project, stages: Sequence[str] = (), *, limit: int | None = 20, failed: bool = False) -> Log:
    """The newest runs of some stages, of all without."""
    write_down(project)
    notes: list[str] = []
    wanted = (run for run in _sound(project, notes) if _is_wanted(run.receipt, stages, failed))
    found = [_logged(run) for run in islice(wanted, None if limit is None else limit + 1)]
    more = limit is not None and len(found) > limit
    found = found[:limit]
    return Log(
        tuple(found),
        _differing(found, [each.params for each in found]),
        _differing(found, [each.metrics for each in found]),
        more,
        tuple(notes),
    )


def verdicts(project: Project, *, limit: int | None = 20) -> tuple[LoggedVerdict, ...]:
    """The newest reproductions."""
    return tuple(
        LoggedVerdict(
            identity,
            verdict.started,
            verdict.target,
            verdict.commit,
            verdict.outcome,
            tuple(stage.stage for stage in verdict.stages),
        )
        for identity, verdict in islice(ledger.verdicts_of(project), limit)
    )


def _sound(project: Project, notes: list[str]) -> Iterable[Run]:
    """The runs that can be believed; a note for each that can't."""
    for run in ledger.runs(project):
        if isinstance(run, Damaged):
            notes.append(run.error.message)
        else:
            yield run


def _is_wanted(receipt: Receipt, stages: Sequence[str], failed: bool) -> bool:
    return (not stages or receipt.stage in stages) and (not failed or receipt.status != "succeeded")


def _logged(run: Run) -> Logged:
    receipt = run.receipt
    return Logged(
        run.id,
        receipt.started,
        receipt.stage,
        receipt.status,
        receipt.code.commit,
        receipt.code.dirty,
        receipt.seconds,
        _flat(receipt.params, "params.yaml"),
        _flat(receipt.metrics, "metrics.json"),
    )


def _flat(files: Mapping[str, Mapping[str, Any]], usual: str) -> dict[str, Any]:
    """Values of several files under one name each."""
    return {
        key if file == usual else f"{file}:{key}": value
        for file, values in files.items()
        for key, value in values.items()
    }


def _differing(runs: Sequence[Logged], values: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names whose values differ between runs of one stage, in the order in which they first appear."""
    seen: dict[tuple[str, str], Any] = {}
    differing: set[str] = set()
    for run, found in zip(runs, values, strict=True):
        for name, value in found.items():
            if seen.setdefault((run.stage, name), value) != value:
                differing.add(name)
    return tuple(name for name in dict.fromkeys(name for _, name in seen) if name in differing)
