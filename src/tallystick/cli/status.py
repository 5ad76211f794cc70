"""tally status."""

import os
import shlex
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.changes import change_lines, counts
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, remote_option, targets_argument
from tallystick.cli.text import count_text, style
from tallystick.flows.status import PathStatus, Status, status
from tallystick.runs.reasons import StageStatus

SHOWN = 10
"""How many names are listed unless more is asked for."""

_WORDS = {"malformed": "bad pointer", "untrackable": "can't track"}


@click.command("status")
@targets_argument()
@remote_option("Say also what this remote lacks.")
@click.option("--exit-code", is_flag=True, help="End with 1 unless all is clean.")
@click.pass_context
def command(ctx: click.Context, targets: Sequence[str], remote: str | None, exit_code: bool) -> None:
    """Show what changed in data and stages, and why.

    \b
    Example:
      tally status
      tally status data/images -r origin
    """
    current = context(ctx)
    result = status(
        current.project(),
        chosen_paths(current, targets),
        variables=os.environ,
        remote=remote,
        progress=current.progress(),
    )
    render.show(current, result, lambda whole: _lines(whole, current.verbose))
    render.finish(1 if exit_code and not result.clean else 0)


def _lines(result: Status, verbose: bool) -> Iterator[str]:
    if result.paths and all(_is_not_here(path) for path in result.paths):
        yield f"No data is here yet ({count_text(len(result.paths), 'path')}): `tally pull`"
        return
    data = [line for path in result.paths if not path.clean for line in _path_lines(path, result, verbose)]
    if data:
        yield style("Data", "strong")
        yield from data
    if result.untracked:
        yield style("Not tracked, and hidden from git by the line for its kind in `.gitignore`", "strong")
        shown = result.untracked if verbose else result.untracked[:SHOWN]
        yield from (
            f"  {style('untracked  ', 'changed')}  {path}: `tally add {shlex.quote(path)}`" for path in shown
        )
        if len(shown) < len(result.untracked):
            yield f"  and {len(result.untracked) - len(shown):,} more"
    stale = [line for stage in result.stages if stage.reasons for line in _stage_lines(stage)]
    if stale:
        yield style("Stages", "strong")
        yield from stale
    if result.drift:
        yield style("Environment", "strong")
        yield from (f"  {style('drift      ', 'changed')}  {said}" for said in result.drift)
    if not result.paths and not result.stages:
        yield "Nothing is tracked yet: `tally add <data>`"
        return
    clean = sum(path.clean for path in result.paths)
    fresh = sum(not stage.reasons for stage in result.stages)
    parts = [count_text(clean, "path") + " unchanged"] if clean else []
    parts += [count_text(fresh, "stage") + " up to date"] if fresh else []
    if parts:
        yield f"{'All clean' if result.clean else 'Besides'}: {', '.join(parts)}"


def _is_not_here(path: PathStatus) -> bool:
    """Whether a path was never brought here, as in a fresh clone."""
    return path.state == "missing" and not path.stored


def _path_lines(path: PathStatus, result: Status, verbose: bool) -> Iterator[str]:
    if path.state != "unchanged":
        word = _WORDS.get(path.state, path.state).ljust(11)
        where = "" if path.state != "missing" else ": `tally checkout`" if path.stored else ": `tally pull`"
        yield f"  {style(word, 'changed')}  {path.path}{counts(path.changes)}{where}"
    if path.reason is not None:
        yield f"    {path.reason}"
    if path.hint is not None:
        yield f"    hint: {path.hint}"
    yield from change_lines(path.changes, verbose=verbose)
    if path.state not in ("malformed", "missing") and not path.stored:
        yield f"  {style('not stored ', 'bad')}  {path.path}: `tally fetch {shlex.quote(path.path)}`"
    if path.pushed is False:
        yield f"  {style('not pushed ', 'changed')}  {path.path}: `tally push -r {result.remote}`"


def _stage_lines(stage: StageStatus) -> Iterator[str]:
    yield f"  {style('stale      ', 'changed')}  {stage.stage}"
    yield from (f"    {reason}" for reason in stage.reasons)
