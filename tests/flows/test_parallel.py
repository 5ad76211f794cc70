"""`tally run -j`, `--keep-going`, `--single`, `--downstream`: which stages run, and what becomes of them."""

import signal
import subprocess
import sys
import time

import pytest

from tests.flows.conftest import Stages

DIAMOND = """\
stages:
  top: {cmd: "echo top; cp in.txt top.txt", deps: [in.txt], outs: [top.txt]}
  left: {cmd: "echo left; cp top.txt left.txt", deps: [top.txt], outs: [left.txt]}
  right: {cmd: "echo right; cp top.txt right.txt", deps: [top.txt], outs: [right.txt]}
  bottom: {cmd: "cat left.txt right.txt > bottom.txt", deps: [left.txt, right.txt], outs: [bottom.txt]}
"""

MEETING = """\
stages:
  one: {cmd: "touch 1.here; until test -e 2.here; do sleep 0.02; done; touch one.txt", outs: [one.txt]}
  two: {cmd: "touch 2.here; until test -e 1.here; do sleep 0.02; done; touch two.txt", outs: [two.txt]}
"""


@pytest.fixture
def diamond(bare: Stages) -> Stages:
    """Return a project of four stages, two of which need each other not."""
    bare.pipeline(DIAMOND)
    bare.repo.write("in.txt", "1\n")
    bare.repo.commit("Describe the stages")
    return bare


def test_stages_that_do_not_need_each_other_run_at_once(bare: Stages) -> None:
    bare.pipeline(MEETING)
    assert bare.states("-j", "2") == {"one": "succeeded", "two": "succeeded"}


def test_side_by_side_everything_is_written_down_as_one_by_one(diamond: Stages) -> None:
    assert set(diamond.states("-j", "4").values()) == {"succeeded"}
    assert diamond.repo.read("bottom.txt") == b"1\n1\n"
    assert set(diamond.states().values()) == {"up to date"}
    ignored = diamond.repo.read(".gitignore").decode().splitlines()
    assert {"/left.txt", "/right.txt", "/top.txt", "/bottom.txt"} <= set(ignored)
    staged = diamond.repo.git("diff", "--cached", "--name-only").splitlines()
    assert {"left.txt.tally", "right.txt.tally", "receipts/left.json", "receipts/right.json"} <= set(staged)
    assert len(diamond.runs()) == 4


def test_lines_of_several_stages_say_whose_they_are(diamond: Stages) -> None:
    assert "left | left\n" in diamond.tally("run", "-j", "2").out
    diamond.repo.write("in.txt", "2\n")
    assert "\nleft\n" in diamond.tally("run").out


def test_what_another_stage_is_making_stays_out_of_the_code(bare: Stages) -> None:
    bare.pipeline(
        "stages:\n"
        "  one: {cmd: 'echo 1 > one.txt; until test -e three.here; do sleep 0.02; done', outs: [one.txt]}\n"
        "  two: {cmd: 'until test -e one.txt; do sleep 0.02; done; echo 2 > two.txt', outs: [two.txt]}\n"
        "  three: {cmd: 'touch three.here; ls > three.txt', deps: [two.txt], outs: [three.txt]}\n"
    )
    bare.ran("-j", "3")
    kept = bare.repo.git("ls-tree", "--name-only", bare.receipt("three")["code"]["tree"]).splitlines()
    assert "tally.yaml" in kept
    assert "one.txt" not in kept


def test_after_a_failure_the_others_go_on_and_those_that_need_it_are_named(diamond: Stages) -> None:
    diamond.pipeline(DIAMOND.replace("echo left; cp", "false; cp-nothing"))
    for options in (["-k"], ["--keep-going", "-j", "2", "--force"]):
        ran = diamond.tally("run", "--json", *options, code=18).json()
        states = {stage["stage"]: stage["status"] for stage in ran["stages"]}
        assert states == {"top": "succeeded", "left": "failed", "right": "succeeded", "bottom": "skipped"}
    shown = diamond.tally("run", "-k", code=18).out
    assert "bottom: skipped: it needs `left`, which failed" in shown
    assert "left: failed: its command ended with exit code 127" in shown


def test_without_keep_going_a_failure_begins_nothing_new(diamond: Stages) -> None:
    diamond.pipeline(DIAMOND.replace("echo top; cp", "exit 7; cp"))
    failed = diamond.tally("run", "-j", "4", code=18)
    assert "stage `top` failed: its command ended with exit code 7" in failed.err
    assert [run["stage"] for run in diamond.runs()] == ["top"]


@pytest.mark.parametrize(
    ("options", "stages"),
    [
        (["left"], ["top", "left"]),
        (["--single", "left"], ["left"]),
        (["--downstream", "left"], ["left", "bottom"]),
        (["--downstream", "left", "right"], ["left", "right", "bottom"]),
        (["left.txt", "-s"], ["left"]),
    ],
)
def test_what_a_target_means_besides_itself(diamond: Stages, options: list[str], stages: list[str]) -> None:
    diamond.tally("run")
    diamond.repo.write("in.txt", "2\n")
    assert list(diamond.states("--force", "--no-reuse", *options)) == stages


def test_what_a_frozen_stage_needs_is_left_alone_and_what_needs_it_runs(diamond: Stages) -> None:
    diamond.tally("run")
    diamond.pipeline(DIAMOND.replace("  left: {", "  left: {frozen: true, "))
    diamond.repo.write("in.txt", "2\n")
    assert list(diamond.states("--dry-run", "left")) == ["left"]
    diamond.repo.write("left.txt", "by hand\n")
    assert diamond.states("-f") == {
        "top": "succeeded",
        "left": "frozen",
        "right": "succeeded",
        "bottom": "succeeded",
    }
    assert diamond.repo.read("bottom.txt") == b"by hand\n2\n"


@pytest.mark.parametrize("options", [["--single"], ["--downstream"], ["-s", "--downstream", "left"]])
def test_a_reach_without_a_stage_makes_no_sense(diamond: Stages, options: list[str]) -> None:
    assert diamond.tally("run", *options, code=2).err.startswith("error: ")


def _started(stages: Stages, *args: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tallystick", "run", *args]
    return subprocess.Popen(
        command,
        cwd=stages.repo.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _wait_for(stages: Stages, *names: str) -> None:
    deadline = time.monotonic() + 60
    while not all((stages.repo.path / name).exists() for name in names):
        assert time.monotonic() < deadline, f"{names} never came"
        time.sleep(0.02)


def test_ctrl_c_ends_all_stages_and_each_leaves_a_receipt(bare: Stages) -> None:
    bare.pipeline(
        "stages:\n"
        "  one: {cmd: 'touch one.here; sleep 60; touch one.txt', outs: [one.txt]}\n"
        "  two: {cmd: 'touch two.here; sleep 60; touch two.txt', outs: [two.txt]}\n"
        "  three: {cmd: 'touch three.here', deps: [one.txt]}\n"
    )
    running = _started(bare, "-j", "2")
    _wait_for(bare, "one.here", "two.here")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert {run["stage"]: run["status"] for run in bare.runs()} == {
        "one": "interrupted",
        "two": "interrupted",
    }


def test_one_stage_runs_once_at_a_time_and_everything_else_goes_on(bare: Stages) -> None:
    bare.pipeline(
        "stages:\n"
        "  slow: {cmd: 'touch here; until test -e go; do sleep 0.1; done; touch slow', outs: [slow]}\n"
        "  quick: {cmd: 'touch quick.txt', outs: [quick.txt]}\n"
    )
    running = _started(bare, "slow")
    _wait_for(bare, "here")
    refused = bare.tally("run", "slow", code=11)
    assert f"stage `slow` runs already: process {running.pid}, since 20" in refused.err
    assert bare.states("quick") == {"quick": "succeeded"}
    bare.repo.write("more.csv", "1\n")
    bare.tally("add", "more.csv")
    bare.tally("status", code=None)
    bare.repo.write("go")
    running.communicate(timeout=60)
    assert running.returncode == 0
    assert set(bare.states().values()) == {"up to date"}


def test_a_killed_run_keeps_nobody_out(bare: Stages) -> None:
    bare.pipeline(
        "stages:\n  one: {cmd: 'touch one.here; test -e go || sleep 60; touch one.txt', outs: [one.txt]}\n"
    )
    running = _started(bare)
    _wait_for(bare, "one.here")
    running.kill()
    running.communicate()
    bare.repo.write("go")
    assert bare.states() == {"one": "succeeded"}


def test_a_dep_that_vanishes_during_the_run_is_told(bare: Stages) -> None:
    bare.pipeline("stages:\n  one: {cmd: 'rm in.txt; touch one.txt', deps: [in.txt], outs: [one.txt]}\n")
    bare.repo.write("in.txt", "1\n")
    assert "`in.txt` vanished while `one` ran" in bare.tally("run").out
    assert bare.receipt("one")["changed"] == ["in.txt"]
    assert bare.reasons("one") == ["dep in.txt is missing"]
