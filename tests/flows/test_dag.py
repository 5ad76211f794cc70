"""`tally dag`, and stages that are named as a group, by a pattern, or by what waits for them."""

import pytest

from tallystick.errors import WrongUsage
from tallystick.runs.pipelines import file_name, graph
from tests.flows.conftest import Stages

TEXT = """
stages:
  make: {cmd: m, outs: [raw]}
  train:
    foreach: [a, b/c]
    do: {cmd: "t ${item}", deps: [raw], outs: ["out/${item}"]}
  eval: {cmd: e, deps: [out/a], frozen: true, outs: [all]}
"""


def test_a_group_and_a_pattern_mean_all_their_stages() -> None:
    found = graph({"tally.yaml": TEXT.encode()})
    assert found.addresses("train") == ("train@a", "train@b/c")
    assert found.addresses("train@b*") == ("train@b/c",)
    assert found.addresses("train@a") == ("train@a",)
    assert [step.address for step in found.downstream(["train"])] == ["train@a", "train@b/c", "eval"]
    assert [step.address for step in found.downstream(["eval"])] == ["eval"]
    assert len(found.downstream([])) == 4


def test_every_item_has_a_receipt_of_its_own_whatever_it_holds() -> None:
    step = graph({"tally.yaml": TEXT.encode()}).steps["train@b/c"]
    assert step.receipt_path == "receipts/train@b%2Fc.json"
    names = ["s@a/b", "s@a%2Fb", "s@é", "s@" + "x" * 180, "s@" + "x" * 181]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(files)
    assert all(len(name) < 200 and "/" not in name for name in files)


def test_the_graph_is_shown_as_a_tree_and_as_pictures(bare: Stages) -> None:
    bare.pipeline(TEXT)
    assert bare.tally("dag").out.splitlines() == [
        "make",
        "├─ train@a",
        "│  └─ eval (frozen)",
        "└─ train@b/c",
    ]
    assert bare.tally("dag", "train@a", "--outs").out.splitlines() == ["make: raw", "└─ train@a: out/a"]
    assert bare.tally("dag", "train", "--downstream").out.split() == [
        "train@a", "└─", "eval", "(frozen)", "train@b/c",
    ]  # fmt: skip
    mermaid = bare.tally("dag", "--mermaid").out.splitlines()
    assert mermaid[0] == "flowchart TD"
    assert '    s0["make"]' in mermaid
    assert "    s0 --> s1" in mermaid
    assert '  "make" -> "train@a";' in bare.tally("dag", "--dot").out.splitlines()


def test_the_graph_as_data_says_what_passes(bare: Stages) -> None:
    bare.pipeline(TEXT)
    found = bare.tally("dag", "eval", "--json").json()
    assert [node["stage"] for node in found["stages"]] == ["make", "train@a", "eval"]
    assert found["edges"][1] == {"before": "train@a", "after": "eval", "paths": ["out/a"]}


def test_a_project_without_stages_says_so_and_two_pictures_are_refused(bare: Stages) -> None:
    assert bare.tally("dag").out == "There are no stages.\n"
    assert "two pictures" in bare.tally("dag", "--dot", "--mermaid", code=WrongUsage.exit_code).err


def test_parameters_that_are_changed_first_reach_the_templates(bare: Stages) -> None:
    bare.repo.write("params.yaml", "lr: 1\n")
    bare.pipeline("stages:\n  s:\n    cmd: echo ${lr} > a\n    outs: [a]\n")
    assert bare.states("-S", "lr=2") == {"s": "succeeded"}
    assert bare.repo.read("a") == b"2\n"
    bare.repo.write("params.yaml", "lr: 3\n")
    assert bare.reasons("s") == ["command changed"]


@pytest.mark.parametrize("command", ["status", "run"])
def test_a_template_that_refers_to_nothing_is_named_with_its_line(bare: Stages, command: str) -> None:
    bare.pipeline("stages:\n  s:\n    cmd: echo ${lr}\n")
    assert "tally.yaml:3: stage `s`: `${lr}` refers to nothing" in bare.tally(command, code=12).err
