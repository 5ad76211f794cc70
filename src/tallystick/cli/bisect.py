"""tally bisect."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import Context, context
from tallystick.cli.contrasts import contrast_lines
from tallystick.cli.options import own_folder, trust_option
from tallystick.cli.prompt import with_grant
from tallystick.cli.text import count_text, seconds_text, style, table
from tallystick.errors import WrongUsage
from tallystick.flows.bisect import Bisected, FirstBad, Known, Named, Request, Step, steps_left
from tallystick.flows.bisect import bisect as halve
from tallystick.progress import Wordless
from tallystick.reproduction.measuring import Means
from tallystick.runs.contrast import Contrast

_WORDS = {"good": "good", "bad": "bad", "skip": "changed"}


@click.command("bisect")
@click.argument("good")
@click.argument("bad", default="HEAD")
@click.option("--metric", required=True, metavar="NAME", help="What is looked at: `accuracy`, `m.json:loss`.")
@click.option("--below", type=float, metavar="NUMBER", help="A metric below this is bad.")
@click.option("--above", type=float, metavar="NUMBER", help="A metric above this is bad.")
@click.option(
    "--stage",
    metavar="NAME",
    help="The stage that reports it, where several do.",
    shell_complete=complete_stages,
)
@click.option("--first-parent", is_flag=True, help="Of merges look at what was merged into only.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Skip a commit whose stages take longer.",
)
@click.option("--python-any", is_flag=True, help="Take another patch version of Python, too.")
@click.option("--no-rebuild", is_flag=True, help="Run in the Python at hand, not in that of each commit.")
@trust_option()
@click.pass_context
def command(ctx: click.Context, /, good: str, bad: str, trust: bool, **options: Any) -> None:
    """Find the commit that made a metric bad.

    Halves the commits between GOOD and BAD (HEAD without), as `git bisect` does. Where a commit holds
    receipts of its own code, data and params, they are read. Otherwise its stages run in a temporary
    worktree, with its data and environment, and the run is in the ledger from then on. A commit that can't
    be rebuilt, or whose command fails, is skipped. Your worktree stays as it is. Exit code 1 says that
    skipped commits leave it open.

    \b
    Examples:
      tally bisect --metric accuracy --below 0.9 v1.0 main
      tally bisect --metric train.json:loss --above 0.5 --stage train HEAD~20
    """
    current = context(ctx)
    request = _request(current, good, bad, options)
    known: Known = {}
    told: set[str] = set()

    def hear(step: Step) -> None:
        if step.commit not in told and not (current.json or current.quiet):
            render.print_lines(_step_lines(step, request.metric))
        told.add(step.commit)

    result = with_grant(
        current,
        trust,
        lambda: halve(
            current.project(),
            request,
            variables=dict(os.environ),
            output=current.output() if current.verbose else lambda _data: None,
            hear=hear,
            known=known,
            progress=current.progress() if current.verbose else Wordless(current.progress()),
        ),
    )
    render.report(current, result, lambda found: _lines(found, verbose=current.verbose))
    render.finish(result.exit_code)


def _request(current: Context, good: str, bad: str, options: dict[str, Any]) -> Request:
    below, above = options["below"], options["above"]
    if (below is None) == (above is None):
        raise WrongUsage("say what is bad: `--below NUMBER` or `--above NUMBER`")
    return Request(
        options["metric"],
        below if above is None else above,
        good,
        bad,
        above=above is not None,
        stage=options["stage"],
        folder=own_folder(current.project(), current.directory),
        first_parent=options["first_parent"],
        means=Means(not options["no_rebuild"], options["python_any"], options["timeout"]),
    )


def _step_lines(step: Step, metric: str) -> Iterator[str]:
    """One commit, and after the ends how many lie between them."""
    word = style(step.judgement.ljust(4), _WORDS[step.judgement])
    if step.value is None:
        yield f"{word}  {step.commit[:10]}  {step.subject}: {step.why}"
    else:
        how = f"ran {seconds_text(step.seconds)}" if step.how == "ran" else step.how or ""
        yield f"{word}  {step.commit[:10]}  {metric} {step.value:<10.6g}  {how:<9}  {step.subject}"
    if step.left is not None and step.left > 1:
        steps = count_text(steps_left(step.left), "step")
        yield f"      {count_text(step.left, 'commit')} left, about {steps}"


def _lines(result: Bisected, *, verbose: bool) -> Iterator[str]:
    if result.first_bad is not None:
        yield from _first_lines(result, result.first_bad, verbose)
    else:
        yield style("The first bad commit is one of these; those that were skipped are in the way:", "strong")
        yield from table([_row(each) for each in result.suspects])
    yield from (f"note: {note}" for note in result.notes)


def _first_lines(result: Bisected, first: FirstBad, verbose: bool) -> Iterator[str]:
    """The commit, the metric on both sides, and all that differs."""
    commit = first.commit
    yield f"{style('First bad commit', 'strong')}: {commit.commit}"
    rows = [["  author", commit.author], ["  date", commit.time], ["  subject", commit.subject]]
    before = "-" if first.parent_value is None else f"{first.parent_value:.10g}"
    parent = "" if first.parent is None else f" (its parent {first.parent.commit[:10]}: {before})"
    rows.append([f"  {result.metric}", f"{first.value:.10g}{parent}"])
    rows.append(["  run", first.run.short])
    yield from table(rows)
    if first.differs is not None:
        found = _causes(first.differs)
        yield from contrast_lines(found, verbose=verbose)
        if found.same:
            yield "Nothing that is recorded differs from its parent's run: see `git show`."


def _causes(differs: Contrast) -> Contrast:
    """What may be the reason, without what is its consequence, or says nothing."""
    facts = tuple(each for each in differs.facts if each.key in ("cmd", "wdir", "seed", "trace"))
    return replace(differs, facts=facts, outs=(), metrics=())


def _row(named: Named) -> list[str]:
    return [f"  {named.commit[:10]}", named.subject]
