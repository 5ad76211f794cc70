"""The report of `tally repro --all-receipts` as a page, and as JUnit XML."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from tallystick.cli.junit import case, suite
from tallystick.cli.page import Markup, page, table, tag
from tallystick.cli.text import count_text, seconds_text
from tallystick.flows.survey import UNBUILT, Checked, Survey
from tallystick.records.verdict import REPRODUCED

TITLE = "What can still be rebuilt"


def survey_page(found: Survey) -> str:
    """Lay out all runs, then what they add up to."""
    return page(
        TITLE,
        tag("p", summary(found)),
        _counts("Verdicts", found.outcomes),
        *([_counts("Why", found.causes)] if found.causes else []),
        tag("h2", "By age"),
        table(["made", "runs", *found.outcomes], (_age_row(found, each.age) for each in found.ages)),
        tag("h2", "Runs"),
        table(["run", "stage", "started", "verdict", "why", "record", "took"], map(_row, found.runs)),
        *(tag("p", f"note: {note}", class_="faint") for note in found.notes),
    )


def survey_junit(found: Survey) -> str:
    """Write a suite with a case for each run."""
    properties = [("runs", str(found.among)), ("left", str(found.left))]
    properties += [("seed", str(found.seed))] if found.seed is not None else []
    seconds = sum(each.seconds for each in found.runs)
    started = datetime.now(UTC).isoformat()
    cases = [_case(each) for each in found.runs]
    return suite("receipts", started, cases, properties=properties, notes=found.notes, seconds=seconds)


def summary(found: Survey) -> str:
    """How many of how many, in a sentence."""
    good = sum(each.outcome in REPRODUCED for each in found.runs)
    chosen = f", a sample of {found.among:,} (seed {found.seed})" if found.seed is not None else ""
    left = f"; interrupted, {found.left:,} left" if found.interrupted else ""
    return f"{good:,} of {count_text(len(found.runs), 'run')} reproduced{chosen}{left}"


def why(checked: Checked) -> str:
    """Why a run came to its verdict; nothing where there is nothing to say."""
    differs = [f"not the same: {', '.join(checked.differs)}"] if checked.differs else []
    return "; ".join([*([checked.why] if checked.why else []), *differs])


def _counts(title: str, counts: Mapping[str, int]) -> Markup:
    rows = ([word, str(number)] for word, number in counts.items())
    return tag("section", tag("h2", title), table(["", "runs"], rows))


def _age_row(found: Survey, age: str) -> Iterable[str]:
    (one,) = (each for each in found.ages if each.age == age)
    return [age, str(one.runs), *(str(one.outcomes.get(outcome, 0)) for outcome in found.outcomes)]


def _row(checked: Checked) -> Iterator[str]:
    yield tag("code", checked.run.short)
    yield checked.stage or "-"
    yield (checked.started or "-")[:19].replace("T", " ")
    yield tag("span", checked.outcome, class_="good" if checked.outcome in REPRODUCED else "bad")
    yield why(checked)
    yield tag("code", checked.verdict.short) if checked.verdict is not None else "none"
    yield seconds_text(checked.seconds)


def _case(checked: Checked) -> Markup:
    element = "error" if checked.outcome == UNBUILT else "failure"
    wrong = None if checked.outcome in REPRODUCED else (element, why(checked) or checked.outcome)
    told = [f"verdict {checked.verdict.hex()}"] if checked.verdict is not None else []
    stage = checked.stage or "a damaged receipt"
    return case(
        checked.run.hex(), stage, seconds=checked.seconds, wrong=wrong, kind=checked.outcome, told=told
    )
