"""List the runs in the ledger: newest first or sorted, all or those that fit, with what tells them apart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records.receipt import Receipt
from tallystick.records.stage import PARAMS
from tallystick.records.verdict import Outcome
from tallystick.runs import conditions, ledger
from tallystick.runs.conditions import Every
from tallystick.runs.interrupted import write_down
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.naming import FACTS, METRICS, Values, flat
from tallystick.runs.searching import Search, instead, key_name


@dataclass(frozen=True, slots=True)
class Logged:
    """One run; `params` and `metrics` are named `key`, or `file:key` outside of the usual files.

    `changed` are the deps that changed while it ran: then it doesn't count as reproducible. `values` are
    those of the columns that were asked for, by their names; None where the run has none.
    """

    run: Digest
    started: str
    stage: str
    status: str
    commit: str | None
    dirty: bool
    seconds: float
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    author: str
    exit_code: int
    seed: int | None
    cause: str | None
    values: Mapping[str, Any]
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """Runs, the names of params and metrics that are not the same in all of them, and if there are more.

    `params` and `metrics` hold what was asked for by `where` and `sort` too, `columns` what was chosen.
    """

    runs: tuple[Logged, ...]
    params: tuple[str, ...]
    metrics: tuple[str, ...]
    more: bool
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """One reproduction."""

    verdict: Digest
    started: str
    target: str
    commit: str | None
    outcome: Outcome
    stages: tuple[str, ...]


def log(
    project: Project,
    stages: Sequence[str] = (),
    *,
    limit: int | None = 20,
    failed: bool = False,
    where: Sequence[str] = (),
    sort: Sequence[str] = (),
    columns: Sequence[str] = (),
    progress: Progress = silent,
) -> Log:
    """The newest runs of some stages, of all without; those that fit all conditions, the first of an order.

    `where` are conditions, `sort` names, each with a `-` before it for the other way round, `columns` names.
    Raises WrongUsage for a condition that can't be read, Refused for a name that no run knows.
    """
    condition = Every(tuple(map(conditions.parse, where)))
    write_down(project)
    notes: list[str] = []
    asked = [*map(key_name, sort), *conditions.names(condition)]
    most = None if limit is None else limit + 1
    if where or sort:
        runs = Search(project, stages, failed, condition, tuple(sort)).runs(most, progress)
    else:
        runs = ledger.runs(project, most)
    wanted = (run for run in _sound(runs, notes) if _is_wanted(run.receipt, stages, failed))
    found = [_logged(run, columns) for run in islice(wanted, most)]
    more = limit is not None and len(found) > limit
    found = found[:limit]
    notes += [*_unsure(found), *_empty(found, columns)]
    if stages and not (found or failed or where):
        notes.append(
            f"no run is of {', '.join(f'`{stage}`' for stage in stages)}; without a name all are shown"
        )
    return Log(
        tuple(found),
        _differing(found, [each.params for each in found], asked),
        _differing(found, [each.metrics for each in found], asked),
        more,
        tuple(notes),
        tuple(columns),
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


def _sound(runs: Iterable[Run | Damaged], notes: list[str]) -> Iterator[Run]:
    """The runs that can be believed; a note for each that can't."""
    for run in runs:
        if isinstance(run, Damaged):
            notes.append(run.error.message)
        else:
            yield run


def _is_wanted(receipt: Receipt, stages: Sequence[str], failed: bool) -> bool:
    return (not stages or receipt.stage in stages) and (not failed or receipt.status != "succeeded")


def _logged(run: Run, columns: Sequence[str]) -> Logged:
    receipt = run.receipt
    values = Values.of(run.id, receipt)
    return Logged(
        run.id,
        receipt.started,
        receipt.stage,
        receipt.status,
        receipt.code.commit,
        receipt.code.dirty,
        receipt.seconds,
        flat(receipt.params, PARAMS),
        flat(receipt.metrics, METRICS),
        receipt.author,
        receipt.exit_code,
        receipt.seed,
        receipt.cause,
        {name: values.find(name) for name in columns},
        receipt.changed,
    )


def _unsure(runs: Sequence[Logged]) -> Iterator[str]:
    """A note that names the runs of which nobody knows what they were made from."""
    some = [run for run in runs if run.changed]
    if some:
        names = ", ".join(run.run.short for run in some)
        yield f"deps changed while these ran, so they don't count as reproducible: {names}"


def _empty(runs: Sequence[Logged], columns: Sequence[str]) -> Iterator[str]:
    """A note for each column that none of the runs has a value for."""
    for name in columns if runs else ():
        if name not in FACTS and all(run.values[name] is None for run in runs):
            known = dict.fromkeys(key for run in runs for key in (*run.params, *run.metrics))
            yield f"none of these runs has `{name}`: {instead(name, [*known, *FACTS])}"


def _differing(
    runs: Sequence[Logged], values: Sequence[Mapping[str, Any]], asked: Sequence[str]
) -> tuple[str, ...]:
    """The names that were asked for, then those whose values differ between runs of one stage."""
    seen: dict[tuple[str, str], Any] = {}
    differing: set[str] = set()
    for run, found in zip(runs, values, strict=True):
        for name, value in found.items():
            if seen.setdefault((run.stage, name), value) != value:
                differing.add(name)
    names = list(dict.fromkeys(name for _, name in seen))
    first = [name for name in asked if name in names and name not in FACTS]
    return tuple(dict.fromkeys([*first, *(name for name in names if name in differing)]))
