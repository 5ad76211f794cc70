"""tally add."""

import os
import shlex
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import Context, context
from tallystick.cli.options import (
    MOST_JOBS,
    chosen_paths,
    force_option,
    remote_option,
    targets_argument,
    to_project_path,
)
from tallystick.cli.text import count_text, size_text, style
from tallystick.data.blobs import JOBS
from tallystick.errors import WrongUsage
from tallystick.flows.add import Added, AddedPath, add, add_to_remote


@click.command("add")
@targets_argument(required=True)
@click.option("--glob", "patterns", is_flag=True, help="Take the targets as patterns: `*`, `**`, `?`.")
@click.option(
    "--to-remote", is_flag=True, help="Send the file of a path or URL to the remote; keep no copy here."
)
@click.option("-o", "--out", metavar="PATH", help="With --to-remote: track it as this path.")
@remote_option()
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(1, MOST_JOBS),
    help="How many small files are read at the same time: more where each takes long, as on a network share."
    " With --to-remote: how many packs are sent, two at most.",
)
@click.option("--no-stage", is_flag=True, help="Leave git's index alone.")
@force_option("Replace pointers that can't be read, and track what a stage makes as data of its own.")
@click.pass_context
def command(
    ctx: click.Context,
    targets: Sequence[str],
    patterns: bool,
    to_remote: bool,
    out: str | None,
    remote: str | None,
    jobs: int | None,
    no_stage: bool,
    force: bool,
) -> None:
    """Store files and folders, and track them by pointers.

    The bytes go into the local store, a small pointer `<path>.tally` goes into git, and git ignores the data
    itself. Adding a path again records what it holds now. With `--to-remote` a file, of any path or
    http(s), s3, gs or az URL, is read once and goes straight to the remote; `tally pull` brings it.

    \b
    Example:
      tally add data/images data/labels.csv
      tally add --glob 'data/*.parquet'
      tally add --to-remote s3://public/scans.tar -o data/scans.tar
      git commit -m "Add the data"
    """
    current = context(ctx)
    if to_remote:
        result = _sent(current, targets, patterns, out, remote, jobs, no_stage, force)
    elif out is not None or remote is not None:
        raise WrongUsage("`--out` and `--remote` go with `--to-remote`")
    else:
        result = add(
            current.project(),
            chosen_paths(current, targets),
            patterns=patterns,
            stage=not no_stage,
            force=force,
            jobs=jobs or 1,
            progress=current.progress(),
        )
    render.report(current, result, _lines, _total)


def _sent(
    current: Context,
    targets: Sequence[str],
    patterns: bool,
    out: str | None,
    remote: str | None,
    jobs: int | None,
    no_stage: bool,
    force: bool,
) -> Added:
    """Send one file straight to a remote."""
    if len(targets) != 1 or patterns:
        raise WrongUsage("`--to-remote` takes one file, by its path or URL")
    place, project, here = targets[0], current.project(), current.directory
    return add_to_remote(
        project,
        place if "://" in place else os.path.join(here, place),
        None if out is None else to_project_path(project, out, here),
        folder=to_project_path(project, ".", here),
        remote=remote,
        stage=not no_stage,
        force=force,
        jobs=jobs or JOBS,
        progress=current.progress(),
    )


def _lines(result: Added) -> Iterator[str]:
    yield from (_line(path) for path in result.paths)
    yield from (f"note: {note}" for note in result.notes)
    if result.remote is not None:
        place = shlex.quote(result.paths[0].path)
        yield f"It lies at `{result.remote}` and not here: `tally pull {place}` brings it"
    if not result.staged:
        yield "Next: `git add` the pointers and what changed in `.gitignore`"


def _line(added: AddedPath) -> str:
    what = "1 file" if added.files is None else count_text(added.files, "file")
    state = {"new": "added", "changed": "updated", "unchanged": "unchanged"}[added.state]
    kind = "faint" if added.state == "unchanged" else "good"
    return f"{style(state.ljust(9), kind)}  {added.path}  ({what}, {size_text(added.size)})"


def _total(result: Added) -> render.Total:
    files = sum(1 if path.files is None else path.files for path in result.paths)
    moved = result.stored if result.remote is None else result.sent
    done = "stored" if result.remote is None else "sent"
    return render.Total(files, "file", sum(path.size for path in result.paths), moved, done)
