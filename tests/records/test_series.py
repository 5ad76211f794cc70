"""The series of metrics that a run logged."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from tallystick.records.series import Step, line, read

NOON = datetime(2026, 1, 31, 12, 0, 0, 250_000, UTC)


def test_a_step_is_one_line_with_its_moment_and_its_numbers() -> None:
    text = line(3, {"loss": "0.5"}, NOON.astimezone(timezone(timedelta(hours=2))))
    assert text.endswith(b"}\n")
    assert json.loads(text) == {"step": 3, "@time": "2026-01-31T12:00:00.250Z", "loss": 0.5}
    assert list(read(text)) == [Step(3, {"loss": 0.5}, NOON.timestamp())]


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.floats()), max_size=5))
def test_what_was_logged_is_read_again(steps: list[tuple[int, float]]) -> None:
    data = b"".join(line(step, {"a b": repr(value)}, NOON) for step, value in steps)
    found = list(read(data))
    assert [each.step for each in found] == [step for step, _ in steps]
    for each, (_, value) in zip(found, steps, strict=True):
        assert each.values["a b"] == value or (math.isnan(value) and math.isnan(each.values["a b"]))


def test_a_series_without_moments_is_read_too() -> None:
    assert list(read(b'{"step": 0, "loss": 1}\n')) == [Step(0, {"loss": 1.0}, None)]


def test_lines_that_are_no_steps_are_passed_over() -> None:
    odd = [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b'{"loss": 1}',
        b'{"step": true, "loss": 1}',
        b'{"step": 1.5, "loss": 1}',
        b'{"step": ' + b"9" * 30 + b"}",
        b'{"step": ' + b"9" * 5000 + b"}",
        b'{"a":' * 100_000,
    ]
    assert list(read(b"\n".join([*odd, b'{"step": 1, "loss": 2}', b'{"step": 2, "lo']))) == [
        Step(1, {"loss": 2.0})
    ]


def test_values_and_moments_that_are_none_are_left_out() -> None:
    row = {"step": 1, "@time": "yesterday", "a": True, "b": None, "c": "x", "d": [1], "e": 10**400, "f": 2}
    assert list(read(json.dumps(row).encode())) == [Step(1, {"f": 2.0})]
    assert list(read(b'{"step": 1, "@time": "2026-01-31T12:00:00"}')) == [Step(1, {})]
