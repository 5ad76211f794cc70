"""tally plots."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from tallystick import files
from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import Context, context
from tallystick.cli.curves import LETTERS, chart_lines
from tallystick.cli.gallery import gallery
from tallystick.cli.options import own_folder
from tallystick.cli.page import is_ours
from tallystick.cli.text import size_text, style, table
from tallystick.errors import Refused
from tallystick.flows.plots import Plots, image_data, plots
from tallystick.runs.sheet import Chart, Matrix


@click.command("plots")
@click.argument("targets", nargs=-1, shell_complete=complete_stages)
@click.option("-n", "--last", type=click.IntRange(1), metavar="N", help="The newest N runs of each stage.")
@click.option("--html", "file", metavar="FILE", help="Write a page for a browser.")
@click.pass_context
def command(ctx: click.Context, targets: tuple[str, ...], last: int | None, file: str | None) -> None:
    """Draw metrics and plots, of several runs over each other.

    TARGETS are runs' ids from `tally log`, stages, or paths of plots; without any, all stages as they last
    ran. Drawn is what `tallystick.log` was told, and what stages name under `plots`: tables (CSV, TSV, JSON)
    and images. A curve goes over a column of steps, or whatever `x` says in the `plots` of `tally.yaml`.

    The page holds everything itself: it loads nothing, and runs no script.

    \\b
    Examples:
      tally plots
      tally plots train --last 3
      tally plots 3f2a91c0 77ab0e12 --html compare.html
    """
    current = context(ctx)
    project = current.project()
    folder = own_folder(project, current.directory)
    found = plots(project, targets, last=last, folder=folder)
    anything = bool(found.charts or found.matrices or found.images)
    if file is not None and anything:
        _write(current, found, file)
    else:
        render.show(current, found, _lines)
    render.finish(0 if anything else 1)


def _write(current: Context, found: Plots, file: str) -> None:
    """Write the page, over an older one of ours but never over anything else."""
    path = Path(os.path.join(current.directory, file))
    try:
        with path.open("rb") as old:
            ours = is_ours(old.read(1000))
    except FileNotFoundError:
        ours = True
    if not ours:
        raise Refused(f"`{file}` is there already, and no page of tally's", hint="name another file")
    stages = ", ".join(dict.fromkeys(run.stage for run in found.runs))
    page = gallery(found, f"Plots of {stages}", lambda image: image_data(current.project(), image))
    files.write_atomic(path, page.encode())
    render.report(current, found, lambda _found: [f"Wrote {file} ({size_text(len(page.encode()))})"])


def _lines(found: Plots) -> Iterator[str]:
    if not found.runs:
        yield "Nothing to draw. Name files under a stage's `plots`, or call `tallystick.log`, and run."
    marks = {run.run: LETTERS[number % len(LETTERS)] for number, run in enumerate(found.runs)}
    if len(found.runs) > 1:
        yield from table([[f"{marks[run.run]}", run.stage, run.label] for run in found.runs])
    elif found.runs:
        yield f"{found.runs[0].stage}  {found.runs[0].label}"
    for chart in found.charts:
        yield from _chart(chart, [marks[curve.run] for curve in chart.curves])
    for matrix in found.matrices:
        yield from _matrix(matrix)
    for image in found.images:
        yield ""
        about = f"an image of run {image.run.short} ({size_text(image.picture.size)}): `--html` shows it"
        yield f"{style(image.picture.path, 'strong')}  {about}"
    yield from (f"note: {note}" for note in found.notes)


def _chart(chart: Chart, marks: Sequence[str]) -> Iterator[str]:
    yield ""
    where = f"logged by {chart.source}" if chart.logged else chart.source
    yield f"{style(chart.title, 'strong')}  {where}"
    yield from chart_lines([curve.points for curve in chart.curves], marks, chart.x, braille=_has_braille())


def _matrix(matrix: Matrix) -> Iterator[str]:
    """A matrix as a table; what the names of all columns begin with stands once above them."""
    yield ""
    grid = matrix.grid
    # Letters are meant, not parts of a path.
    shared, space, _rest = os.path.commonprefix(grid.columns).rpartition(" ")  # noqa: RUF071
    columns = [name.removeprefix(shared + space) for name in grid.columns]
    yield f"{style(matrix.source, 'strong')}  run {matrix.run.short}{f': {shared} …' if shared else ''}"
    rows = zip(grid.rows, grid.numbers, strict=True)
    yield from table([[name, *(f"{number:.6g}" for number in row)] for name, row in rows], ["", *columns])


def _has_braille() -> bool:
    """Whether what is printed may hold braille letters."""
    try:
        "⣿└".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
