"""The policy of how exactly a repetition must match, as it is written, read and kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import BadRecord
from tallystick.records.fields import Fields
from tallystick.records.pipeline import parse
from tallystick.records.tolerance import (
    EVERY,
    Measured,
    Tolerance,
    Tolerances,
    read_tolerances,
    short_values,
    tolerance_values,
)
from tests.records.strategies import tolerances, words


def written(body: str) -> Tolerances:
    text = f"stages:\n  one:\n    cmd: c\n    outs: [m]\n    tolerance:\n      m: {body}\n"
    return parse(text).stages["one"].tolerance


@pytest.mark.parametrize(
    ("body", "bounds"),
    [
        ("{ulps: 4}", {EVERY: Tolerance(ulps=4)}),
        ("{w: {ulps: 4, absolute: 1e-9}}", {"w": Tolerance(1e-9, ulps=4)}),
        ("{order: any}", {EVERY: Tolerance(any_order=True)}),
        ("{order: any, absolute: 0.1}", {EVERY: Tolerance(0.1, any_order=True)}),
        ("{order: any, loss: 0.1}", {EVERY: Tolerance(any_order=True), "loss": Tolerance(0.1)}),
        ("{order: any, '*': 0.1}", {EVERY: Tolerance(0.1, any_order=True)}),
        ("{order: {absolute: 0.1}}", {"order": Tolerance(0.1)}),
        ("{measured: {spread: 1.2e-7, runs: 5}}", {EVERY: Tolerance(measured=Measured(1.2e-7, 5))}),
        ("{loss: {measured: {spread: 0.5, runs: 5}}}", {"loss": Tolerance(measured=Measured(0.5, 5))}),
        ("{measured: {absolute: 0.1}}", {"measured": Tolerance(0.1)}),
        ("{absolute: {relative: 0.1}}", {"absolute": Tolerance(relative=0.1)}),
    ],
)
def test_bounds_are_written_in_short_or_by_name(body: str, bounds: dict[str, Tolerance]) -> None:
    assert written(body) == {"m": bounds}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{ulps: 0.5}", "`ulps` must be a whole number"),
        ("{ulps: -1}", "`ulps` must be a whole number"),
        ("{order: sorted}", "`order` must be `any`"),
        ("{order: 0.1}", "`order` must be `any`"),
        ("{a: {order: any}}", "unknown key `order`"),
        ("{measured: 0.1}", r"`measured` must be `\{spread: number, runs: number\}`"),
        ("{measured: {spread: 0.1}}", "`measured` must be"),
        ("{measured: {spread: 0.1, runs: 0}}", "`runs` must be a whole number from 1"),
        ("{measured: {spread: many, runs: 2}}", "`spread` must be a number"),
    ],
)
def test_what_makes_no_sense_is_refused_with_file_line_and_stage(body: str, said: str) -> None:
    with pytest.raises(BadRecord, match=said) as caught:
        written(body)
    assert (caught.value.source, caught.value.line) == ("tally.yaml", 6)
    assert "stage `one`" in caught.value.message


bounds_of_paths = st.dictionaries(
    # A bare word may be a name that is reserved on Windows.
    words.map("{}_".format),
    st.dictionaries(
        st.sampled_from([EVERY, "loss", "order", "measured", "absolute", "ulps", "spread"]),
        tolerances,
        min_size=1,
        max_size=3,
    ),
    max_size=2,
)


def read(values: Any) -> Tolerances:
    return read_tolerances(Fields({"tolerance": values}))


@given(bounds_of_paths)
def test_whatever_a_number_is_called_the_full_form_is_read_back(policy: Tolerances) -> None:
    assert read(tolerance_values(policy)) == policy


@given(bounds_of_paths)
def test_the_short_form_says_the_same(policy: Tolerances) -> None:
    assert read({path: short_values(bounds) for path, bounds in policy.items()}) == policy


def test_two_runs_may_be_twice_the_measured_spread_apart() -> None:
    assert Tolerance(measured=Measured(0.25, 5)).distance == 0.5
    assert Tolerance(0.75, measured=Measured(0.25, 5)).distance == 0.75
    assert Tolerance(relative=0.1).distance is None
