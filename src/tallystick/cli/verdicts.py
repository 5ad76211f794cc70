"""Verdicts as lines for people; nothing here loads what makes them."""

from collections.abc import Iterator

from tallystick.cli.differences import difference_text
from tallystick.cli.text import seconds_text, style, table
from tallystick.records.verdict import REPRODUCED, Comparison, Outcome, StageVerdict, Verdict

SHOWN = 10
"""How many differences of one out fit on a screen beside those of others."""


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
    if stage.axes:
        yield "  with one thing of the other run each:"
        yield from (f"    {axis.name}: {outcome_text(axis.outcome)} ({axis.detail})" for axis in stage.axes)


def without_spread(verdict: Verdict) -> str:
    """What to say of repetitions none of whose numbers is known to have differed."""
    return "no number differed" if verdict.outcome == "identical" else "no number is known of what differed"


def spread_lines(verdict: Verdict) -> Iterator[str]:
    """How far the numbers of several repetitions lay from the record."""
    if verdict.repetitions > 1:
        found = [(path, name, far) for path, names in verdict.spread.items() for name, far in names.items()]
        yield f"{verdict.repetitions} repetitions: {'off by at most' if found else without_spread(verdict)}"
        yield from table([[f"  {path}", name, f"{far:.3g}"] for path, name, far in found])


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    order = ", but for the order the same" if comparison.unordered else ""
    yield f"  {comparison.path}: {outcome_text(comparison.outcome)}{order}"
    shown = comparison.differences[:SHOWN]
    yield from (f"    {difference_text(each)}" for each in shown)
    if left := len(comparison.differences) - len(shown):
        yield f"    {left:,} more lines like these: `--html` and `--json` have them"
