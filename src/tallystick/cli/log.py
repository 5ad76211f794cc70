"""tally log."""

import json
from collections.abc import Iterator

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import Context, context, line_width
from tallystick.cli.repro import outcome_text
from tallystick.cli.text import columns_that_fit, seconds_text, style, table
from tallystick.flows import follow as following
from tallystick.flows import log as flow
from tallystick.flows.log import Log, Logged, LoggedVerdict

_FIXED = ("run", "started", "stage", "status", "commit", "took")


@click.command("log")
@click.argument("stages", nargs=-1, shell_complete=complete_stages)
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="So many at most.")
@click.option("-a", "--all", "every", is_flag=True, help="All of them.")
@click.option("--failed", is_flag=True, help="Only runs that failed or were interrupted.")
@click.option("-f", "--follow", is_flag=True, help="Show what running stages write, until they end.")
@click.option("--verdicts", is_flag=True, help="Reproductions instead of runs.")
@click.pass_context
def command(
    ctx: click.Context,
    stages: tuple[str, ...],
    limit: int,
    every: bool,
    failed: bool,
    follow: bool,
    verdicts: bool,
) -> None:
    """List the runs, newest first.

    Each stands with its status, its commit, and the params and metrics that differ between runs. Failed and
    interrupted runs are among them. A `*` after the commit says that the worktree held more than that commit.

    With `--follow`, it is the output of stages that run now, from another terminal say; with `--json` each
    line and each step of `tallystick.log` as an object of its own.

    \b
    Examples:
      tally log train
      tally log --failed --all
      tally log --follow train
    """
    current = context(ctx)
    most = None if every else limit
    if follow:
        _follow(current, stages)
    elif verdicts:
        render.show(current, flow.verdicts(current.project(), limit=most), _verdict_lines)
    else:
        render.show(current, flow.log(current.project(), stages, limit=most, failed=failed), _lines)


def _follow(current: Context, stages: tuple[str, ...]) -> None:
    """Write what stages say as they say it; with several, each line begins with its stage."""
    several = len(stages) != 1
    for heard in following.follow(current.project(), stages):
        if current.json:
            told = {"stage": heard.stage, "line": heard.line, "metrics": heard.metrics}
            click.echo(json.dumps({name: value for name, value in told.items() if value is not None}))
        elif heard.line is not None:
            click.echo(f"{heard.stage}: {heard.line}" if several else heard.line)


def _lines(result: Log) -> Iterator[str]:
    if not result.runs:
        yield "No runs."
    else:
        yield from _table(result, line_width())
    if result.more:
        yield "There are older runs; `--all` shows all."
    yield from (f"note: {note}" for note in result.notes)


def _table(result: Log, room: int | None) -> Iterator[str]:
    """Lay the runs out; params and metrics that a terminal's line can't hold are named below."""
    headings = [*_FIXED, *result.params, *result.metrics]
    rows = [_row(run, result) for run in result.runs]
    shown = len(headings) if room is None else max(len(_FIXED), columns_that_fit([headings, *rows], room))
    yield from table([row[:shown] for row in rows], headings[:shown])
    if shown < len(headings):
        yield f"Also different: {', '.join(headings[shown:])} (`tally show RUN` has them)"


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
