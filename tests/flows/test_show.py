"""`tally show`: one run in full, found by its id, its stage, or what it made."""

import pytest

from tests.flows.conftest import Stages


def test_a_stage_is_shown_by_its_receipt(done: Stages) -> None:
    out = done.tally("show", "train").out
    for words in (
        "succeeded",
        "python train.py",
        "params.json",
        "rate",
        "0.5",
        "model.bin",
        "accuracy",
        "trained",
    ):
        assert words in out


def test_a_run_is_shown_by_its_id(done: Stages) -> None:
    run = done.runs()[0]["run"].removeprefix("blake3:")
    assert f"run {run}" in done.tally("show", run[:8]).out


@pytest.mark.parametrize("path", ["model.bin", "model.bin.tally", "metrics.json"])
def test_a_path_is_shown_with_the_run_that_made_it(done: Stages, path: str) -> None:
    assert done.tally("show", path, "--json").json()["receipt"]["stage"] == "train"


def test_an_older_version_of_an_out_leads_to_its_older_run(done: Stages) -> None:
    text, old = done.repo.read("model.bin.tally"), done.runs()[0]["run"]
    done.pipeline(done.repo.read("tally.yaml").decode().replace("seed: 42", "seed: 1"))
    done.tally("run")
    done.repo.write("model.bin.tally", text)
    assert done.tally("show", "model.bin", "--json").json()["run"] == old


def test_data_that_no_stage_made_is_shown_by_its_pointer(done: Stages) -> None:
    out = done.tally("show", "data").out
    assert "folder of 1 file" in out
    assert "blake3:" in out


def test_paths_are_relative_to_where_one_stands(done: Stages) -> None:
    folder = done.repo.path / "sub"
    folder.mkdir()
    done.tally("run", "-n", "a", "-o", "o", "--", "echo", "hi", ">", "o", cwd=folder, code=None)
    done.tally("run", "-f", "-n", "a", "-o", "o", "--", "echo hi > o", cwd=folder)
    assert done.tally("show", "o", "--json", cwd=folder).json()["receipt"]["stage"] == "sub:a"
    assert done.tally("show", "a", "--json", cwd=folder).json()["receipt"]["stage"] == "sub:a"


def test_the_whole_output_is_shown_when_asked_for(bare: Stages) -> None:
    bare.tally("run", "-n", "a", "--", "seq 1 100")
    short, whole = bare.tally("show", "a").out, bare.tally("show", "a", "--output").out
    assert "`--output` shows 80 more" in short
    assert (short.count("\n  1\n"), whole.count("\n  1\n")) == (0, 1)


def test_a_stage_that_only_failed_is_shown_from_the_ledger(bare: Stages) -> None:
    bare.tally("run", "-n", "a", "--", "echo oh; exit 2", code=18)
    out = bare.tally("show", "a").out
    assert "failed (exit code 2)" in out
    assert "oh" in out


@pytest.mark.parametrize("target", ["nothing", "deadbeef", "../up", ""])
def test_what_means_nothing_is_refused(done: Stages, target: str) -> None:
    assert done.tally("show", target, code=None).exit_code in (2, 3)


def test_a_stage_that_never_ran_says_how_to_run_it(stages: Stages) -> None:
    assert "tally run train" in stages.tally("show", "train", code=3).err
