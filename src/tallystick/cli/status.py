"""tally status."""

import os
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, remote_option, targets_argument
from tallystick.cli.text import count_text, style
from tallystick.flows.status import PathStatus, StageStatus, Status, status
from tallystick.project.changes import Changes

SHOWN = 5
"""How many files of a folder are named without `--verbose`."""

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
    most = None if current.verbose else SHOWN
    render.show(current, result, lambda whole: _lines(whole, most))
    render.finish(1 if exit_code and not result.clean else 0)


def _lines(result: Status, most: int | None) -> Iterator[str]:
    data = [line for path in result.paths if not path.clean for line in _path_lines(path, result, most)]
    if data:
        yield style("Data", "strong")
        yield from data
    stale = [line for stage in result.stages if stage.reasons for line in _stage_lines(stage)]
    if stale:
        yield style("Stages", "strong")
        yield from stale
    if not result.paths and not result.stages:
        yield "Nothing is tracked yet: `tally add <data>`"
        return
    clean = sum(path.clean for path in result.paths)
    fresh = sum(not stage.reasons for stage in result.stages)
    parts = [count_text(clean, "path") + " unchanged"] if clean else []
    parts += [count_text(fresh, "stage") + " up to date"] if fresh else []
    if parts:
        yield f"{'All clean' if result.clean else 'Besides'}: {', '.join(parts)}"


def _path_lines(path: PathStatus, result: Status, most: int | None) -> Iterator[str]:
    if path.state != "unchanged":
        word = _WORDS.get(path.state, path.state).ljust(11)
        yield f"  {style(word, 'changed')}  {path.path}{_counts(path)}"
    if path.reason is not None:
        yield f"    {path.reason}"
    if path.hint is not None:
        yield f"    hint: {path.hint}"
    if path.changes is not None:
        yield from _names(path.changes, most)
    if path.state != "malformed" and not path.stored:
        yield f"  {style('not stored ', 'bad')}  {path.path}: `tally fetch {path.path}`"
    if path.pushed is False:
        yield f"  {style('not pushed ', 'changed')}  {path.path}: `tally push -r {result.remote}`"


def _counts(path: PathStatus) -> str:
    if path.changes is None:
        return ""
    parts = [(len(getattr(path.changes, word)), word) for word in ("added", "removed", "changed")]
    return f"  ({', '.join(f'{number:,} {word}' for number, word in parts if number)})"


def _names(changes: Changes, most: int | None) -> Iterator[str]:
    """The files that differ, as many of each sort as are shown."""
    for mark, names in (("+", changes.added), ("-", changes.removed), ("~", changes.changed)):
        yield from (f"    {mark} {name}" for name in names[:most])
        if most is not None and len(names) > most:
            yield f"    {mark} … {len(names) - most:,} more"


def _stage_lines(stage: StageStatus) -> Iterator[str]:
    yield f"  {style('stale      ', 'changed')}  {stage.stage}"
    yield from (f"    {reason}" for reason in stage.reasons)
