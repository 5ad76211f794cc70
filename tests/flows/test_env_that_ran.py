"""A receipt has the environment that a command ran in, whatever the command's words are."""

import os
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import Stages


def environment(folder: Path, package: str) -> Path:
    """A virtual environment with one package in it."""
    base = os.path.realpath(sys.executable)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(
        f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\n"
    )
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    info = folder / "lib" / version / "site-packages" / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n")
    return folder


@pytest.fixture
def hidden(bare: Stages, tmp_path: Path) -> Stages:
    """A stage whose command says nothing about the Python that it uses."""
    home = environment(tmp_path / "hidden", "surprise")
    project = bare.repo
    project.write("go", f"#!/bin/sh\nexec {home}/bin/python make.py\n")
    (project.path / "go").chmod(0o755)
    project.write("make.py", "open('out', 'w').write('x')\n")
    project.write("tally.yaml", "stages: {make: {cmd: ./go, deps: [go, make.py], outs: [out]}}\n")
    project.commit("A stage")
    return bare


def packages(stages: Stages) -> list[str]:
    shown = stages.tally("env", "show", "--json").json()
    return [each["name"] for each in shown["packages"]]


def test_the_environment_is_that_of_the_python_that_ran(hidden: Stages) -> None:
    hidden.tally("run")
    assert packages(hidden) == ["surprise"]
    assert hidden.states() == {"make": "up to date"}
    assert hidden.receipt("make")["environment"]["drift"] == []


@pytest.mark.parametrize("trace", ["strace", "enforce"])
def test_it_is_so_under_every_trace(hidden: Stages, trace: str) -> None:
    text = hidden.repo.read("tally.yaml").decode()
    hidden.repo.write("tally.yaml", text.replace("cmd:", f"trace: {trace}, cmd:"))
    hidden.tally("run")
    assert packages(hidden) == ["surprise"]


def test_what_was_seen_counts_as_long_as_that_python_is_there(hidden: Stages, tmp_path: Path) -> None:
    hidden.tally("run")
    another = environment(tmp_path / "another", "other")
    hidden.repo.write("go", f"#!/bin/sh\nexec {another}/bin/python make.py\n")
    hidden.tally("run")
    assert packages(hidden) == ["other"]
    assert hidden.states() == {"make": "up to date"}
    (another / "bin/python").unlink()
    assert hidden.reasons("make")


def test_code_of_the_project_in_another_python_is_told(hidden: Stages, tmp_path: Path) -> None:
    first = environment(tmp_path / "first", "one")
    hidden.repo.write("first.py", "")
    hidden.repo.write(
        "go", f"#!/bin/sh\n{first}/bin/python first.py\nexec {tmp_path}/hidden/bin/python make.py\n"
    )
    hidden.tally("run")
    (said,) = hidden.receipt("make")["environment"]["drift"]
    assert said.startswith("`first.py` ran in another Python")
    assert packages(hidden) == ["surprise"]


def lent(project: Stages, tmp_path: Path, own: str = "") -> Path:
    """Let a stage run in an environment that is made for it and deleted after it, as `uv run --with` does."""
    lender = environment(tmp_path / "lender", "lent")
    site = next(lender.glob("lib/*/site-packages"))
    base = os.path.realpath(sys.executable)
    inside = f"lib/{site.parent.name}/site-packages"
    project.repo.write(
        "go",
        f"#!/bin/sh\nset -e\nnew=$(mktemp -d)\nmkdir -p $new/bin $new/{inside}{own}\n"
        f"ln -s {base} $new/bin/python\necho 'home = {os.path.dirname(base)}' > $new/pyvenv.cfg\n"
        f"echo 'import site; site.addsitedir(\"{site}\")' > $new/{inside}/_overlay.pth\n"
        "$new/bin/python make.py\nrm -r $new\n",
    )
    return lender


def test_what_an_environment_for_one_command_consisted_of_is_recorded(hidden: Stages, tmp_path: Path) -> None:
    lender = lent(hidden, tmp_path)
    hidden.tally("run")
    assert packages(hidden) == ["lent"]
    assert hidden.receipt("make")["environment"]["drift"] == []
    assert hidden.states() == {"make": "up to date"}
    hidden.tally("run", "--force")
    assert hidden.states() == {"make": "up to date"}
    next(lender.glob("lib/*/site-packages/*")).rename(tmp_path / "gone")
    assert hidden.reasons("make")


def test_packages_that_went_with_their_environment_are_told(hidden: Stages, tmp_path: Path) -> None:
    lent(hidden, tmp_path, own="/gone-1.0.dist-info")
    hidden.tally("run")
    (said,) = hidden.receipt("make")["environment"]["drift"]
    assert "is gone, its packages can't be recorded" in said
