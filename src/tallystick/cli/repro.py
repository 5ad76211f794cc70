"""tally repro."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.against import compare_recorded
from tallystick.cli.baselines import against_lines, against_options
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.gallery import both_sides
from tallystick.cli.options import own_folder, trust_option
from tallystick.cli.prompt import with_grant
from tallystick.cli.reports import report_places, write_reports
from tallystick.cli.survey import refuse_alone, repeat_many, survey_options
from tallystick.cli.verdicts import outcome_text, spread_lines, stage_lines
from tallystick.errors import WrongUsage
from tallystick.flows.repro import Reproduced, Request
from tallystick.flows.repro import repro as reproduce
from tallystick.reproduction.attempt import Manner
from tallystick.reproduction.confinement import Limits

MOST_REPETITIONS = 1000


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
@click.option(
    "-n",
    "--repetitions",
    metavar="N",
    type=click.IntRange(1, MOST_REPETITIONS),
    default=1,
    help="Repeat each stage N times, and say how far its numbers lay apart.",
)
@click.option("--write-tolerance", is_flag=True, help="Write what -n measured into `tally.yaml`.")
@click.option(
    "--explain",
    metavar="[OTHER]",
    is_flag=False,
    flag_value="",
    help="Say which of environment, data, code, params, seed and machine makes the difference to OTHER, a "
    "commit or run; without one, to what stands in the worktree now.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="End a command that takes longer.",
)
@click.option(
    "--no-isolation", is_flag=True, help="Let commands see and write everything; the verdict says so."
)
@click.option(
    "--python-any", is_flag=True, help="Take another patch version of Python, too; the verdict says so."
)
@click.option(
    "--unpickle",
    is_flag=True,
    help="Compare what PyTorch, joblib and pickle files hold: loaded in the environment, within walls.",
)
@click.option("--no-rebuild", is_flag=True, help="Use the Python at hand; the verdict says so.")
@click.option("--keep", is_flag=True, help="Keep the files of the temporary worktree.")
@click.option("--html", metavar="FILE", help="Write the verdict as a page for a browser, too.")
@click.option("--junit", metavar="FILE", help="Write it as JUnit XML, for continuous integration.")
@against_options
@survey_options
@trust_option()
@click.pass_context
def command(ctx: click.Context, /, target: str, stages: tuple[str, ...], trust: bool, **options: Any) -> None:
    """Rebuild a past run, execute it again and compare.

    TARGET is a commit (HEAD without) or a run's id from `tally log`. Code, data and environment are
    rebuilt in a temporary worktree, without a network; yours stays as it is. Exit code 0 says reproduced, 1
    that results differ or prove nothing, or that a `--fail-if` holds, 13 that data is missing, 17 that the
    environment can't be rebuilt, 18 that a command failed or took too long. With `--all-receipts` it is the
    highest of all.

    \b
    Examples:
      tally repro HEAD~1
      tally repro 3f2a91c0 --keep
      tally repro v1.0 --stage train
      tally repro v1.0 --explain HEAD
      tally repro -n 5 --write-tolerance
      tally repro --html verdict.html --junit verdict.xml
      tally repro --against main --fail-if 'accuracy < baseline - 0.01'
      tally repro --all-receipts --sample 10
    """
    current = context(ctx)
    project = current.project()
    folder = own_folder(project, current.directory)
    request = _request(target, stages, folder, options)
    if options["all_receipts"]:
        given = ctx.get_parameter_source("target") is click.core.ParameterSource.COMMANDLINE
        repeat_many(current, target if given else None, stages, request.manner, trust, options)
        return
    refuse_alone(options)
    places = report_places(current.directory, options)
    if options["recorded"]:
        compare_recorded(current, request, options, places)
        return
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
    drawn = partial(both_sides, project, result.verdict)
    for line in write_reports(places, result.verdict, result.id, result.notes, result.against, drawn):
        render.say(current, line)
    render.finish(result.exit_code)


def _request(target: str, stages: tuple[str, ...], folder: str, options: dict[str, Any]) -> Request:
    if options["write_tolerance"] and options["repetitions"] == 1:
        raise WrongUsage("`--write-tolerance` needs several repetitions to measure: add `-n 5`")
    return Request(
        target,
        stages,
        folder,
        keep=options["keep"],
        manner=Manner(
            rebuild=not options["no_rebuild"],
            any_python=options["python_any"],
            limits=Limits(not options["no_isolation"], options["timeout"]),
            repetitions=options["repetitions"],
            unpickle=options["unpickle"],
        ),
        explain=options["explain"],
        write_tolerance=options["write_tolerance"],
        against=options["against"],
        fail_if=options["fail_if"],
    )


def lines(result: Reproduced) -> Iterator[str]:
    """The verdict for people: what, then why, then all in a word."""
    verdict = result.verdict
    for stage in verdict.stages:
        yield from stage_lines(stage)
    yield from spread_lines(verdict)
    if result.against is not None:
        yield from against_lines(result.against)
    yield from (f"note: {note}" for note in result.notes)
    yield from (f"note: {fact}" for fact in verdict.enforced if fact.startswith("not "))
    yield from (f"written: {path}" for path in result.written)
    if result.kept is not None:
        yield f"kept: {result.kept}"
    commit = f" (commit {verdict.commit[:10]})" if verdict.commit is not None else ""
    yield f"{verdict.target}{commit}: {outcome_text(verdict.outcome)} (verdict {result.id.short})"
    if result.hint is not None:
        yield f"hint: {result.hint}"
