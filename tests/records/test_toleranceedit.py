"""Tolerances written into a pipeline's text: only the stage meant changes, comments stay."""

import pytest

from tallystick.errors import BadRecord
from tallystick.records.pipeline import parse
from tallystick.records.tolerance import EVERY, Measured, Tolerance
from tallystick.records.toleranceedit import with_tolerances

MEASURED = Tolerance(measured=Measured(1.2e-7, 5))
LINE = "{measured: {spread: 1.2e-07, runs: 5}}"

TEXT = """\
# how it is made
stages:
  train:  # long
    cmd: python train.py
    outs: [model.npz]
    metrics:
      - m.json  # the score

  # then
  other:
    cmd: c
"""


def changed(text: str, tolerances: dict[str, dict[str, Tolerance]]) -> str:
    new = with_tolerances(text.encode(), "train", tolerances).decode()
    before, after = parse(text).stages, parse(new).stages
    assert {name: after[name] for name in after if name != "train"} == {
        name: before[name] for name in before if name != "train"
    }
    for path, bounds in tolerances.items():
        assert bounds.items() <= after["train"].tolerance[path].items()
    return new


def test_a_stage_without_tolerances_gets_them_at_its_end() -> None:
    new = changed(TEXT, {"m.json": {"loss": MEASURED}, "model.npz": {"w": MEASURED}})
    lines = f"    tolerance:\n      m.json: {{loss: {LINE}}}\n      model.npz: {{w: {LINE}}}\n"
    assert new == TEXT.replace("  # the score\n", f"  # the score\n{lines}")


def test_paths_that_are_there_keep_their_other_numbers_and_comments() -> None:
    old = TEXT.replace(
        "\n  # then",
        "    tolerance:\n      m.json:  # tight\n        loss: 0.1\n        acc: {ulps: 4}  # exact\n"
        "      model.npz: 0.5 # wide\n\n  # then",
    )
    new = changed(old, {"model.npz": {"w": MEASURED}})
    assert new == old.replace(
        "model.npz: 0.5 # wide", f"model.npz: {{'*': 0.5, w: {LINE}}} # wide".replace("'", '"')
    )
    assert "loss: " + LINE in changed(old, {"m.json": {"loss": MEASURED}})
    assert "acc: {ulps: 4}" in changed(old, {"m.json": {"loss": MEASURED}})


@pytest.mark.parametrize(
    "old", ["{m.json: 0.1}", "{m.json: {loss: 0.1}, model.npz: {order: any}}", "{\n      m.json: 1,\n    }"]
)
def test_a_policy_in_braces_is_changed_in_its_place(old: str) -> None:
    text = TEXT.replace("\n  # then", f"    tolerance: {old}  # so\n\n  # then")
    new = changed(text, {"m.json": {EVERY: MEASURED}, "model.npz": {"w": MEASURED}})
    assert new.splitlines()[:7] == text.splitlines()[:7]
    assert "# so\n\n  # then\n" in new


def test_what_is_there_already_changes_nothing() -> None:
    once = changed(TEXT, {"m.json": {"loss": MEASURED}})
    assert changed(once, {"m.json": {"loss": MEASURED}}) == once


def test_names_that_look_like_templates_are_written_as_they_are() -> None:
    assert '"\\\\${x}"' in changed(TEXT, {"m.json": {"${x}": MEASURED}})


def test_a_stage_out_of_a_template_is_left_to_the_user() -> None:
    text = "stages:\n  train:\n    foreach: [a]\n    do:\n      cmd: c ${item}\n      outs: [m]\n"
    with pytest.raises(BadRecord, match="train@a"):
        with_tolerances(text.encode(), "train@a", {"m": {"loss": MEASURED}})


@pytest.mark.parametrize(
    "text",
    [
        "stages: {train: {cmd: c, outs: [m]}}\n",
        "stages:\n  train:\n    cmd: c\n    outs: [m]\n    tolerance: {}\n",
    ],
)
def test_where_it_can_not_be_written_the_lines_are_named(text: str) -> None:
    with pytest.raises(BadRecord) as caught:
        with_tolerances(text.encode(), "train", {"m": {"loss": MEASURED}})
    assert "add by hand: tolerance: {m: " in (caught.value.hint or "")
