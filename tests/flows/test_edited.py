"""Receipts that somebody edited by hand: said, and never used in silence."""

import json
import re
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tests.sandbox import Repo, Tally

PIPELINE = """\
stages:
  copy: {cmd: cp data copy, deps: [data], outs: [copy], trace: none}
  again: {cmd: cp copy again, deps: [copy], outs: [again], trace: none}
"""


@pytest.fixture
def edited(project: Repo, tally: Tally) -> Repo:
    """A project that ran; the receipt of `copy` was changed afterwards, in its canonical form."""
    project.write("data", "1")
    project.write("tally.yaml", PIPELINE)
    tally("run")
    _edit(project)
    return project


def _edit(repo: Repo) -> None:
    path = repo.path / "receipts/copy.json"
    path.write_text(re.sub(r'"seconds": [0-9.e-]+', '"seconds": 12345.0', path.read_text()))


def _run_of(tally: Tally, stage: str) -> str:
    """The id of a stage's run, as people see it."""
    return str(next(run["run"] for run in tally("log", "--json").json()["runs"] if run["stage"] == stage))[
        7:19
    ]


def test_status_names_the_run_of_a_receipt_that_was_edited(edited: Repo, tally: Tally) -> None:
    said = f"was edited by hand: its run is {_run_of(tally, 'copy')}"
    assert said in tally("status").out
    assert said in tally("check", code=1).out


def test_an_edited_receipt_makes_its_stage_stale_and_the_run_is_taken_over(
    edited: Repo, tally: Tally
) -> None:
    before = _run_of(tally, "copy")
    assert f"copy: reused run {before}" in tally("run").out
    assert b"12345" not in edited.read("receipts/copy.json")
    assert "All clean" in tally("status").out


def test_a_commit_with_an_edited_receipt_is_not_repeated(edited: Repo, tally: Tally) -> None:
    edited.commit()
    ran = tally("repro", code=12)
    assert "receipts/copy.json" in ran.err
    assert f"tally repro {_run_of(tally, 'copy')}" in ran.err


def test_a_clone_without_the_ledger_claims_nothing(
    project: Repo, tally: Tally, tmp_path: Path, remote: Path
) -> None:
    project.write("data", "1")
    project.write("tally.yaml", PIPELINE)
    tally("add", "data")
    tally("run")
    _edit(project)
    project.commit()
    tally("push")
    clone = project.clone(tmp_path / "clone")
    clone.git("update-ref", "-d", "refs/tally/ledger")
    tally("fetch", cwd=clone.path, code=None)
    clone.git("update-ref", "-d", "refs/tally/ledger")
    assert "edited" not in tally("status", cwd=clone.path, code=None).out


def test_a_run_that_the_ledger_has_not_fetched_is_not_called_edited(
    project: Repo, tally: Tally, tmp_path: Path
) -> None:
    project.write("data", "1")
    project.write("tally.yaml", PIPELINE)
    tally("run", "copy")
    old = project.git("rev-parse", "refs/tally/ledger")
    tally("run", "--force", "--no-reuse")
    project.git("update-ref", "refs/tally/ledger", old)
    assert "edited" not in tally("status").out


def test_a_receipt_of_an_earlier_version_keeps_its_text_when_its_run_is_taken_over(
    project: Repo, tally: Tally
) -> None:
    project.write("data", "1")
    project.write("tally.yaml", PIPELINE)
    tally("run")
    place = project.path / "receipts/copy.json"
    values = json.loads(place.read_text())
    del values["trackers"], values["series"], values["isolated"]
    older = (json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()
    _put(project, older)
    place.write_bytes(older)
    assert "All clean" in tally("status").out
    project.write("data", "2")
    tally("run")
    project.write("data", "1")
    assert "reused" in tally("run", "copy").out
    assert place.read_bytes() == older
    assert "edited" not in tally("status").out


def _put(repo: Repo, receipt: bytes) -> None:
    """Make the ledger hold one run only."""
    identity = Digest.of(receipt).hex()
    blob = repo.git("hash-object", "-w", str(repo.write(".git/receipt", receipt)))
    repo.git("update-ref", "-d", "refs/tally/ledger")
    path = f"runs/{identity[:2]}/{identity}/receipt.json"
    repo.git("read-tree", "--empty")
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    tree = repo.git("write-tree")
    repo.git("read-tree", "HEAD")
    repo.git("update-ref", "refs/tally/ledger", repo.git("commit-tree", "-m", f"run {identity}", tree))


def test_show_says_that_a_receipt_was_edited_and_ends_as_with_a_bad_record(
    edited: Repo, tally: Tally
) -> None:
    run = _run_of(tally, "copy")
    for target in ("copy", "again.tally"):
        code = 12 if target == "copy" else 0
        assert (f"`tally show {run}`" in tally("show", target, code=code).out) == (target == "copy")
    shown = tally("show", "copy", "--json", code=12).json()
    assert shown["edited"].removeprefix("blake3:").startswith(run)
    assert tally("show", run).exit_code == 0


def test_diff_names_the_receipts_that_were_edited(edited: Repo, tally: Tally) -> None:
    run = _run_of(tally, "copy")
    edited.commit("An edited receipt")
    said = f"was edited by hand, so what it says is not what ran: `tally show {run}` has that"
    assert f"`receipts/copy.json` of the worktree {said}" in tally("diff").out
    assert said in tally("diff", run).out


def test_the_run_is_named_as_the_maker_of_what_another_stage_reads(edited: Repo, tally: Tally) -> None:
    before = _run_of(tally, "copy")
    tally("run", "--single", "-f", "again")
    made = json.loads(edited.read("receipts/again.json"))["produced_by"]["copy"]
    assert made.startswith(f"blake3:{before}")


def test_plots_of_an_edited_receipt_say_so_and_it_is_not_exported(edited: Repo, tally: Tally) -> None:
    before = _run_of(tally, "copy")
    said = f"`receipts/copy.json` was edited by hand, so what it says is not what ran: `tally show {before}`"
    assert said in tally("plots", code=1).out  # there is nothing to draw
    refused = tally("export", "mlflow", "copy", "--uri", "http://127.0.0.1:1", code=12).err
    assert f"receipts/copy.json: it was edited by hand: its run is {before}" in refused


def test_a_frozen_stage_is_checked_for_it_too(edited: Repo, tally: Tally) -> None:
    edited.write("tally.yaml", PIPELINE.replace("trace: none", "trace: none, frozen: true", 1))
    said = tally("check", code=1).out
    assert f"was edited by hand: its run is {_run_of(tally, 'copy')}" in said
    assert "hint: take it back from git" in said
