"""tally log."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import Context, context, line_width
from tallystick.cli.text import fitted, seconds_text, style, table
from tallystick.cli.verdicts import outcome_text
from tallystick.errors import WrongUsage
from tallystick.flows import log as flow
from tallystick.flows.log import Log, Logged, LoggedVerdict
from tallystick.runs.conditions import plain_text
from tallystick.runs.naming import FACTS

FOLLOWING = "tallystick.flows.follow"
"""What listens to running stages: loaded where that is asked for."""

_FIXED = ("run", "started", "stage", "status", "commit", "took")


@click.command("log")
@click.argument("stages", nargs=-1, shell_complete=complete_stages)
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="So many at most.")
@click.option("-a", "--all", "every", is_flag=True, help="All of them.")
@click.option("--failed", is_flag=True, help="Only runs that failed or were interrupted.")
@click.option(
    "-w", "--where", multiple=True, metavar="CONDITION", help="Only runs that fit; can be repeated."
)
@click.option(
    "--sort", multiple=True, metavar="[-]NAME", help="Order them by a value; - for the largest first."
)
@click.option("--columns", metavar="NAME,…", help="Show these values, in this order.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV table, with every param and metric.")
@click.option("-f", "--follow", is_flag=True, help="Show what running stages write, until they end.")
@click.option("--verdicts", is_flag=True, help="Reproductions instead of runs.")
@click.pass_context
def command(
    ctx: click.Context,
    stages: tuple[str, ...],
    limit: int,
    every: bool,
    failed: bool,
    where: tuple[str, ...],
    sort: tuple[str, ...],
    columns: str | None,
    as_csv: bool,
    follow: bool,
    verdicts: bool,
) -> None:
    """List the runs, newest first.

    Each stands with its status, its commit, and the params and metrics that differ between runs. Failed and
    interrupted runs are among them. A `*` after the commit says that the worktree held more than that commit.

    A CONDITION compares values by =, !=, <, <=, >, >= or ~ (contains), joined by `and`, `or` and brackets:
    params and metrics by their keys, as `file:key` where several files have one, and the facts run, started,
    stage, status, commit, dirty, seconds, author, seed, exit_code and cause. `none` is a value that is not
    there. The whole ledger is looked through; what lacks a value stands last in an order.

    With `--follow`, it is the output of stages that run now, from another terminal say; with `--json` each
    line and each step of `tallystick.log` as an object of its own.

    \b
    Examples:
      tally log train
      tally log --failed --all
      tally log --where 'accuracy > 0.9 and status = succeeded' --sort -accuracy
      tally log --columns run,train.epochs,accuracy --csv > runs.csv
      tally log --follow train
    """
    current = context(ctx)
    most = None if every else limit
    if (follow or verdicts) and (where or sort or columns or as_csv):
        raise WrongUsage("`--where`, `--sort`, `--columns` and `--csv` are for runs that have ended")
    if as_csv and current.json:
        raise WrongUsage("`--csv` and `--json` are two ways to print one result", hint="choose one")
    if follow:
        _follow(current, stages)
    elif verdicts:
        render.show(current, flow.verdicts(current.project(), limit=most), _verdict_lines)
    else:
        search = partial(flow.log, current.project(), stages, progress=current.progress())
        found = search(limit=most, failed=failed, where=where, sort=sort, columns=_named(columns))
        _show(current, found, as_csv)


def _show(current: Context, found: Log, as_csv: bool) -> None:
    """Print runs; a CSV table has no room for remarks."""
    render.show(current, found, _csv_lines if as_csv else _lines)
    for note in found.notes if as_csv else ():
        render.say(current, f"note: {note}")


def _named(columns: str | None) -> tuple[str, ...]:
    """The names between commas, each once."""
    names = [name.strip() for name in (columns or "").split(",")]
    if columns is not None and not all(names):
        raise WrongUsage("`--columns` has no name between two commas", hint="--columns run,stage,accuracy")
    return tuple(dict.fromkeys(filter(None, names)))


def _follow(current: Context, stages: tuple[str, ...]) -> None:
    """Write what stages say as they say it; with several, each line begins with its stage."""
    several = len(stages) != 1
    for heard in import_module(FOLLOWING).follow(current.project(), stages):
        if current.json:
            told = {"stage": heard.stage, "line": heard.line, "metrics": heard.metrics}
            click.echo(json.dumps({name: value for name, value in told.items() if value is not None}))
        elif heard.line is not None:
            click.echo(f"{heard.stage}: {heard.line}" if several else heard.line)


def _lines(result: Log) -> Iterator[str]:
    if not result.runs:
        yield "No runs."
    elif result.columns:
        rows = [[shown(name, run.values[name]) for name in result.columns] for run in result.runs]
        yield from table(rows, result.columns)
    else:
        yield from _table(result, line_width())
    if result.more:
        yield "There are more runs; `--all` shows all."
    yield from (f"note: {note}" for note in result.notes)


def _csv_lines(result: Log) -> Iterator[str]:
    """A line for the names and one for each run; whatever would need a second line is escaped."""
    params = list(dict.fromkeys(name for run in result.runs for name in run.params))
    metrics = list(dict.fromkeys(name for run in result.runs for name in run.metrics))
    yield _csv(result.columns or [*FACTS, *params, *metrics])
    for run in result.runs:
        if result.columns:
            yield _csv([_cell(run.values[name]) for name in result.columns])
        else:
            own = [run.run.hex() if name == "run" else getattr(run, name) for name in FACTS]
            values = [*own, *map(run.params.get, params), *map(run.metrics.get, metrics)]
            yield _csv(list(map(_cell, values)))


def _csv(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> str:
    """A value as other programs read it: nothing where there is none."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def shown(name: str, value: Any) -> str:
    """A value in a table for people."""
    match name:
        case "run":
            return str(value)[:12]
        case "started":
            return _time(value)
        case "commit":
            return _commit(value, False)
        case "seconds":
            return seconds_text(value)
        case "status":
            return style(value, "good" if value == "succeeded" else "bad")
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else plain_text(value)


def _table(result: Log, room: int | None) -> Iterator[str]:
    """Lay the runs out; params and metrics that a terminal's line can't hold are named below."""
    headings = [*_FIXED, *result.params, *result.metrics]
    rows = [_row(run, result) for run in result.runs]
    lines, hidden = fitted(headings, rows, len(_FIXED), room)
    yield from lines
    if hidden:
        yield f"Also different: {', '.join(hidden)} (`tally show RUN` has them)"


def _row(run: Logged, result: Log) -> list[str]:
    params = [str(run.params.get(name, "")) for name in result.params]
    metrics = [f"{run.metrics[name]:.6g}" if name in run.metrics else "" for name in result.metrics]
    status = style(run.status, "good" if run.status == "succeeded" else "bad")
    return [
        run.run.short,
        _time(run.started),
        run.stage,
        status,
        _commit(run.commit, run.dirty),
        seconds_text(run.seconds),
        *params,
        *metrics,
    ]


def _commit(commit: str | None, dirty: bool) -> str:
    return ("none" if commit is None else commit[:10]) + ("*" if dirty else "")


def _time(started: str) -> str:
    return started[:19].replace("T", " ")


def _verdict_lines(result: tuple[LoggedVerdict, ...]) -> Iterator[str]:
    if not result:
        yield "No reproductions."
        return
    rows = [
        [
            each.verdict.short,
            _time(each.started),
            each.target,
            _commit(each.commit, False),
            outcome_text(each.outcome),
            ", ".join(each.stages),
        ]
        for each in result
    ]
    yield from table(rows, ["verdict", "started", "target", "commit", "outcome", "stages"])
