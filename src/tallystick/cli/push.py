"""tally push."""

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
from tallystick.flows.push import Pushed, push


@click.command("push")
@targets_argument()
@remote_option()
@jobs_option()
@dry_run_option()
@click.option("--no-ledger", is_flag=True, help="Do not exchange the ledger of runs through git.")
@click.option("--no-runs", is_flag=True, help="Send the ledger alone, without what its runs made.")
@click.pass_context
def command(
    ctx: click.Context,
    targets: Sequence[str],
    remote: str | None,
    jobs: int,
    dry_run: bool,
    no_ledger: bool,
    no_runs: bool,
) -> None:
    """Send the blobs that the remote lacks.

    Without targets: everything that the worktree, HEAD and the commits since the last push need, and what
    runs made that no commit names, of a sweep for example. Then the ledger of runs goes to git's own remote.
    When this has ended well, a fresh clone can pull all of HEAD, and repeat every run in the ledger.

    \b
    Example:
      tally push && git push
      tally push data/images -r backup
    """
    current = context(ctx)
    result = push(
        current.project(),
        chosen_paths(current, targets),
        remote=remote,
        jobs=jobs,
        dry_run=dry_run,
        with_ledger=not no_ledger,
        with_runs=not no_runs,
        progress=current.progress(),
    )
    render.report(current, result, _lines, _total)


def _lines(result: Pushed) -> Iterator[str]:
    counted = ((result.paths, "path"), (result.runs, "run"))
    of = " and ".join(count_text(*each) for each in counted if each[0]) or "receipts, locks and vaults"
    whole = f"{count_text(result.blobs, 'blob')} of {of}"
    size = size_text(result.sent_bytes)
    if not result.paths and not result.blobs:
        yield "Nothing is tracked yet: `tally add <data>`"
    elif result.dry_run:
        yield f"Would send {count_text(result.sent_blobs, 'blob')} ({size} before compression), of {whole}"
    elif result.sent_blobs:
        packs = count_text(result.packs, "pack")
        yield f"Sent {size} in {packs} to `{result.remote}`, which has all {whole}"
    else:
        yield f"`{result.remote}` has everything already: {whole}"
    if result.ledger is not None:
        yield f"The ledger is on git's `{result.ledger}`"
    yield from (f"note: {note}" for note in result.notes)


def _total(result: Pushed) -> render.Total | None:
    if result.dry_run or not (result.paths or result.sent_blobs):
        return None
    if not result.paths:
        return render.Total(result.blobs, "blob", result.size, result.sent_bytes, "sent")
    return render.Total(result.files, "file", result.files_size, result.sent_bytes, "sent")
