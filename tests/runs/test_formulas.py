"""Conditions on metrics: what they mean, and where they can't be read."""

import pytest

from tallystick.errors import Refused, WrongUsage
from tallystick.runs.formulas import Metric, is_plain, parse

NOW = {"accuracy": 0.9, "loss": 0.5, "train.json:loss": 0.25, "top-1": 0.8, "n": 3}
THERE = {"accuracy": 0.95, "loss": 0.4, "train.json:loss": 0.5, "top-1": 0.8, "zero": 0.0}


def holds(text: str) -> bool:
    return parse(text).holds(lambda metric: (THERE if metric.baseline else NOW)[metric.name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy < 0.91", True),
        ("accuracy < baseline - 0.01", True),
        ("accuracy < baseline - 0.1", False),
        ("baseline - 0.01 > accuracy", True),
        ("accuracy<baseline-.01", True),
        ("accuracy < baseline.accuracy * 0.99", True),
        ("loss > 2 * baseline - 0.4", True),
        ("loss > 2 * (baseline - 0.4) + 1", False),
        ("loss / 2 - 1 = -0.75", True),
        ("- loss < - -0.1 and n == 3", True),
        ("n != 3 or loss >= 0.5", True),
        ("n = 3 or n = 4 and loss < 0", True),
        ("(n = 3 or n = 4) and loss < 0", False),
        ("train.json:loss < baseline and accuracy < baseline", True),
        ("`top-1` < baseline or 'top-1' < baseline.\"top-1\"", False),
        ("loss <= 5e-1", True),
    ],
)
def test_a_condition_is_computed_as_it_reads(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", 0, "is missing"),
        ("accuracy <", 10, "is missing"),
        ("accuracy < < 1", 11, "is missing"),
        ("accuracy", 0, "not compared"),
        ("n < 1 and accuracy", 10, "not compared"),
        ("0 < accuracy < 1", 13, "joined by `and`"),
        ("accuracy < 0.9x", 14, "`x` is not expected"),
        ("(accuracy < 1", 13, "not closed"),
        ("accuracy < 1)", 12, "`)` is not expected"),
        ("accuracy ; 1", 9, "`;` means nothing"),
        ("n < (loss > 1)", 5, "not a comparison"),
        ("baseline < 0.9", 0, "`baseline` of which metric"),
        ("n + loss < baseline", 11, "`baseline.n` or `baseline.loss`"),
        ("n < 1e999", 4, "too large"),
        ("(" * 31 + "n", 30, "too many brackets"),
    ],
)
def test_what_can_not_be_read_is_shown_with_the_place(text: str, place: int, reason: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        parse(text)
    said, line, mark = caught.value.message.split("\n")
    assert reason in said
    assert (line, mark) == (text, " " * place + "^")


def test_nothing_is_evaluated_and_length_is_bounded() -> None:
    for text in ("__import__('os').system('id') < 1", "n < 1; import os", "n." * 300 + "n < 1"):
        with pytest.raises(WrongUsage):
            parse(text)
    assert holds("0" + "+n" * 200 + " = 600")


def test_what_can_not_be_computed_is_refused_with_the_place() -> None:
    with pytest.raises(Refused, match=r"divides by zero\nn / baseline.zero > 1\n  \^"):
        holds("n / baseline.zero > 1")


def test_every_metric_is_named_once_and_the_baselines_are_told_apart() -> None:
    asked = [(each.name, each.baseline) for each in parse("n < baseline and n > baseline.loss").metrics()]
    assert asked == [("n", False), ("n", True), ("n", False), ("loss", True)]
    assert Metric("n", False, 0) in parse("n < 1").metrics()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("accuracy", True),
        ("m.json:a.0.b", True),
        ("top-1", False),
        ("a/b", False),
        ("and", False),
        ("0", False),
    ],
)
def test_a_name_that_needs_quotes_is_known(name: str, plain: bool) -> None:
    assert is_plain(name) is plain
