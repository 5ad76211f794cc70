"""tally remove."""

from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, force_option, targets_argument
from tallystick.cli.text import count_text, style
from tallystick.flows.remove import Removed, remove


@click.command("remove")
@targets_argument(required=True)
@click.option("--delete", is_flag=True, help="Delete the data in the worktree too; the stores keep it.")
@click.option("--no-stage", is_flag=True, help="Leave git's index alone.")
@force_option("Delete data even if it is stored nowhere.")
@click.pass_context
def command(ctx: click.Context, targets: Sequence[str], delete: bool, no_stage: bool, force: bool) -> None:
    """Stop tracking files and folders.

    The pointers and their ignore lines go. The data stays in the worktree, and in the stores for the commits
    that point to it.

    \b
    Example:
      tally remove data/old.csv
      tally remove data/cache --delete
    """
    current = context(ctx)
    result = remove(
        current.project(),
        chosen_paths(current, targets),
        delete=delete,
        stage=not no_stage,
        force=force,
        progress=current.progress(),
    )
    render.report(current, result, _lines)


def _lines(result: Removed) -> Iterator[str]:
    for path in result.paths:
        data = f"  ({count_text(path.deleted, 'file')} deleted)" if path.deleted else ""
        yield f"{style('removed', 'good')}  {path.pointer}{data}"
    if any(not path.deleted for path in result.paths):
        yield "The data itself stays where it is; git sees it again."
    yield from (f"note: {note}" for note in result.notes)
