"""Stages that use what lies in a submodule."""

from pathlib import Path

import pytest

from tests.flows.conftest import Stages
from tests.sandbox import Repo

PIPELINE = """\
stages:
  one: {cmd: cat lib/part.txt > one.txt, deps: [lib/part.txt], outs: [one.txt]}
  all: {cmd: cat lib/part.txt lib/sub/more.txt > all.txt, deps: [lib], outs: [all.txt]}
"""


@pytest.fixture
def nested(bare: Stages, tmp_path: Path) -> Stages:
    bare.repo.submodule(Repo.made(tmp_path / "other", {"part.txt": "1\n", "sub/more.txt": "2\n"}), "lib")
    bare.pipeline(PIPELINE)
    bare.repo.commit("With a submodule")
    return bare


def test_what_a_stage_reads_in_a_submodule_is_a_dep_like_any_other(nested: Stages) -> None:
    assert nested.states() == {"one": "succeeded", "all": "succeeded"}
    assert nested.states() == {"one": "up to date", "all": "up to date"}
    nested.repo.write("lib/sub/more.txt", "3\n")
    assert nested.reasons("all") == ["dep lib changed"]
    nested.repo.write("lib/sub/more.txt", "2\n")
    nested.repo.write("lib/new.txt", "4\n")
    assert nested.reasons("all") == ["dep lib changed"]
    assert nested.receipt("one")["code"]["left_out"] == []
    assert list(nested.receipt("one")["code"]["submodules"]) == ["lib"]


def test_it_is_there_in_a_repetition_and_in_an_isolated_run(nested: Stages) -> None:
    assert nested.states("--isolated") == {"one": "succeeded", "all": "succeeded"}
    nested.repo.commit("Run")
    lib = Repo(nested.repo.path / "lib")
    lib.write("part.txt", "other\n")
    lib.commit("Later")
    assert "identical" in nested.tally("repro", "HEAD").out
    assert lib.read("part.txt") == b"other\n"


def test_a_submodule_that_is_not_here_is_named(nested: Stages) -> None:
    nested.tally("run")
    nested.repo.commit("Run")
    nested.repo.git("submodule", "--quiet", "deinit", "--force", "lib")
    said = nested.tally("repro", "HEAD", code=18)
    assert "submodule `lib` is not here at" in said.out


def test_uncommitted_work_in_a_submodule_is_kept_with_the_run_and_in_no_commit(nested: Stages) -> None:
    lib = Repo(nested.repo.path / "lib")
    before = lib.git("rev-parse", "HEAD"), lib.git("for-each-ref")
    nested.repo.write("lib/part.txt", "uncommitted\n")
    assert "`lib` holds uncommitted work: this run has it" in nested.tally("run", "one").out
    code = nested.receipt("one")["code"]
    assert (code["left_out"], code["dirty"], code["submodules"]) == ([], True, {"lib": before[0]})
    nested.repo.commit("Run")
    run = nested.runs()[0]["run"].removeprefix("blake3:")
    said = nested.tally("repro", "HEAD", "--stage", "one", code=1).out
    assert "its input `lib/part.txt` is not the recorded one: submodule `lib` is as it was committed" in said
    assert f"submodule `lib` held uncommitted work, which is in no commit: `tally repro {run[:12]}`" in said
    lib.git("checkout", "--quiet", "--", ".")
    assert (lib.git("rev-parse", "HEAD"), lib.git("for-each-ref")) == before
    nested.repo.git("submodule", "--quiet", "deinit", "--force", "lib")
    again = nested.tally("repro", run).out
    assert "one: identical" in again
    assert "note" not in again


def test_an_isolated_run_has_uncommitted_work_of_submodules_and_tells_their_commits(nested: Stages) -> None:
    nested.repo.write("lib/part.txt", "uncommitted\n")
    nested.repo.write("lib/sub/more.txt", "too\n")
    assert nested.states("--isolated") == {"one": "succeeded", "all": "succeeded"}
    assert nested.repo.read("all.txt") == b"uncommitted\ntoo\n"
    assert list(nested.receipt("all")["code"]["submodules"]) == ["lib"]
    assert nested.states() == {"one": "up to date", "all": "up to date"}


def test_what_a_stage_writes_into_a_submodule_is_no_out_of_it(nested: Stages) -> None:
    nested.pipeline("stages: {a: {cmd: echo 1 > lib/out.txt, outs: [lib/out.txt]}}")
    assert "another git repository" in nested.tally("run", code=3).err
