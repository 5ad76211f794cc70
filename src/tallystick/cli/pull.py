"""tally pull."""

from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.checkout import NOTHING, placed_lines, placed_total
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, force_option, jobs_option, remote_option, targets_argument
from tallystick.cli.text import count_text, size_text
from tallystick.flows.pull import Pulled, pull


@click.command("pull")
@targets_argument()
@remote_option()
@jobs_option()
@force_option()
@click.pass_context
def command(ctx: click.Context, targets: Sequence[str], remote: str | None, jobs: int, force: bool) -> None:
    """Fetch, and place the data in the worktree.

    Brings what the pointers in the worktree need, and the ledger of runs from git's own remote. Changed data
    that is stored nowhere is never overwritten without `--force`.

    \b
    Example:
      git pull && tally pull
      tally pull data/labels.csv
    """
    current = context(ctx)
    result = pull(
        current.project(),
        chosen_paths(current, targets),
        remote=remote,
        jobs=jobs,
        force=force,
        progress=current.progress(),
    )
    render.report(current, result, _lines, _total)


def _lines(result: Pulled) -> Iterator[str]:
    if result.fetched.blobs:
        sizes = f"{size_text(result.fetched.size)}, {size_text(result.fetched.received)} over the wire"
        yield f"Fetched {count_text(result.fetched.blobs, 'blob')} ({sizes})"
    yield from placed_lines(result.paths)
    if not result.paths:
        yield NOTHING
    if result.runs:
        yield f"Received {count_text(result.runs, 'run')} for the ledger"
    yield from (f"note: {note}" for note in result.notes)


def _total(result: Pulled) -> render.Total | None:
    return placed_total(result.paths, result.fetched.received)
