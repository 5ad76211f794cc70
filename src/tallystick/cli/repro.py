"""tally repro."""

import os
from collections.abc import Iterator

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.options import to_project_path, trust_option
from tallystick.cli.prompt import with_grant
from tallystick.cli.text import seconds_text, style
from tallystick.flows.repro import REPRODUCED, Reproduced, Request
from tallystick.flows.repro import repro as reproduce
from tallystick.records.verdict import Comparison, Difference, Outcome, StageVerdict


@click.command("repro")
@click.argument("target", default="HEAD")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME",
    help="Repeat only this stage, on its recorded inputs.",
    shell_complete=complete_stages,
)
@click.option("--keep", is_flag=True, help="Keep the files of the temporary worktree.")
@click.option("--no-rebuild", is_flag=True, help="Use the Python at hand; the verdict says so.")
@trust_option()
@click.pass_context
def command(
    ctx: click.Context, target: str, stages: tuple[str, ...], keep: bool, no_rebuild: bool, trust: bool
) -> None:
    """Rebuild a past run, execute it again and compare.

    TARGET is a commit (HEAD without) or a run's id from `tally log`. Code, data and environment are
    rebuilt in a temporary worktree; yours stays as it is. Exit code 0 says reproduced, 1 that results
    differ, 13 that data is missing, 17 that the environment can't be rebuilt, 18 that a command failed.

    \b
    Examples:
      tally repro HEAD~1
      tally repro 3f2a91c0 --keep
      tally repro v1.0 --stage train
    """
    current = context(ctx)
    project = current.project()
    folder = to_project_path(project, ".", current.directory)
    request = Request(target, stages, "" if folder == "." else folder, rebuild=not no_rebuild, keep=keep)
    result = with_grant(
        current,
        trust,
        lambda: reproduce(
            project,
            request,
            variables=dict(os.environ),
            output=current.output(),
            progress=current.progress(),
        ),
    )
    render.report(current, result, lines)
    render.finish(result.exit_code)


def lines(result: Reproduced) -> Iterator[str]:
    """The verdict for people: what, then why, then all in a word."""
    verdict = result.verdict
    for stage in verdict.stages:
        yield from stage_lines(stage)
    yield from (f"note: {note}" for note in result.notes)
    if result.kept is not None:
        yield f"kept: {result.kept}"
    commit = f" (commit {verdict.commit[:10]})" if verdict.commit is not None else ""
    yield f"{verdict.target}{commit}: {outcome_text(verdict.outcome)} (verdict {result.id.short})"
    if result.hint is not None:
        yield f"hint: {result.hint}"


def outcome_text(outcome: Outcome) -> str:
    """An outcome in its colour."""
    return style(outcome, "good" if outcome in REPRODUCED else "bad")


def stage_lines(stage: StageVerdict) -> Iterator[str]:
    """One stage of a verdict, with every out that did not come again as it was."""
    took = f" in {seconds_text(stage.seconds)}" if stage.seconds else ""
    yield f"{style(stage.stage, 'strong')}: {outcome_text(stage.outcome)}{took}"
    if stage.reason is not None:
        yield f"  {stage.reason}"
    for comparison in stage.comparisons:
        yield from _comparison_lines(comparison)


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    yield f"  {comparison.path}: {outcome_text(comparison.outcome)}"
    yield from (f"    {_difference_text(each)}" for each in comparison.differences)


def _difference_text(difference: Difference) -> str:
    name = f"{difference.name}: " if difference.name else ""
    text = f"{name}{_value(difference.expected)} -> {_value(difference.actual)}"
    if difference.absolute is None:
        return text
    share = "" if difference.relative is None else f", {_share(difference)}"
    allowed = "" if difference.allowed is None else f"; allowed {difference.allowed}"
    return f"{text} (off by {difference.absolute:.3g}{share}{allowed})"


def _share(difference: Difference) -> str:
    """The largest relative distance, which of many numbers need not be that of the furthest one."""
    relative, expected = difference.relative or 0.0, difference.expected
    share = f"{relative * 100:.3g}%"
    if isinstance(expected, (int, float)) and expected and difference.absolute is not None:
        here = difference.absolute / abs(expected)
        return share if abs(here - relative) <= 1e-6 * relative else f"elsewhere up to {share}"
    return share


def _value(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
