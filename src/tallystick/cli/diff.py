"""tally diff."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.changes import change_lines, counts
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, targets_argument
from tallystick.cli.revisions import told_apart
from tallystick.cli.text import size_text, style, table
from tallystick.flows.diff import WORKTREE, Diff, PathDiff, ValueDiff, diff

_KINDS = {"added": "good", "removed": "bad", "changed": "changed"}


@click.command("diff")
@targets_argument(name="arguments")
@click.option("--exit-code", is_flag=True, help="End with 1 if something differs.")
@click.pass_context
def command(ctx: click.Context, arguments: Sequence[str], exit_code: bool) -> None:
    """Compare data, params, metrics and environment.

    \b
    tally diff                 HEAD with the worktree
    tally diff OLD             a commit with the worktree
    tally diff OLD NEW         two commits; OLD..NEW is the same
    tally diff OLD NEW PATH... only the data there

    \b
    Example:
      tally diff HEAD~1
      tally diff v1.0 v1.1 data/images
    """
    current = context(ctx)
    revs, targets = told_apart(current, _split(arguments), most=2)
    old, new = (*revs, None, None)[:2]
    result = diff(current.project(), old, new, chosen_paths(current, targets), progress=current.progress())
    render.show(current, result, lambda whole: _lines(whole, verbose=current.verbose))
    render.finish(1 if exit_code and not result.same else 0)


def _split(arguments: Sequence[str]) -> Sequence[str]:
    """Write `OLD..NEW` as two words; `../path` and `a/../b` are paths."""
    old, dots, new = arguments[0].partition("..") if arguments else ("", "", "")
    if not dots or not old or old.endswith("/") or new.startswith(("/", ".")):
        return arguments
    return (old, new or "HEAD", *arguments[1:])


def _lines(result: Diff, *, verbose: bool) -> Iterator[str]:
    new = result.new if result.new == WORKTREE else result.new[:10]
    yield f"{result.old[:10]} -> {new}{': nothing differs' if result.same else ''}"
    if result.data:
        yield style("Data", "strong")
        for path in result.data:
            yield from _path_lines(path, verbose)
    for title, values in (("Params", result.params), ("Metrics", result.metrics)):
        if values:
            yield style(title, "strong")
            headings = ("  file", "key", "old", "new", "difference")
            yield from table([_row(value) for value in values], headings)
    if result.environment:
        yield style("Environment", "strong")
        for environment in result.environment:
            yield f"  {environment.lock}"
            yield from (f"    {change}" for change in environment.changes)
    yield from (f"note: {note}" for note in result.notes)


def _path_lines(path: PathDiff, verbose: bool) -> Iterator[str]:
    sizes = [size_text(size) for size in (path.old_size, path.new_size) if size is not None]
    found = counts(path.changes)
    yield f"  {style(path.state.ljust(7), _KINDS[path.state])}  {path.path}  {' -> '.join(sizes)}{found}"
    if path.state == "changed" or verbose:
        yield from change_lines(path.changes, verbose=verbose)


def _row(value: ValueDiff) -> tuple[str, ...]:
    difference = "" if value.difference is None else f"{value.difference:+.6g}"
    return f"  {value.file}", value.key, _shown(value.old), _shown(value.new), difference


def _shown(value: Any) -> str:
    """A value as JSON writes it, `-` where there is none."""
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
