"""tally diff."""

from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import Context, context
from tallystick.cli.contrasts import contrast_lines, path_lines, value_row
from tallystick.cli.options import chosen_paths, targets_argument
from tallystick.cli.revisions import could_be_path, is_commit, told_apart
from tallystick.cli.text import seconds_text, style, table
from tallystick.errors import WrongUsage
from tallystick.flows.diff import WORKTREE, Diff, RunsDiff, Side, diff, diff_runs, is_run

FEW = 8
"""Digits with which some run or other begins by chance, where there are many: they mean the commit."""


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

    OLD and NEW can be ids of runs from `tally log`. Then all that differs between the two runs is shown, code
    and machine among it; a commit, or without NEW the worktree, stands for its receipt of the same stage.

    \b
    Example:
      tally diff HEAD~1
      tally diff v1.0 v1.1 data/images
      tally diff 3f2a91c0 77ab0e12
    """
    current = context(ctx)
    if any(_means_run(current, word) for word in _split(arguments)[:2]):
        same = _show_runs(current, _split(arguments))
        render.finish(1 if exit_code and not same else 0)
        return
    revs, targets = told_apart(current, _split(arguments), most=2)
    old, new = (*revs, None, None)[:2]
    result = diff(current.project(), old, new, chosen_paths(current, targets), progress=current.progress())
    render.show(current, result, lambda whole: _lines(whole, verbose=current.verbose))
    render.finish(1 if exit_code and not result.same else 0)


def _means_run(current: Context, word: str) -> bool:
    """Whether a word is the id of a run; raise WrongUsage for one that may be a commit, too."""
    if not is_run(current.project(), word) or could_be_path(current, word):
        return False
    if word.startswith("blake3:") or not is_commit(current, word):
        return True
    if len(word) < FEW:
        return False
    hint = f"write `blake3:{word}` for the run, `{word}^0` for the commit, or give more digits"
    raise WrongUsage(f"`{word}` is a run and a commit", hint=hint)


def _show_runs(current: Context, words: Sequence[str]) -> bool:
    if len(words) > 2:
        raise WrongUsage("runs are compared whole, two at a time", hint="tally diff RUN RUN")
    result = diff_runs(current.project(), *words)
    render.show(current, result, lambda whole: _run_lines(whole, verbose=current.verbose))
    return result.same


def _split(arguments: Sequence[str]) -> Sequence[str]:
    """Write `OLD..NEW` as two words; `../path` and `a/../b` are paths."""
    old, dots, new = arguments[0].partition("..") if arguments else ("", "", "")
    if not dots or not old or old.endswith("/") or new.startswith(("/", ".")):
        return arguments
    return (old, new or "HEAD", *arguments[1:])


def _lines(result: Diff, *, verbose: bool) -> Iterator[str]:
    new = result.new if result.new == WORKTREE else result.new[:10]
    yield f"{result.old[:10]} -> {new}{': nothing differs' if result.same else ''}"
    yield from path_lines("Data", result.data, verbose)
    for title, values in (("Params", result.params), ("Metrics", result.metrics)):
        if values:
            yield style(title, "strong")
            headings = ("  file", "key", "old", "new", "difference")
            yield from table([value_row(value) for value in values], headings)
    if result.environment:
        yield style("Environment", "strong")
        for environment in result.environment:
            yield f"  {environment.lock}"
            yield from (f"    {change}" for change in environment.changes)
    yield from (f"note: {note}" for note in result.notes)


def _run_lines(result: RunsDiff, *, verbose: bool) -> Iterator[str]:
    yield from table([_side(mark, side) for mark, side in (("-", result.old), ("+", result.new))])
    if result.same:
        yield "Nothing differs."
    yield from contrast_lines(result.differs, verbose=verbose)
    yield from (f"note: {note}" for note in result.notes)


def _side(mark: str, side: Side) -> list[str]:
    commit = ("none" if side.commit is None else side.commit[:10]) + ("*" if side.dirty else "")
    started, where = side.started[:19].replace("T", " "), "" if side.place == "ledger" else side.place[:10]
    status = style(side.status, "good" if side.status == "succeeded" else "bad")
    return [mark, side.run.short, started, side.stage, status, commit, seconds_text(side.seconds), where]
