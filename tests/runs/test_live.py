"""Stages that run now, known by locks that the kernel frees."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.errors import Locked
from tallystick.project import Project, open_project
from tallystick.runs.live import only_run, place_of
from tests.sandbox import Repo


@pytest.fixture
def opened(project: Repo, tmp_path: Path) -> Project:
    return open_project(project.path, tmp_path / "settings")


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@pytest.fixture
def taken(opened: Project) -> Iterator[int]:
    """The lock of the stage `train`, in other hands."""
    place = place_of(opened, "train", ".lock")
    place.parent.mkdir(parents=True)
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def test_a_stage_that_runs_is_refused_naming_who_runs_it(opened: Project, taken: int) -> None:
    os.write(taken, str(os.getpid()).encode())
    with pytest.raises(Locked, match=f"`train` runs already: process {os.getpid()}, since 20"):
        only_run(opened, "train").__enter__()
    with only_run(opened, "evaluate"):
        pass


def test_a_stage_whose_command_outlived_a_killed_tally_is_refused(
    opened: Project, taken: int, gone: int
) -> None:
    os.write(taken, str(gone).encode())
    with pytest.raises(Locked, match=f"still runs, though tally .process {gone}. was killed") as caught:
        only_run(opened, "train").__enter__()
    assert "repeat the command" in str(caught.value.hint)


def test_who_holds_the_descriptor_holds_the_stage(opened: Project) -> None:
    with only_run(opened, "train") as lock:
        copy = os.dup(lock)
    with pytest.raises(Locked):
        only_run(opened, "train").__enter__()
    os.close(copy)
    with only_run(opened, "train"):
        pass
