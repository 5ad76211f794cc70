"""tally sweep."""

import os
from collections.abc import Iterator
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context, line_width
from tallystick.cli.options import MOST_JOBS, dry_run_option, own_folder, trust_option
from tallystick.cli.prompt import with_grant
from tallystick.cli.text import count_text, fitted, seconds_text, style
from tallystick.errors import WrongUsage
from tallystick.flows.sweep import PointRun, Request, Swept
from tallystick.flows.sweep import sweep as run_sweep


@click.command("sweep")
@click.argument("stages", nargs=-1, shell_complete=complete_stages)
@click.option(
    "-S",
    "--set-param",
    "settings",
    multiple=True,
    required=True,
    metavar="[FILE:]KEY=VALUES",
    help="A parameter and its values: `0.1,0.01`, `2..6`, `0..1..0.25`.",
)
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(1, MOST_JOBS),
    default=1,
    help="How many points run at the same time here.",
)
@click.option("--on", metavar="ADDRESS", help="Run on a cluster: dask://HOST:PORT.")
@click.option("--sort", metavar="[-]NAME", help="Order the table by a metric; with - the largest first.")
@click.option("--no-reuse", is_flag=True, help="Run, even where the ledger has a run of the same inputs.")
@dry_run_option("List the points, and run nothing.")
@trust_option()
@click.pass_context
def command(
    ctx: click.Context, /, stages: tuple[str, ...], trust: bool, no_reuse: bool, **options: Any
) -> None:
    """Run stages at every point of a grid of parameters.

    Each point runs in a temporary worktree, with a receipt in the ledger; your worktree and params stay as
    they are. What was run before is taken from the ledger. A point that fails does not stop the others: in
    the end they are named, and the exit code is 18. A value that holds a comma stands in quotes or brackets.

    With `--on`, workers of a cluster fetch the code by git and the data from the remote, and send results
    there.

    \b
    Examples:
      tally sweep -S train.lr=0.1,0.01 -S train.depth=2..6
      tally sweep -S lr=0.1,0.01 -j 4 --sort -accuracy train
      tally sweep -S layers=[32],[32,16] --dry-run
      tally sweep -S lr=0.1,0.01 --on dask://10.0.0.5:8786
    """
    current = context(ctx)
    by_user = ctx.get_parameter_source("jobs") is click.core.ParameterSource.COMMANDLINE
    if options["on"] is not None and by_user:
        raise WrongUsage("`-j` counts runs on this machine", hint="a cluster runs as many as it has workers")
    project = current.project()
    folder = own_folder(project, current.directory)
    request = Request(targets=stages, folder=folder, reuse=not no_reuse, **options)
    result = with_grant(
        current,
        trust,
        lambda: run_sweep(
            project, request, variables=dict(os.environ), output=current.output(), progress=current.progress()
        ),
    )
    render.show(current, result, _lines)
    ctx.exit(result.exit_code)


def _lines(result: Swept) -> Iterator[str]:
    yield from _table(result, line_width())
    yield from (f"note: {note}" for note in result.notes)
    for point in result.points:
        if point.complaint is not None:
            yield f"{point.point}: {style('failed', 'bad')}: {point.complaint}"
            if point.hint is not None:
                yield f"  {point.hint}"
    yield _total(result)


def _table(result: Swept, room: int | None) -> Iterator[str]:
    """Lay the points out; metrics that a terminal's line can't hold are named below."""
    fixed = [*result.params, "status", *([] if result.dry_run else ["run", "took"])]
    headings = [*fixed, *result.metrics]
    rows = [_row(point, result) for point in result.points]
    lines, hidden = fitted(headings, rows, len(fixed), room)
    yield from lines
    if hidden:
        yield f"Also measured: {', '.join(hidden)} (`tally show RUN` has them)"


def _row(point: PointRun, result: Swept) -> list[str]:
    params = [point.params[name] for name in result.params]
    metrics = [f"{point.metrics[name]:.6g}" if name in point.metrics else "" for name in result.metrics]
    status = style(point.status, {"failed": "bad", "would run": "faint"}.get(point.status, "good"))
    if result.dry_run:
        return [*params, status]
    run = "" if point.run is None else point.run.short
    took = seconds_text(point.seconds) if point.seconds else ""
    return [*params, status, run, took, *metrics]


def _total(result: Swept) -> str:
    """Sum up what became of the points: `12 points: 10 succeeded, 1 reused, 1 failed`."""
    statuses = [point.status for point in result.points]
    counted = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    return f"{count_text(len(statuses), 'point')}: {counted}"
