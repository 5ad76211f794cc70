"""A disk that a stage fills: the run is written down, and nothing of the user's is lost."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.conftest import Stages
from tests.sandbox import Repo, Tally

SIZE = 12 << 20


@pytest.fixture
def small(tmp_path: Path, lean_path: Path) -> Iterator[Stages]:
    """A project on a disk of 12 MiB of its own, which only root can have."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(place)]
    if subprocess.run(words, capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        repo = Repo(place / "project")
        repo.path.mkdir()
        repo.git("init", "--quiet")
        tally = Tally(repo.path)
        tally("init")
        repo.write("precious.txt", "mine")
        yield Stages(repo, tally)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(stages: Stages, leave: int) -> Path:
    """Fill the disk but for so many bytes."""
    path = stages.repo.path / ".git" / "filling"
    state = os.statvfs(stages.repo.path)
    path.write_bytes(b"\1" * (state.f_bavail * state.f_frsize - leave))
    return path


def test_output_that_fills_the_disk_fails_the_run_and_leaves_its_receipt(small: Stages) -> None:
    talk = 'echo first; head -c 14000000 /dev/zero | tr "\\0" x; : > o'
    small.pipeline(f"stages: {{a: {{cmd: '{talk}', outs: [o]}}}}")
    small.repo.commit("A stage that talks")
    failed = small.tally("run", code=18).err
    assert "stage `a` failed: its output could not be kept" in failed
    (run,) = small.runs()
    assert run["status"] == "failed"
    assert "No space left" in small.tally("show", run["run"].removeprefix("blake3:")).out
    assert small.repo.read("precious.txt") == b"mine"


def test_an_out_that_does_not_fit_into_the_store_fails_the_run(small: Stages) -> None:
    small.pipeline("stages: {a: {cmd: 'head -c 7000000 /dev/urandom > o', outs: [o]}}")
    small.repo.commit("A stage that writes")
    assert "no room to write" in small.tally("run", code=18).err
    (run,) = small.runs()
    assert run["status"] == "failed"
    assert small.repo.read("precious.txt") == b"mine"


def test_a_receipt_without_any_room_is_written_down_once_there_is_some(small: Stages) -> None:
    take_all = "rm .git/tally/running/main/a.run/reserve; head -c 40000000 /dev/zero > big || true"
    small.pipeline(f"stages: {{a: {{cmd: '{take_all}'}}}}")
    small.repo.commit("A stage that takes all")
    refused = small.tally("run", code=3).err
    assert "no room for its receipt" in refused
    assert "the next `tally run`, `log` or `status` writes it down" in refused
    assert small.runs() == []
    (small.repo.path / "big").unlink()
    (run,) = small.runs()
    assert run["status"] == "interrupted"


def test_on_a_full_disk_nothing_is_started(small: Stages) -> None:
    small.pipeline("stages: {a: {cmd: 'touch started', outs: [started]}}")
    small.repo.commit("A stage")
    filling = fill(small, 200_000)
    assert "No space left" in small.tally("run", code=3).err
    assert not (small.repo.path / "started").exists()
    filling.unlink()
    assert small.states() == {"a": "succeeded"}
