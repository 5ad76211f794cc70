"""tally fetch."""

from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.options import (
    chosen_paths,
    dry_run_option,
    jobs_option,
    remote_option,
    targets_argument,
)
from tallystick.cli.text import count_text, size_text
from tallystick.flows.fetch import Fetched, fetch


@click.command("fetch")
@targets_argument()
@click.option("--rev", "revs", metavar="COMMIT", multiple=True, help="Bring what this commit needs.")
@remote_option()
@jobs_option()
@dry_run_option()
@click.pass_context
def command(
    ctx: click.Context,
    targets: Sequence[str],
    revs: Sequence[str],
    remote: str | None,
    jobs: int,
    dry_run: bool,
) -> None:
    """Bring blobs into the local store.

    The worktree stays as it is; `tally checkout` places what was fetched, also without a network.

    \b
    Example:
      tally fetch
      tally fetch --rev HEAD~1 --rev v1.0 data/images
    """
    current = context(ctx)
    result = fetch(
        current.project(),
        chosen_paths(current, targets),
        revs=revs,
        remote=remote,
        jobs=jobs,
        dry_run=dry_run,
        progress=current.progress(),
    )
    render.report(current, result, _lines, _total)


def _lines(result: Fetched) -> Iterator[str]:
    blobs = f"{count_text(result.blobs, 'blob')} ({size_text(result.size)})"
    paths = count_text(result.paths, "path")
    if result.dry_run:
        yield f"Would fetch {blobs} for {paths}"
    elif result.blobs:
        yield f"Fetched {blobs} for {paths}, {size_text(result.received)} over the wire"
    elif result.paths:
        yield f"The local store has everything of {paths} already"
    else:
        yield "Nothing is tracked there"
    yield from (f"note: {note}" for note in result.notes)


def _total(result: Fetched) -> render.Total | None:
    return (
        None
        if result.dry_run or not result.paths
        else render.Total(result.files, "file", result.files_size, result.received, "received")
    )
