"""tally check."""

import os
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.options import chosen_paths, remote_option, targets_argument
from tallystick.cli.text import count_text, style
from tallystick.flows.check import Checked, check


@click.command("check")
@targets_argument()
@remote_option("Look for the blobs in this remote instead of the local store.")
@click.option("--undeclared", is_flag=True, help="Demand that no run touched what its stage doesn't declare.")
@click.pass_context
def command(ctx: click.Context, targets: Sequence[str], remote: str | None, undeclared: bool) -> None:
    """Check that everything is tracked, stored and receipted.

    Exit code 1 if a pointer is malformed, its path is in git besides, its blobs are missing, or a stage's
    receipt is missing or does not fit. For continuous integration and hooks; nothing is executed.

    \b
    Example:
      tally check
      tally check -r origin
      tally check --undeclared
    """
    current = context(ctx)
    result = check(
        current.project(),
        chosen_paths(current, targets),
        variables=os.environ,
        remote=remote,
        undeclared=undeclared,
        progress=current.progress(),
    )
    render.show(current, result, _lines)
    render.finish(0 if result.sound else 1)


def _lines(result: Checked) -> Iterator[str]:
    for problem in result.problems:
        yield f"{style(problem.kind.ljust(10), 'bad')}  {problem.name}: {problem.what}"
        if problem.hint is not None:
            yield f"{'':10}  hint: {problem.hint}"
    looked_at = f"{count_text(result.paths, 'path')}, {count_text(result.stages, 'stage')}"
    if result.sound:
        yield f"{style('sound', 'good')}: {looked_at}, all blobs in {result.store}"
    else:
        yield f"{count_text(len(result.problems), 'problem')} in {looked_at}"
