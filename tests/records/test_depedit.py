import pytest

from tallystick.errors import BadRecord
from tallystick.records.depedit import with_deps
from tallystick.records.pipeline import parse

BLOCK = """\
# how it is made
stages:
  prepare:  # first
    cmd: python prepare.py  # quick
    deps:
      - prepare.py  # the script
      # the raw data
      - raw.csv
    outs: [clean.csv]

  # then
  train:
    cmd: |
      python train.py
      echo done
    outs:
    - model
"""


def added(text: str, stage: str, *deps: str) -> str:
    changed = with_deps(text.encode(), stage, deps).decode()
    before, after = parse(text).stages[stage], parse(changed).stages[stage]
    assert after.deps == (*before.deps, *deps)
    return changed


def test_a_dep_goes_below_the_last_and_all_comments_stay() -> None:
    changed = added(BLOCK, "prepare", "lib/clean.py", "two words.csv")
    expected = BLOCK.replace(
        "      - raw.csv\n", "      - raw.csv\n      - lib/clean.py\n      - two words.csv\n"
    )
    assert changed == expected


def test_a_stage_without_deps_gets_them_below_its_command() -> None:
    changed = added(BLOCK, "train", "train.py")
    assert changed == BLOCK.replace("      echo done\n", "      echo done\n    deps:\n      - train.py\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("stages:\n  a:\n    deps: [x, y]  # both\n    cmd: c\n", "    deps: [x, y, new]  # both\n"),
        ("stages:\n  a:\n    deps: ['x']\n    cmd: c\n", "    deps: ['x', new]\n"),
        ("stages:\n  a:\n    deps: [\n      x,\n      y\n    ]\n    cmd: c\n", "      y, new\n"),
        ("stages:\n  a:\n    cmd: c\n    deps:\n    - x", "    - x\n    - new\n"),
        ("stages:\n  a:\n    cmd: 'c'\n", "    cmd: 'c'\n    deps:\n      - new\n"),
        (
            "stages:\n  a:\n    cmd: >-\n      c\n      d\n\n    frozen: true\n",
            "      d\n    deps:\n      - new\n\n",
        ),
        ("stages:\n  a:\n    cmd: [c, d]\n", "    cmd: [c, d]\n    deps:\n      - new\n"),
        ("stages:\n  a:\n    cmd: c\n    deps: []\n", "    deps: [new]\n"),
        ("stages: {a: {cmd: c}}\n", "stages: {a: {cmd: c, deps: [new]}}\n"),
        ("stages: {a: {cmd: c, deps: [ ]}}\n", "deps: [new ]}}\n"),
        ("stages: {a: {deps: [x], cmd: c}}  # one\n", "stages: {a: {deps: [x, new], cmd: c}}  # one\n"),
        (
            "stages:\n  a: {\n    cmd: 'c, d',  # why\n    outs: [o],\n  }\n",
            "    cmd: 'c, d', deps: [new],  # why\n    outs: [o],\n",
        ),
        ("stages:\n  a: {cmd: [c, d] }  # one\n", "  a: {cmd: [c, d], deps: [new] }  # one\n"),
    ],
)
def test_every_way_of_writing_deps_is_kept(text: str, line: str) -> None:
    assert line in added(text, "a", "new")


def test_what_is_a_dep_already_changes_nothing() -> None:
    assert with_deps(BLOCK.encode(), "prepare", ["raw.csv"]).decode() == BLOCK


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("stages:\n  a:\n    cmd: c\n    deps:\n", "a"),
        ("stages:\n  a:\n    foreach: [1, 2]\n    do:\n      cmd: c ${item}\n", "a@1"),
    ],
)
def test_where_it_must_be_done_by_hand_is_said(text: str, stage: str) -> None:
    with pytest.raises(BadRecord, match="can't be added") as caught:
        with_deps(text.encode(), stage, ["new.py"])
    assert caught.value.hint == "add by hand: `new.py`"
