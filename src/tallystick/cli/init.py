"""tally init."""

from collections.abc import Iterator

import click

from tallystick.cli import render
from tallystick.cli.context import context, settings_home
from tallystick.flows.init import Initialised
from tallystick.flows.init import init as initialise


@click.command("init")
@click.option("--no-stage", is_flag=True, help="Leave git's index alone.")
@click.pass_context
def command(ctx: click.Context, no_stage: bool) -> None:
    """Make this git repository a Tallystick project.

    Writes `.tallyconfig`, which git should track, and allows this repository's own stages to run.

    \b
    Example:
      git init && tally init && git commit -m "Start tally"
    """
    current = context(ctx)
    result = initialise(current.directory, settings_home(), stage=not no_stage)
    render.report(current, result, _lines)


def _lines(result: Initialised) -> Iterator[str]:
    if result.created:
        yield f"Made `{result.root}` a Tallystick project."
        yield "Next: `tally add <data>`, `tally remote add origin <folder or URL>`"
    else:
        yield f"`{result.root}` is a Tallystick project already; nothing was changed."
    yield from (f"note: {note}" for note in result.notes)
