"""The page of `tally repro`: the verdict, who judged where and how, and both sides of every out."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from tallystick.cli import charts
from tallystick.cli.page import Markup, cell, page, table, tag
from tallystick.cli.text import count_text, seconds_text, size_text
from tallystick.cli.verdicts import without_spread
from tallystick.digest import Digest
from tallystick.records.verdict import (
    REPRODUCED,
    Axis,
    Comparison,
    Difference,
    Outcome,
    StageVerdict,
    Verdict,
)

STYLE = """
section { margin: 2.5rem 0; } section h3 { margin: 1.4rem 0 .3rem; } td { vertical-align: top; }
.verdict { font-size: 1.3rem; font-weight: 600; } .facts th { white-space: nowrap; vertical-align: top; }
.facts td, p, li, h1, h2, h3 { overflow-wrap: anywhere; white-space: normal; }
ul { margin: .3rem 0; padding-left: 1.2rem; } .cell.detail { max-width: 45rem; }
svg.far { width: 8rem; height: .8rem; } svg.far .all { fill: var(--line); } svg.far .off { fill: var(--bad); }
svg.far .near { fill: var(--changed); }
"""

_DIGITS = 16
"""Decimal digits of a 64-bit float: a relative distance of 1e-16 is an empty bar, one of 1 a full one."""


def verdict_page(
    verdict: Verdict,
    identity: Digest,
    notes: Sequence[str] = (),
    more: Iterable[Markup] = (),
    drawn: Iterable[Markup] = (),
) -> str:
    """Lay a verdict out on one page, `more`, and pictures; all is shown as text, whoever wrote it."""
    return page(
        f"Reproduction of {verdict.target}",
        tag("p", _outcome(verdict.outcome), class_="verdict"),
        _facts(verdict, identity),
        *_list("Enforced while the commands ran", verdict.enforced),
        *_list("Known to differ from the recorded machine before anything ran", verdict.unlike),
        *_list("Notes", dict.fromkeys((*verdict.notes, *notes))),
        *more,
        *(_stage(stage) for stage in verdict.stages),
        *_spread(verdict),
        *drawn,
        style=charts.STYLE + STYLE,
    )


def _outcome(outcome: Outcome) -> Markup:
    return tag("span", outcome, class_="good" if outcome in REPRODUCED else "bad")


def _facts(verdict: Verdict, identity: Digest) -> Markup:
    """Who judged what, when and where, one fact a row."""
    rows = (tag("tr", tag("th", name), tag("td", value)) for name, value in _rows(verdict, identity) if value)
    return tag("div", tag("table", tag("tbody", *rows), class_="facts"), class_="wide")


def _rows(verdict: Verdict, identity: Digest) -> Iterator[tuple[str, str]]:
    yield "verdict", tag("code", identity.hex())
    yield "target", verdict.target
    yield "commit", tag("code", verdict.commit or "none")
    yield "judged by", verdict.author or ""
    yield "started", verdict.started
    yield "repetitions", str(verdict.repetitions)
    yield "Python", f"{verdict.python} on {verdict.platform}"
    yield "environment", tag("code", str(verdict.environment or "none"))
    if verdict.hardware is not None:
        machine = verdict.hardware
        yield "machine", f"{machine.cpu}, {count_text(machine.cores, 'core')}, {size_text(machine.memory)}"
        yield "cards", ", ".join((*machine.gpus, *machine.drivers))
    if verdict.host is not None:
        where = " in a container" if verdict.host.container else ""
        yield "system", f"{verdict.host.system} {verdict.host.kernel}{where}, {verdict.host.libc}"
    yield "written by", verdict.tool


def _list(title: str, lines: Iterable[str]) -> list[Markup]:
    items = [tag("li", line) for line in lines]
    return [tag("h2", title), tag("ul", *items)] if items else []


def _stage(stage: StageVerdict) -> Markup:
    took = f" in {seconds_text(stage.seconds)}" if stage.seconds else ""
    return tag(
        "section",
        tag("h2", stage.stage, ": ", _outcome(stage.outcome), took),
        *([tag("p", stage.reason)] if stage.reason is not None else []),
        tag("p", "judged beside run ", tag("code", stage.receipt.hex()), class_="faint"),
        *([_outs(stage.comparisons)] if stage.comparisons else []),
        *(_differences(each) for each in stage.comparisons if each.differences),
        *([tag("h3", "With one thing of the other run each"), _axes(stage.axes)] if stage.axes else []),
    )


def _outs(comparisons: Iterable[Comparison]) -> Markup:
    rows = (
        [
            cell(each.path),
            tag("span", _outcome(each.outcome), ", but for the order the same" if each.unordered else ""),
            each.kind,
            _digest(each.expected),
            _digest(each.actual),
        ]
        for each in comparisons
    )
    return table(["out", "outcome", "compared as", "recorded", "now"], rows)


def _digest(digest: Digest | None) -> Markup:
    return tag("span", "none", class_="faint") if digest is None else cell(tag("code", str(digest)))


def _differences(comparison: Comparison) -> Markup:
    headings = ["what", "recorded", "now", "where", "how many", "off by", "relative", "digits", "allowed"]
    rows = [list(_row(each)) for each in comparison.differences]
    # Texts have no distance, single numbers no place: of what no row has there is no column.
    used = [any(row[place] for row in rows) for place in range(len(headings))]
    shown = table(compress(headings, used), (compress(row, used) for row in rows))
    return tag("div", tag("h3", comparison.path), shown)


def _row(difference: Difference) -> Iterator[str]:
    """One difference: both its sides, and how far they lie apart."""
    yield cell(difference.name)
    # What is not named one by one has no two sides.
    yield "" if difference.expected == difference.name == "" else cell(_value(difference.expected))
    yield cell(_value(difference.actual))
    yield difference.where or ""
    counted = difference.differing is not None and difference.values is not None
    yield f"{difference.differing:,} of {difference.values:,}" if counted else ""
    yield "" if difference.absolute is None else f"{difference.absolute:.3g}"
    yield "" if difference.relative is None else f"{difference.relative * 100:.3g}%"
    yield "" if difference.relative is None else _bar(difference.relative, within=difference.within)
    yield difference.allowed or ""


def _value(value: object) -> str:
    return "none" if value is None else repr(value) if isinstance(value, float) else str(value)


def _bar(relative: float, *, within: bool) -> Markup:
    """How many of a number's digits are others: a short bar is the last ones."""
    share = 0.0
    if relative > 0:
        share = min(1.0, max(0.0, 1 + math.log10(min(relative, 1.0)) / _DIGITS))
    return tag(
        "svg",
        tag("rect", width=100, height=10, class_="all"),
        tag("rect", width=f"{share * 100:.1f}", height=10, class_="near" if within else "off"),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="far",
        role="img",
        aria_label=f"{relative * 100:.3g}%",
    )


def _axes(axes: Iterable[Axis]) -> Markup:
    rows = ([each.name, _outcome(each.outcome), cell(each.detail, "detail")] for each in axes)
    return table(["thing", "outcome", "how it differs"], rows)


def _spread(verdict: Verdict) -> list[Markup]:
    """How far the numbers of several repetitions lay from the record."""
    if verdict.repetitions == 1:
        return []
    rows = [
        [path, name, f"{far:.3g}"]
        for path, names in sorted(verdict.spread.items())
        for name, far in sorted(names.items())
    ]
    shown = table(["out", "number", "off by at most"], rows) if rows else tag("p", without_spread(verdict))
    return [tag("h2", f"Spread of {verdict.repetitions} repetitions"), shown]
