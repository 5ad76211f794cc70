"""Conditions on runs: what they mean, and what is said of those that mean nothing."""

import json
from typing import Any

import pytest

from tallystick.digest import Digest
from tallystick.errors import Refused, WrongUsage
from tallystick.records import receipt as receipts
from tallystick.runs.conditions import names, parse
from tallystick.runs.naming import Values
from tests.source import ROOT

RUN = Digest(bytes.fromhex("ab" * 32))
FACTS: dict[str, Any] = {
    "run": RUN.hex(),
    "started": "2026-11-22T01:00:00Z",
    "stage": "train",
    "status": "failed",
    "commit": "5b28728ff8" * 4,
    "dirty": True,
    "seconds": 3.5,
    "author": "Ada Lovelace <ada@example.org>",
    "seed": None,
    "exit_code": 3,
    "cause": "ended with exit code 3",
}
VALUES = Values(
    FACTS,
    {
        "params.yaml": {"train.lr": 0.1, "name": "wide", "loss": "hinge"},
        "other.json": {"size": 3, "deep": True},
    },
    {
        "metrics.json": {"accuracy": 0.95},
        "train.json": {"loss": 0.25, "accuracy": 0.5},
        "b.json": {"size": 4},
    },
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("accuracy > 0.9", True),
        ("accuracy>0.95", False),
        ("accuracy>=0.95 and accuracy<=9.5e-1", True),
        ("train.lr = 0.10", True),
        ("train.lr == .1", True),
        ("train.lr != 0.1", False),
        ("train.json:loss < 0.3", True),
        ("train.json:accuracy = 0.5", True),
        ("deep = true", True),
        ("dirty = false", False),
        ("name = wide", True),
        ("name ~ id", True),
        ("name > aaa", True),
        ("name > 3", True),
        ("accuracy > high", False),
        ("accuracy != high", True),
        ("status = failed AND (stage = eval OR stage = train)", True),
        ("stage = eval or stage = train and seconds > 5", False),
        ("(stage = eval or stage = train) and seconds > 3", True),
        ("author ~ 'Ada Love'", True),
        ('author ~ "Ada \\"Love"', False),
        ("commit = 5b28", True),
        ("commit = 28", False),
        ("run != abab", False),
        ("started >= 2026-11-22 and started < 2026-11-23", True),
        ("seed = none", True),
        ("seed != 3", False),
        ("seed > 3", False),
        ("gone = none", True),
        ("accuracy != none", True),
        ("gone ~ n", False),
    ],
)
def test_a_condition_means_what_it_says(text: str, wanted: bool) -> None:
    assert parse(text).fits(VALUES) is wanted


@pytest.mark.parametrize("name", ["size", "loss", "train.json:nothing"])
def test_a_name_of_several_values_has_to_be_told_apart(name: str) -> None:
    if name == "size":
        with pytest.raises(Refused) as refused:
            parse("size > 3").fits(VALUES)
        assert "`other.json:size` or `b.json:size`" in (refused.value.hint or "")
    else:
        # The usual files come first: there a key alone is the name.
        assert VALUES.find(name) == {"loss": "hinge"}.get(name)


def test_a_param_and_a_metric_of_the_usual_files_are_told_apart_too() -> None:
    both = Values(FACTS, {"params.yaml": {"loss": "hinge"}}, {"metrics.json": {"loss": 0.5}})
    with pytest.raises(Refused):
        both.find("loss")
    assert both.find("metrics.json:loss") == 0.5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a name is missing"),
        ("accuracy", "one of = != < <= > >= ~"),
        ("accuracy >", "a value after `accuracy >`"),
        ("accuracy > 0.9 and", "a name is missing"),
        ("accuracy > 0.9 stage = train", "`stage` is not expected"),
        ("(accuracy > 0.9", "a bracket is not closed"),
        ("accuracy > 0.9)", "`)` is not expected"),
        ("name = 'open", "can't be read"),
        ("> 3", "a name is missing"),
        ("(" * 400 + "a=1", "too many brackets"),
        ("a=1 " * 5000, "too long"),
        ("__import__('os').system('true')", "one of = != < <= > >= ~"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(WrongUsage) as refused:
        parse(text)
    assert complaint in refused.value.message
    assert "--where" in (refused.value.hint or "")


def test_the_names_in_a_condition_are_known() -> None:
    assert list(names(parse("a = 1 and (b = 2 or 'c d' = 3)"))) == ["a", "b", "c d"]


@pytest.mark.parametrize("file", ["receipt.json", "receipt-2.json"])
def test_a_receipt_that_was_not_parsed_has_the_same_values(file: str) -> None:
    data = (ROOT / "tests/data/v1" / file).read_bytes()
    assert Values.of_text(RUN, data) == Values.of(RUN, receipts.parse(data))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"code": 1, "params": {}, "metrics": {}}', b"[" * 9999]
)
def test_what_is_no_receipt_has_no_values(data: bytes) -> None:
    assert Values.of_text(RUN, data) is None


def test_values_that_are_not_by_file_are_none() -> None:
    data = {"code": {"commit": None}, "params": {"a": 3}, "metrics": {}}
    assert Values.of_text(RUN, json.dumps(data).encode()) is None
