"""tally unprotect."""

from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, targets_argument
from tallystick.cli.text import count_text, style
from tallystick.flows.unprotect import Unprotected, unprotect


@click.command("unprotect")
@targets_argument(required=True)
@click.pass_context
def command(ctx: click.Context, targets: Sequence[str]) -> None:
    """Make shared, read-only data writable, as copies of your own.

    With `store.link` set to `hardlink` or `symlink` large files are the local store's too, and read-only.
    Do this before you edit one in place; replacing it by a new file needs no preparation.

    \b
    Example:
      tally unprotect data/model.bin
    """
    current = context(ctx)
    result = unprotect(current.project(), chosen_paths(current, targets), progress=current.progress())
    render.report(current, result, _lines)


def _lines(result: Unprotected) -> Iterator[str]:
    for path in result.paths:
        what = f"{count_text(path.files, 'file')} copied or made writable" if path.files else "was writable"
        yield f"{style('unprotected', 'good')}  {path.path}  ({what})"
