"""Compare two runs: all that they came from, where they ran, and what came out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Stages
from tests.sandbox import Repo


@pytest.fixture
def twice(done: Stages) -> Stages:
    """Two runs of both stages, between which everything changed that can."""
    done.repo.write("data/numbers.txt", "".join(f"{n}\n" for n in range(50)))
    done.repo.write("prepare.py", done.repo.read("prepare.py") + b"\n# one more line\n")
    done.repo.write("notes.bin", b"\0\1\2")
    done.pipeline(done.repo.read("tally.yaml").decode().replace("seed: 42", "seed: 43"))
    done.tally("add", "data")
    done.tally("run", "-S", "params.json:rate=0.75")
    return done


def ids(stages: Stages, stage: str) -> list[str]:
    """The stage's runs, newest first, as a person types them."""
    return [run["run"].removeprefix("blake3:")[:12] for run in stages.runs() if run["stage"] == stage]


def between(stages: Stages, *words: str) -> Any:
    return stages.tally("diff", "--json", *words).json()


def keys(differing: list[Any]) -> dict[str, tuple[Any, Any]]:
    return {each["key"]: (each["old"], each["new"]) for each in differing}


def test_two_runs_differ_in_code_params_seed_and_what_came_out(twice: Stages) -> None:
    new, old = ids(twice, "train")
    found = between(twice, old, new)
    assert found["same"] is False
    assert found["old"]["run"].removeprefix("blake3:").startswith(old)
    differs = found["differs"]
    assert keys(differs["facts"]) == {"seed": (42, 43)}
    assert keys(differs["params"]) == {"rate": (0.5, 0.75)}
    assert {each["path"]: (each["state"], each["added"], each["removed"]) for each in differs["code"]} == {
        ".gitignore": ("changed", 1, 0),
        "notes.bin": ("added", None, None),
        "params.json": ("changed", 1, 1),
        "prepare.py": ("changed", 2, 0),
        "tally.yaml": ("changed", 1, 1),
    }
    assert [(each["path"], each["changes"]["changed"]) for each in differs["deps"]] == [
        ("clean", ["squares.csv"])
    ]
    assert [each["path"] for each in differs["outs"]] == ["metrics.json", "model.bin"]
    assert differs["metrics"][0]["difference"] == pytest.approx(
        differs["metrics"][0]["new"] - differs["metrics"][0]["old"]
    )
    assert differs["environment"] == differs["machine"] == []
    # It follows from the seed, and is a setting of Python's.
    assert keys(differs["settings"]) == {"PYTHONHASHSEED": ("42", "43")}


def test_for_people_each_kind_has_its_heading(twice: Stages) -> None:
    new, old = ids(twice, "prepare")
    lines = twice.tally("diff", old, new).out.splitlines()
    assert lines[0].split()[:2] == ["-", old]
    assert lines[1].split()[:2] == ["+", new]
    assert [line for line in lines if not line.startswith((" ", "-", "+"))] == ["Code", "Deps", "Outs"]
    assert any(line.split() == ["changed", "prepare.py", "+2", "-0"] for line in lines)


def test_a_run_is_the_same_as_itself(done: Stages) -> None:
    (run,) = ids(done, "train")
    assert between(done, run, run)["same"] is True
    assert "Nothing differs." in done.tally("diff", run, f"blake3:{run}", "--exit-code").out


def test_a_commit_and_the_worktree_stand_for_their_receipt(twice: Stages) -> None:
    new, old = ids(twice, "train")
    assert keys(between(twice, "HEAD", new)["differs"]["params"]) == {"rate": (0.5, 0.75)}
    found = between(twice, old)
    assert (found["new"]["place"], keys(found["differs"]["params"])) == ("worktree", {"rate": (0.5, 0.75)})
    assert between(twice, old, "HEAD")["same"] is True


def test_a_failed_run_is_compared_too(done: Stages) -> None:
    done.repo.write("train.py", "raise SystemExit(4)")
    done.tally("run", code=18)
    new, old = ids(done, "train")
    facts = keys(between(done, old, new)["differs"]["facts"])
    assert facts["status"] == ("succeeded", "failed")
    assert facts["exit_code"] == (0, 4)


def test_runs_of_different_stages_are_said_to_be_that(done: Stages) -> None:
    (one,), (two,) = ids(done, "prepare"), ids(done, "train")
    assert "runs of different stages: `prepare` and `train`" in done.tally("diff", one, two).out


def test_another_machine_and_other_packages_are_named(twice: Stages, tmp_path: Path) -> None:
    receipt = twice.receipt("train")
    receipt["hardware"]["cores"] += 1
    receipt["host"]["kernel"] = "1.2.3"
    receipt["environment"]["settings"] = {"OPENBLAS_NUM_THREADS": "3"}
    receipt["environment"]["digest"] = receipt["environment"]["lock"] = "blake3:" + "0" * 64
    text = json.dumps(receipt, indent=2, sort_keys=True) + "\n"
    twice.repo.write("receipts/train.json", text)
    new, _ = ids(twice, "train")
    found = between(twice, new)
    assert set(keys(found["differs"]["machine"])) == {"cores", "kernel"}
    assert keys(found["differs"]["settings"])["OPENBLAS_NUM_THREADS"][1] == "3"
    assert found["differs"]["environment"][0].startswith("another environment")
    edited, packages = found["notes"]
    assert "was edited by hand" in edited
    assert "the packages can't be compared" in packages


def test_code_that_is_not_here_is_a_note(done: Stages, tmp_path: Path) -> None:
    receipt = done.receipt("train")
    receipt["code"]["tree"] = "0" * 39 + "1"
    done.repo.write("receipts/train.json", json.dumps(receipt, indent=2, sort_keys=True) + "\n")
    (run,) = ids(done, "train")
    assert "the code can't be compared" in done.tally("diff", run).out


def test_what_can_not_be_compared_is_refused(done: Stages) -> None:
    (run,) = ids(done, "train")
    assert "holds no receipt of stage `train`" in done.tally("diff", "HEAD~1", run, code=3).err
    assert "two at a time" in done.tally("diff", run, run, run, code=2).err
    done.repo.git("branch", run)
    assert f"`{run}` is a run and a commit" in done.tally("diff", run, run, code=2).err
    assert "neither a commit nor a tracked path" in done.tally("diff", "abcdef123456", code=3).err


def test_a_clone_that_has_only_receipts_says_what_it_lacks(twice: Stages, tmp_path: Path) -> None:
    new, old = ids(twice, "train")
    clone = twice.repo.clone(tmp_path / "clone")
    clone.git("fetch", "--quiet", "origin", "refs/tally/ledger:refs/tally/ledger")
    ran = twice.tally("diff", old, new, "--json", cwd=Repo(clone.path).path)
    assert any("the files of `clean` can't be compared" in note for note in ran.json()["notes"])
