"""A comparison with a baseline, for people, on a page, and for continuous integration."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click

from tallystick.cli.junit import case, suite
from tallystick.cli.page import Markup, page, table, tag
from tallystick.cli.text import style
from tallystick.cli.text import table as aligned
from tallystick.errors import WrongUsage
from tallystick.reproduction.baseline import Against, Condition, MetricPair

GROUP = "against the baseline"


def against_options(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that compare metrics with those of another commit or run."""
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_OPTIONS = (
    click.option(
        "--against", metavar="REV", help="Compare the metrics with those that REV, a commit or run, recorded."
    ),
    click.option(
        "--fail-if",
        multiple=True,
        metavar="CONDITION",
        help="End with 1 if this is so: 'accuracy < baseline - 0.01'. Can be repeated.",
    ),
    click.option("--recorded", is_flag=True, help="Compare what TARGET's receipts say, and execute nothing."),
)


def refuse_unfit(options: Mapping[str, Any]) -> None:
    """Raise WrongUsage for options that have no meaning where nothing is repeated."""
    if not (options["against"] or options["fail_if"]):
        raise WrongUsage("`--recorded` needs something to compare with", hint="add `--against main`")
    flags = ("keep", "write_tolerance", "explain", "timeout", "no_isolation", "python_any", "no_rebuild")
    given = next((name for name in flags if options[name] not in (None, False)), None)
    if given is not None or options["repetitions"] > 1:
        name = "-n" if given is None else f"--{given.replace('_', '-')}"
        raise WrongUsage(f"with `--recorded` nothing is executed, so that `{name}` means nothing")


def against_lines(found: Against) -> Iterator[str]:
    """The metrics side by side, then what was asked of them."""
    if found.metrics:
        now = "now" if found.repeated else found.target
        headings = ("metric", found.baseline or "", now, "change")
        yield from aligned([_row(each) for each in found.metrics], headings)
    elif found.baseline is not None:
        yield "No metrics on either side."
    for condition in found.conditions:
        word = style("fails", "bad") if condition.holds else style("passes", "good")
        yield f"{word}: {condition.text} ({_numbers(condition)})"


def against_cases(found: Against) -> list[Markup]:
    """A case for each condition, which fails if it holds."""
    return [_case(found, condition) for condition in found.conditions]


def against_sections(found: Against) -> list[Markup]:
    """The same for a page."""
    title = "Metrics" if found.baseline is None else f"Beside {found.baseline}"
    parts = [tag("h2", title)]
    if found.metrics:
        parts.append(table(["metric", "baseline", "now", "change"], map(_row, found.metrics)))
    if found.conditions:
        rows = ([_word(each), each.text, _numbers(each)] for each in found.conditions)
        parts.append(table(["", "fails if", "numbers"], rows))
    return parts


def against_page(found: Against) -> str:
    """A page of the comparison alone."""
    return page(f"{found.target} against {found.baseline or 'conditions'}", *against_sections(found))


def against_junit(found: Against, started: str) -> str:
    """A report of the comparison alone."""
    properties = (("baseline", found.baseline or "none"), ("commit", found.commit or "none"))
    return suite(found.target, started, against_cases(found), properties=properties)


def _case(found: Against, condition: Condition) -> Markup:
    told = [_numbers(condition), *(" ".join(filter(None, _row(each))) for each in found.metrics)]
    wrong = ("failure", f"{condition.text} ({_numbers(condition)})") if condition.holds else None
    return case(condition.text, GROUP, wrong=wrong, kind="fail-if", told=told)


def _word(condition: Condition) -> Markup:
    word = "fails" if condition.holds else "passes"
    return tag("span", word, class_="bad" if condition.holds else "good")


def _row(pair: MetricPair) -> list[str]:
    change = "" if pair.change is None else f"{pair.change:+.6g}"
    return [pair.name, _number(pair.baseline), _number(pair.now), change]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.10g}"


def _numbers(condition: Condition) -> str:
    return ", ".join(_equations(condition.numbers.items()))


def _equations(numbers: Iterable[tuple[str, float]]) -> Iterator[str]:
    return (f"{name} = {value:.10g}" for name, value in numbers)
