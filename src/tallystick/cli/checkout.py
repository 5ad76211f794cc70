"""tally checkout."""

import os
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.options import (
    chosen_paths,
    force_option,
    jobs_option,
    remote_option,
    targets_argument,
    trust_option,
)
from tallystick.cli.revisions import told_apart
from tallystick.cli.text import count_text, size_text, style
from tallystick.data.placing import PlacedPath
from tallystick.errors import EnvironmentNotRebuilt
from tallystick.flows.checkout import CheckedOut, checkout
from tallystick.runs.environments import EnvironmentState

NOTHING = "Nothing is tracked here"


@click.command("checkout")
@targets_argument(name="arguments")
@remote_option()
@jobs_option()
@force_option()
@click.option("--no-environment", is_flag=True, help="Leave the recorded environment alone.")
@trust_option("Allow this repository's environment to be built, and its commands to run, now and later.")
@click.pass_context
def command(
    ctx: click.Context,
    arguments: Sequence[str],
    remote: str | None,
    jobs: int,
    force: bool,
    no_environment: bool,
    trust: bool,
) -> None:
    """Bring back a commit's code, data and environment.

    \b
    tally checkout                   data as the pointers in the worktree say
    tally checkout data/images       only this
    tally checkout COMMIT            git's checkout, then data, then environment
    tally checkout COMMIT PATH...    only these paths, as they were

    `-` is what was checked out before. What is missing is fetched. Changed data that is stored nowhere is
    never overwritten without `--force`.

    \b
    Example:
      tally checkout HEAD~1
      tally checkout -
    """
    current = context(ctx)
    revs, targets = told_apart(current, arguments)
    result = checkout(
        current.project(),
        revs[0] if revs else None,
        chosen_paths(current, targets),
        variables=None if no_environment else os.environ,
        remote=remote,
        jobs=jobs,
        force=force,
        trust=trust,
        progress=current.progress(),
    )
    render.report(current, result, _lines, _total)
    failed = any(environment.state == "failed" for environment in result.environments)
    render.finish(EnvironmentNotRebuilt.exit_code if failed else 0)


def _lines(result: CheckedOut) -> Iterator[str]:
    if result.commit is not None:
        where = f"`{result.branch}`" if result.branch else "a detached HEAD"
        yield f"At {result.commit[:10]} on {where}"
    if result.fetched.blobs:
        yield f"Fetched {count_text(result.fetched.blobs, 'blob')} ({size_text(result.fetched.size)})"
    yield from placed_lines(result.paths)
    if not result.paths:
        yield NOTHING
    for environment in result.environments:
        yield from _environment_lines(environment)


def _total(result: CheckedOut) -> render.Total | None:
    return placed_total(result.paths, result.fetched.received)


def placed_total(paths: Sequence[PlacedPath], received: int) -> render.Total | None:
    """Sum up what was written and deleted, and what came from a remote for it; None if nothing is tracked."""
    if not paths:
        return None
    files = sum(path.written + path.removed for path in paths)
    return render.Total(files, "file", sum(path.size for path in paths), received, "received")


def placed_lines(paths: Sequence[PlacedPath]) -> Iterator[str]:
    """Say what was done to data: one line for each path that changed."""
    changed = [path for path in paths if path.written or path.removed]
    for path in changed:
        done = [(path.written, "written"), (path.removed, "removed")]
        what = ", ".join(f"{count_text(number, 'file')} {word}" for number, word in done if number)
        yield f"{style('placed', 'good')}  {path.path}  ({what})"
    if len(changed) < len(paths):
        yield f"{count_text(len(paths) - len(changed), 'path')} as recorded already"


def _environment_lines(environment: EnvironmentState) -> Iterator[str]:
    match environment.state:
        case "active":
            yield f"Environment: the active one is what `{environment.lock}` records"
        case "rebuilt" | "reused":
            yield f"Environment: {environment.state} from `{environment.lock}`; use it with"
            yield f"  . {environment.folder}/bin/activate"
        case "not allowed":
            yield f"Environment: left alone, `{environment.lock}` is not trusted yet (`--trust`)"
        case "failed":
            yield f"Environment: {style('not rebuilt', 'bad')}: {environment.reason}"
