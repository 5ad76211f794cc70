import os
import shutil
import time

import pytest

from tallystick import landlock, process
from tests.flows.conftest import Stages

TRAIN = """\
import features
open("model", "w").write(str(sum(features.load("data.csv"))))
"""
FEATURES = "def load(path):\n    return [int(line) for line in open(path)]\n"
PIPELINE = """\
stages:
  train:  # the only one
    cmd: python train.py
    deps:
      - train.py  # the script
    outs: [model]
"""


@pytest.fixture
def hasty(bare: Stages) -> Stages:
    """A project whose only stage reads a module and a file that it doesn't declare."""
    for name, text in (("train.py", TRAIN), ("features.py", FEATURES), ("data.csv", "1\n2\n")):
        path = bare.repo.write(name, text)
        os.utime(path)
    bare.pipeline(PIPELINE)
    bare.repo.commit("One stage")
    return bare


def found(stages: Stages) -> list[str]:
    return list(stages.receipt("train")["undeclared"])


def test_what_a_run_read_undeclared_is_listed_and_recorded(hasty: Stages) -> None:
    shown = hasty.tally("run")
    assert "`train` read `data.csv`, `features.py`, which it doesn't declare" in shown.out
    assert "`tally run --declare train`" in shown.out
    receipt = hasty.receipt("train")
    assert (receipt["trace"], receipt["undeclared"]) == ("python", ["data.csv", "features.py"])
    text = hasty.tally("show", "train").out
    assert "read without being declared\n  data.csv\n  features.py\n" in text


def test_what_a_run_wrote_beside_its_outs_is_listed_unless_it_is_gone(hasty: Stages) -> None:
    hasty.repo.write(
        "train.py",
        TRAIN + "import os\nopen('left', 'w'); open('left').read(); open('gone', 'w'); os.remove('gone')\n",
    )
    assert "wrote `left`, which is none of its outs" in hasty.tally("run").out
    assert hasty.receipt("train")["undeclared_writes"] == ["left"]
    assert "left" not in found(hasty)


def test_a_stage_that_declares_all_has_nothing_to_tell(done: Stages) -> None:
    for stage in ("prepare", "train"):
        receipt = done.receipt(stage)
        assert (receipt["undeclared"], receipt["undeclared_writes"], receipt["trace"]) == ([], [], "python")
    done.tally("check", "--undeclared")


def test_tracked_data_is_named_as_the_whole_that_it_is(stages: Stages) -> None:
    stages.pipeline("stages:\n  prepare:\n    cmd: python prepare.py\n    outs: [clean]\n")
    stages.tally("run")
    assert stages.receipt("prepare")["undeclared"] == ["data", "prepare.py"]


def test_check_fails_on_undeclared_reads_only_when_asked_to(hasty: Stages) -> None:
    hasty.tally("run")
    hasty.tally("check")
    problems = hasty.tally("check", "--undeclared", "--json", code=1).json()["problems"]
    assert [(one["kind"], one["name"]) for one in problems] == [("undeclared", "train")] * 2


def test_check_does_not_take_a_run_that_nobody_watched_for_a_clean_one(hasty: Stages) -> None:
    hasty.pipeline(PIPELINE + "    trace: none\n")
    hasty.tally("run")
    assert hasty.receipt("train")["trace"] == "none"
    assert "nobody watched" in hasty.tally("check", "--undeclared", code=1).out


def test_declaring_in_the_first_run_leaves_the_stage_up_to_date(hasty: Stages) -> None:
    shown = hasty.tally("run", "--declare")
    assert "`train` now depends on `data.csv`, `features.py`" in shown.out
    assert hasty.repo.read("tally.yaml").decode() == PIPELINE.replace(
        "  # the script\n", "  # the script\n      - data.csv\n      - features.py\n"
    )
    receipt = hasty.receipt("train")
    assert [dep["path"] for dep in receipt["deps"]] == ["train.py", "data.csv", "features.py"]
    assert receipt["undeclared"] == []
    assert hasty.states() == {"train": "up to date"}
    hasty.repo.write("features.py", FEATURES + "# another\n")
    assert hasty.reasons("train") == ["dep features.py changed"]


def test_declaring_after_a_run_runs_once_more_with_all_deps(hasty: Stages) -> None:
    hasty.tally("run")
    shown = hasty.ran("--declare", "--dry-run")
    assert [one["name"] for one in shown["stages"][0]["reasons"]] == ["data.csv", "features.py"]
    assert hasty.repo.read("tally.yaml").decode() == PIPELINE
    assert hasty.states("--declare", "--no-reuse") == {"train": "succeeded"}
    assert found(hasty) == []
    assert hasty.states("--declare") == {"train": "up to date"}


def test_a_file_that_changed_under_the_run_is_declared_and_makes_the_stage_stale(hasty: Stages) -> None:
    hasty.repo.write("train.py", TRAIN + "open('data.csv', 'a').write('3\\n')\n")
    hasty.tally("run", "--declare")
    assert [dep["path"] for dep in hasty.receipt("train")["deps"]] == ["train.py", "features.py"]
    assert hasty.reasons("train") == ["dep data.csv is new"]


def test_deps_are_written_as_seen_from_the_folder_of_the_stage(hasty: Stages) -> None:
    hasty.repo.write("sub/go.py", "open('../data.csv').read(); open('here.csv').read()\n")
    hasty.repo.write("sub/here.csv", "1\n")
    hasty.pipeline("stages:\n  go:\n    cmd: python go.py\n    wdir: sub\n    deps: [go.py]\n")
    hasty.tally("run", "--declare")
    assert "    deps: [go.py, ../data.csv, here.csv]\n" in hasty.repo.read("tally.yaml").decode()
    assert hasty.states() == {"go": "up to date"}


def test_a_stage_out_of_a_template_is_left_to_its_author(hasty: Stages) -> None:
    each = "cmd: python train.py ${item}\n      outs: [model]"
    text = f"stages:\n  train:\n    foreach: [1]\n    do:\n      {each}\n"
    hasty.pipeline(text)
    shown = hasty.tally("run", "--declare").out
    assert "add by hand: `data.csv`, `features.py`, `train.py`" in shown
    assert hasty.repo.read("tally.yaml").decode() == text


def test_a_dep_that_would_close_a_circle_is_not_written(hasty: Stages) -> None:
    text = """\
stages:
  first:
    cmd: cat second.txt > first.txt; python -c "open('second.txt')"
    outs: [first.txt]
  second:
    cmd: cp first.txt second.txt
    deps: [first.txt]
    plots: [second.txt: {cache: false}]
"""
    hasty.pipeline(text)
    hasty.repo.write("second.txt", "1\n")
    shown = hasty.tally("run", "--single", "--declare", "first")
    assert "wait for each other" in shown.out
    assert hasty.repo.read("tally.yaml").decode() == text


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_sees_what_other_programs_read(hasty: Stages) -> None:
    pipeline = "stages:\n  train:\n    cmd: cat data.csv > model\n    outs: [model]\n"
    hasty.pipeline(pipeline)
    hasty.tally("run")
    assert found(hasty) == []
    hasty.pipeline(pipeline + "    trace: strace\n")
    hasty.tally("run", "--force")
    assert (found(hasty), hasty.receipt("train")["trace"]) == (["data.csv"], "strace")


def test_without_strace_it_is_said_what_to_do_and_nothing_runs(
    hasty: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty.pipeline(PIPELINE + "    trace: strace\n")
    (hasty.repo.path.parent / "bin").mkdir()
    for name in ("git", "python", "sh"):
        (hasty.repo.path.parent / "bin" / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(hasty.repo.path.parent / "bin"))
    process.find.cache_clear()
    failed = hasty.tally("run", code=3)
    assert "install strace, or write `trace: python` into the stage" in failed.err
    assert not (hasty.repo.path / "model").exists()


@pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")
def test_enforced_a_stage_can_only_read_what_it_declares(hasty: Stages) -> None:
    hasty.pipeline(PIPELINE + "    trace: enforce\n")
    failed = hasty.tally("run", code=18)
    assert "it was denied `features.py`, which it doesn't declare" in failed.err
    told = hasty.tally("run", "--declare", code=18).err
    assert "`tally.yaml`: `train` now depends on `features.py`" in told
    assert hasty.states("--declare") == {"train": "succeeded"}
    receipt = hasty.receipt("train")
    assert (receipt["trace"], receipt["undeclared"]) == ("enforce", [])
    assert hasty.repo.read("model") == b"3"


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_enforced_a_stage_fails_that_writes_beside_its_out(hasty: Stages) -> None:
    """The folder of an out that isn't there yet is open for writing; what held still there was denied."""
    os.utime(hasty.repo.write("old", "1"))
    hasty.repo.write(
        "train.py",
        "open('model', 'w').write('3')\n"
        "for name in ('old', 'left'):\n"
        "    try: open(name, 'a').write('x' if name == 'left' else '')\n"
        "    except OSError: pass\n",
    )
    hasty.pipeline(PIPELINE + "    trace: enforce\n")
    time.sleep(0.2)
    failed = hasty.tally("run", code=18)
    assert "stage `train` failed: it wrote `left`, which is none of its outs" in failed.err
    assert not (hasty.repo.path / "receipts/train.json").exists()


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_enforced_what_other_programs_write_beside_an_out_is_told(hasty: Stages) -> None:
    """The audit hook sees nothing of it, and it may have been somebody else: the run counts."""
    hasty.repo.write(
        "train.py",
        "import os\nopen('model', 'w').write('3')\nos.system('echo > left; mkdir -p d; echo > d/e')\n",
    )
    hasty.pipeline(PIPELINE + "    trace: enforce\n")
    done = hasty.tally("run")
    assert (
        "while `train` ran, `d/e`, `left` changed, where it is free to write as an out of it lies" in done.out
    )
    hasty.repo.write("train.py", "import os\nopen('model', 'w').write('4')\n")
    assert "changed, where" not in hasty.tally("run").out


def test_a_repetition_is_not_disturbed_by_the_trace(hasty: Stages) -> None:
    hasty.tally("run", "--declare")
    hasty.repo.commit("Run")
    assert hasty.tally("repro", "--json").json()["verdict"]["outcome"] == "identical"


def test_what_is_read_in_isolation_is_declared_at_home(
    hasty: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.runs.declaring.MARGIN", 1.0)  # however fast a worktree is made
    shown = hasty.tally("run", "--isolated", "--declare")
    assert "`train` now depends on `data.csv`, `features.py`" in shown.out
    assert hasty.states() == {"train": "up to date"}
    assert hasty.receipt("train")["undeclared"] == []
    hasty.repo.write("data.csv", "7\n")
    assert hasty.states("--isolated", "--declare") == {"train": "succeeded"}
    assert hasty.repo.read("model") == b"7"


def test_the_series_that_tallystick_log_writes_by_itself_is_nobodys_mistake(hasty: Stages) -> None:
    more = "import os\nos.mkdir('plots')\nopen('plots/train.csv', 'w')\nopen('plots/x', 'w')\n"
    hasty.repo.write("train.py", TRAIN + more)
    hasty.tally("run")
    assert hasty.receipt("train")["undeclared_writes"] == ["plots/x"]


@pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")
def test_what_other_programs_were_denied_is_told_as_far_as_it_is_known(bare: Stages) -> None:
    bare.repo.write("other.csv", "1\n")
    bare.pipeline("stages: {a: {cmd: cat other.csv, trace: enforce}}")
    failed = bare.tally("run", code=18).err
    assert "exit code 1; under `trace: enforce` it can only use what it declares" in failed
