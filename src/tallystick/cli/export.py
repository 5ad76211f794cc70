"""tally export."""

import os
import re
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.options import own_folder
from tallystick.cli.text import count_text, style
from tallystick.errors import WrongUsage
from tallystick.flows.export import Destination, Exported, export
from tallystick.patterns import regex

_SIZE = regex(r"(\d{1,15})\s*(?:([kmgt])?i?b?)", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


@click.group("export")
def command() -> None:
    """Show runs in another tool.

    \b
    Example:
      tally export mlflow train
    """


@command.command("mlflow")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_stages)
@click.option("--uri", metavar="URI", help="The server's address; else the setting `mlflow.uri` counts.")
@click.option("--experiment", metavar="NAME", help="The experiment; else it is named like this folder.")
@click.option(
    "--artifacts",
    "largest_out",
    metavar="SIZE",
    help="Send outs of at most this size, too: 500KiB, 20MiB.",
    callback=lambda _ctx, _param, value: _size(value),
)
@click.pass_context
def mlflow(
    ctx: click.Context,
    runs: Sequence[str],
    uri: str | None,
    experiment: str | None,
    largest_out: int | None,
) -> None:
    """Write runs to an MLflow server.

    RUN is a run's id from `tally log`, or a stage: then it is the run whose receipt lies in the worktree.
    Params, metrics with their series, the digests of data, receipt, lock and output are sent. A run that the
    server has already is not made twice: it gets what it lacks.

    The server is the one of `--uri`, of `tally config --local mlflow.uri`, or of MLFLOW_TRACKING_URI.
    To log in, set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.

    \b
    Examples:
      tally export mlflow train --uri http://localhost:5000
      tally export mlflow 3f2a91c0 8b04d1e7 --experiment digits --artifacts 20MiB
    """
    current = context(ctx)
    project = current.project()
    folder = own_folder(project, current.directory)
    exported = [
        export(
            project,
            run,
            Destination(uri, experiment),
            variables=dict(os.environ),
            largest_out=largest_out,
            folder=folder,
            progress=current.progress(),
        )
        for run in runs
    ]
    render.report(current, exported, _lines)


def _size(text: str | None) -> int | None:
    """A size as people write it."""
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise WrongUsage(f"`{text}` is no size", hint="write it like 500KiB or 20MiB")
    return int(match[1]) << _UNITS[(match[2] or "").lower()]


def _lines(exported: Sequence[Exported]) -> Iterator[str]:
    for each in exported:
        what = "is" if each.new else "was there already as"
        yield (
            f"{style(each.stage, 'strong')}: run {each.run.short} {what} MLflow's {each.id}"
            f" in experiment `{each.experiment}`"
        )
        yield f"  {_told(each)}"
        yield f"  {each.page}"
        yield from (f"  note: {note}" for note in each.notes)


def _told(each: Exported) -> str:
    """How much the server was told."""
    counts = (
        count_text(each.params, "param"),
        count_text(each.metrics, "point of metrics", "points of metrics"),
        count_text(each.inputs, "data input"),
        count_text(len(each.artifacts), "artifact"),
    )
    return f"{'sent' if each.new else 'added'} {', '.join(counts)}"
