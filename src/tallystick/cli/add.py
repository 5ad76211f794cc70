"""tally add."""

from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, force_option, targets_argument
from tallystick.cli.text import count_text, size_text, style
from tallystick.flows.add import Added, AddedPath, add


@click.command("add")
@targets_argument(required=True)
@click.option("--glob", "patterns", is_flag=True, help="Take the targets as patterns: `*`, `**`, `?`.")
@click.option("--no-stage", is_flag=True, help="Leave git's index alone.")
@force_option("Replace pointers that can't be read, and track what a stage makes as data of its own.")
@click.pass_context
def command(ctx: click.Context, targets: Sequence[str], patterns: bool, no_stage: bool, force: bool) -> None:
    """Store files and folders, and track them by pointers.

    The bytes go into the local store, a small pointer `<path>.tally` goes into git, and git ignores the data
    itself. Adding a path again records what it holds now.

    \b
    Example:
      tally add data/images data/labels.csv
      tally add --glob 'data/*.parquet'
      git commit -m "Add the data"
    """
    current = context(ctx)
    paths = chosen_paths(current, targets)
    result = add(
        current.project(),
        paths,
        patterns=patterns,
        stage=not no_stage,
        force=force,
        progress=current.progress(),
    )
    render.report(current, result, _lines)


def _lines(result: Added) -> Iterator[str]:
    yield from (_line(path) for path in result.paths)
    yield from (f"note: {note}" for note in result.notes)
    if not result.staged:
        yield "Next: `git add` the pointers and what changed in `.gitignore`"


def _line(added: AddedPath) -> str:
    what = "1 file" if added.files is None else count_text(added.files, "file")
    state = {"new": "added", "changed": "updated", "unchanged": "unchanged"}[added.state]
    kind = "faint" if added.state == "unchanged" else "good"
    return f"{style(state.ljust(9), kind)}  {added.path}  ({what}, {size_text(added.size)})"
