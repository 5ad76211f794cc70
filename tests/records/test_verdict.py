"""The verdict: both ways, and a whole is as good as its worst part."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.records.verdict import (
    OUTCOMES,
    Comparison,
    Difference,
    StageVerdict,
    Verdict,
    identity,
    parse,
    render,
    worst,
)
from tests.records.strategies import outcomes, relaxed, verdicts

DIGEST = Digest.of(b"x")
VERDICT = Verdict(
    outcome="different",
    target="HEAD~1",
    commit="a" * 40,
    stages=(
        StageVerdict(
            stage="train",
            receipt=DIGEST,
            outcome="different",
            comparisons=(
                Comparison(
                    "metrics.json",
                    "different",
                    DIGEST,
                    None,
                    (Difference("accuracy", 0.9, 0.8, 0.1, 0.11, "0.001"),),
                ),
            ),
            seconds=2.5,
        ),
    ),
    started="2026-01-31T12:00:00Z",
    python="3.11.7",
    platform="linux",
    environment=None,
    tool="tally 0.1",
)


@relaxed
@given(verdicts)
def test_a_verdict_survives_a_round_trip(verdict: Verdict) -> None:
    data = render(verdict)
    assert parse(data) == verdict
    assert identity(parse(data)) == Digest.of(data)


@given(st.lists(outcomes))
def test_the_worst_part_decides(parts) -> None:
    order = list(OUTCOMES)
    assert worst(parts) == (order[max(map(order.index, parts))] if parts else "identical")


def test_outcomes_are_ordered_from_good_to_bad() -> None:
    bad = ["different", "missing", "could not be rebuilt"]
    assert list(OUTCOMES) == ["identical", "within tolerance", "inconclusive", *bad]
    assert worst(["identical", "within tolerance"]) == "within tolerance"


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (["outcome"], "perfect", "one of"),
        (["extra"], 1, "unknown key"),
        (["target"], "a\x1b[0m", "control"),
        (["repetitions"], 0, "from 1"),
        (["spread"], {"../x": {"a": 1}}, "unsafe"),
        (["spread"], {"x": {"a": -1}}, "0 or more"),
        (["enforced"], ["a\nb"], "plain texts"),
        (["host"], {"system": "Linux"}, "missing"),
        (["stages", 0, "axes"], [{"name": "weather", "outcome": "different", "detail": ""}], "one of"),
        (["stages", 0, "comparisons", 0, "kind"], "poems", "one of"),
        (["stages", 0, "receipt"], "x", "digest"),
        (["stages", 0, "comparisons", 0, "path"], "../x", "unsafe"),
        (["stages", 0, "comparisons", 0, "differences", 0, "expected"], [1], "text or a number"),
        (["stages", 0, "comparisons", 0, "differences", 0, "absolute"], -1, "0 or more"),
        (["stages", 0, "comparisons", 0, "differences", 0, "within"], "no", "true or false"),
    ],
)
def test_a_broken_verdict_is_refused(place: list[str | int], value: Any, complaint: str) -> None:
    values = json.loads(render(VERDICT))
    inner = values
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    with pytest.raises(BadRecord, match=complaint):
        parse(json.dumps(values), "v")
