"""`tally log --follow`, and runs that were killed: real processes, told apart by files and never by time."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.flows.conftest import Stages
from tests.sandbox import Repo

# Reads from a FIFO, so that the test decides when the run goes on.
PATIENT = """\
import json, os, sys
folder = os.environ["TALLY_RECORD"]
def log(**row):
    with open(os.path.join(folder, "series.jsonl"), "a") as file:
        file.write(json.dumps(row) + "\\n")
log(step=0, loss=0.5)
print("began", flush=True)
with open("gate") as gate:
    word = gate.read()
log(step=1, loss=0.25)
open("metrics.json", "w").write('{"loss": 0.25}')
print("goes on with", word, flush=True)
if word == "fail":
    sys.exit(3)
with open("gate") as gate:
    gate.read()
open("model.bin", "w").write("x")
"""

PIPELINE = """\
stages:
  train: {cmd: python patient.py, deps: [patient.py], outs: [model.bin], metrics: [metrics.json]}
"""


@pytest.fixture
def patient(bare: Stages) -> Stages:
    bare.repo.write("patient.py", PATIENT)
    bare.repo.write(".gitignore", "gate\n")
    bare.pipeline(PIPELINE)
    bare.repo.commit("A patient stage")
    os.mkfifo(bare.repo.path / "gate")
    return bare


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(patient: Stages) -> Iterator[Start]:
    """Start the program, and see that nothing of it is left."""
    with ExitStack() as stack:

        def started(*words: str) -> "subprocess.Popen[str]":
            argv, pipe = [sys.executable, "-m", "tallystick", *words], subprocess.PIPE
            process = subprocess.Popen(
                argv, cwd=patient.repo.path, text=True, stdout=pipe, stderr=subprocess.STDOUT
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield started


def until(process: "subprocess.Popen[str]", text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it never said {text}")


def say(repo: Repo, word: str) -> None:
    with open(repo.path / "gate", "w") as gate:
        gate.write(word)


def test_a_running_stage_is_followed_to_its_end_from_another_terminal(patient: Stages, start: Start) -> None:
    running = start("run")
    until(running, "began")
    plain, objects = (
        start("log", "-f", "train"),
        start("--json", "log", "--follow"),
    )
    until(plain, "began")
    say(patient.repo, "hope")
    until(plain, "goes on with hope")
    say(patient.repo, "")
    assert running.wait() == 0
    assert plain.wait() == 0
    told = [json.loads(line) for line in objects.communicate()[0].splitlines()]
    assert [one["line"] for one in told if "line" in one] == ["began", "goes on with hope"]
    assert [one["metrics"]["loss"] for one in told if "metrics" in one] == [0.5, 0.25]
    receipt = patient.receipt("train")
    assert receipt["series"] is not None
    assert (receipt["cause"], receipt["tail"]) == (None, [])
    assert patient.tally("log", "--follow", "train", code=3).err.startswith("error: `train` doesn't run now")


def test_a_failed_run_tells_its_cause_last_lines_and_partial_metrics(patient: Stages, start: Start) -> None:
    running = start("run")
    until(running, "began")
    say(patient.repo, "fail")
    running.communicate()
    (run,) = patient.runs()
    shown = patient.tally("show", "--json", run["run"].removeprefix("blake3:")).json()["receipt"]
    assert shown["cause"] == "failed: its command ended with exit code 3"
    assert shown["tail"] == ["began", "goes on with fail"]
    assert shown["metrics"] == {"metrics.json": {"loss": 0.25}}
    assert shown["outs"] == []
    assert shown["series"] is not None


def test_a_run_that_was_killed_gets_its_receipt_from_who_looks_next(patient: Stages, start: Start) -> None:
    patient.repo.write("model.bin", "before")
    running = start("run")
    until(running, "began")
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    (run,) = patient.runs()
    assert (run["stage"], run["status"]) == ("train", "interrupted")
    shown = patient.tally("show", run["run"].removeprefix("blake3:"))
    assert "it was killed" in shown.out
    assert "began" in shown.out
    assert patient.runs() == [run]
    folder = patient.repo.path / ".git/tally/running"
    assert not list(Path(folder).glob("*/*.run"))
    with pytest.raises(OSError, match="No such device"):  # nobody is left who reads
        os.open(patient.repo.path / "gate", os.O_WRONLY | os.O_NONBLOCK)
