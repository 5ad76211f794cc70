"""`tally repro --all-receipts`: a line for each run, then how much of the ledger can still be rebuilt."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.context import Context
from tallystick.cli.prompt import with_grant
from tallystick.cli.reports import report_places, write_texts
from tallystick.cli.surveypage import summary, survey_junit, survey_page, why
from tallystick.cli.text import ago_text, style, table
from tallystick.cli.verdicts import outcome_text
from tallystick.errors import WrongUsage
from tallystick.flows.survey import Age, Checked, Request, Survey, survey
from tallystick.patterns import regex
from tallystick.progress import Wordless
from tallystick.records.verdict import REPRODUCED
from tallystick.reproduction.attempt import Manner
from tallystick.runs.sampling import Sampled, Sampling

OUTCOME_WIDTH = len("could not be rebuilt")
AGE_WIDTH = len("1,000 days ago")

_SPAN = regex(r"(\d{1,6})\s*(h|hour|d|day|w|week|month|y|year)s?(\s+ago)?")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400, "m": 30 * 86400, "y": 365 * 86400}
_UNFIT = ("explain", "write_tolerance", "keep", "against", "fail_if", "recorded")


def survey_options(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which runs of the ledger are repeated."""
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_OPTIONS = (
    click.option(
        "--all-receipts",
        is_flag=True,
        help="Repeat every successful run of the ledger; with TARGET those whose receipts its history holds.",
    ),
    click.option(
        "--sample",
        metavar="N",
        type=click.IntRange(1),
        help="Of these only N, chosen at random.",
    ),
    click.option("--seed", metavar="NUMBER", type=click.IntRange(0), help="Choose the same ones each time."),
    click.option(
        "--since", metavar="WHEN", help="Only runs that began since `2026-01-31`, or in the last `90 days`."
    ),
)


def refuse_alone(options: Mapping[str, Any]) -> None:
    """Raise WrongUsage for options that choose among receipts where none are asked for."""
    given = next((name for name in ("sample", "seed", "since") if options[name] is not None), None)
    if given is not None:
        raise WrongUsage(f"`--{given}` goes with `--all-receipts`")


def repeat_many(
    current: Context,
    until: str | None,
    stages: Sequence[str],
    manner: Manner,
    trust: bool,
    options: Mapping[str, Any],
) -> None:
    """Repeat what the options choose, telling of each run as soon as it is judged, and sum up."""
    request = Request(_sampling(until, stages, options), manner)
    project = current.project()
    places = report_places(current.directory, options)
    show = not (current.json or current.quiet)

    def hear(checked: Checked, every: Sequence[Sampled]) -> None:
        if show:
            render.print_lines([_line(checked, every)])

    result = with_grant(
        current,
        trust,
        lambda: survey(
            project,
            request,
            variables=dict(os.environ),
            output=current.output() if current.verbose else lambda _data: None,
            hear=hear,
            progress=current.progress() if current.verbose else Wordless(current.progress()),
        ),
    )
    render.report(current, result, _lines)
    texts = {"html": lambda: survey_page(result), "junit": lambda: survey_junit(result)}
    for line in write_texts(places, texts):
        render.say(current, line)
    render.finish(result.exit_code)


def moment(text: str, now: float) -> float:
    """The time that `2026-01-31`, `90d` or `2 weeks ago` means, in seconds; raise WrongUsage for others."""
    span = _SPAN.fullmatch(text.strip().lower())
    if span is not None:
        return now - int(span[1]) * _SECONDS[span[2][0]]
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        hint = "write `2026-01-31`, `2026-01-31T12:00:00Z`, `90 days` or `2 weeks`"
        raise WrongUsage(f"`--since {text}` is no moment", hint=hint) from None
    return (found if found.tzinfo is not None else found.astimezone()).timestamp()


def _sampling(until: str | None, stages: Sequence[str], options: Mapping[str, Any]) -> Sampling:
    given = next((name for name in _UNFIT if options[name] not in (None, False, ())), None)
    if given is not None:
        raise WrongUsage(f"`--{given.replace('_', '-')}` is for one target, not for all receipts")
    if options["seed"] is not None and options["sample"] is None:
        raise WrongUsage("`--seed` decides which runs a sample takes", hint="add `--sample 10`")
    # Decided here: the user may be asked for a grant, and then the same runs are meant.
    seed = secrets.randbelow(1 << 31) if options["seed"] is None else options["seed"]
    since = None if options["since"] is None else moment(options["since"], time.time())
    return Sampling(tuple(stages), since, until, options["sample"], seed)


def _line(checked: Checked, every: Sequence[Sampled]) -> str:
    """One run: which, how old, what became of it, and why; aligned by what is known of all."""
    width = max(len(each.stage or "-") for each in every)
    age = "-" if checked.started is None else ago_text(checked.started)
    outcome = outcome_text(checked.outcome) + " " * (OUTCOME_WIDTH - len(checked.outcome))
    cells = [checked.run.short, (checked.stage or "-").ljust(width), age.ljust(AGE_WIDTH), outcome]
    return "  ".join([*cells, _why(checked)]).rstrip()


def _why(checked: Checked) -> str:
    """Why it came to that, and where there is more about it."""
    more = checked.verdict is not None and checked.outcome not in REPRODUCED
    shown = [f"`tally show {checked.verdict.short}`"] if more and checked.verdict is not None else []
    return "; ".join(filter(None, (why(checked), *shown)))


def _lines(result: Survey) -> Iterator[str]:
    """The report below the runs."""
    if not result.chosen:
        yield "No successful run fits."
    else:
        yield style(summary(result), "strong")
        yield from table([[f"  {word}", str(number)] for word, number in result.outcomes.items()])
    if result.causes:
        yield style("Why", "strong")
        yield from table([[f"  {cause}", str(number)] for cause, number in result.causes.items()])
    if len(result.ages) > 1 or result.causes:
        yield style("By age", "strong")
        yield from table([_age_row(result, each) for each in result.ages], ["  made", *result.outcomes])
    yield from (f"note: {note}" for note in result.notes)


def _age_row(result: Survey, age: Age) -> list[str]:
    return [f"  {age.age}", *(str(age.outcomes.get(outcome, 0)) for outcome in result.outcomes)]
