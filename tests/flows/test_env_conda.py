"""`tally env` and `repro` of a stage that runs in a conda environment."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tallystick.envs import archives
from tests.envs.channel import make_environment, write_interpreter, write_module
from tests.sandbox import Repo, Tally

CONDA = """#!/bin/sh
# As `conda run -n ml` does it.
[ "$1 $2 $3" = "run -n ml" ] || exit 2
shift 3
CONDA_PREFIX={prefix} PATH={prefix}/bin:$PATH exec "$@"
"""


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """A channel with a Python and a module."""
    folder = tmp_path / "channel"
    write_interpreter(folder)
    write_module(folder, "gamma", "1.0", "NAME = 'gamma'\n")
    return folder


@pytest.fixture
def root(channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is installed of conda: an environment `ml`, and the program."""
    folder = tmp_path / "conda"
    make_environment(channel, folder / "envs/ml")
    shutil.rmtree(folder / "envs/ml-unpacked")
    program = folder / "condabin/conda"
    program.parent.mkdir()
    program.write_text(CONDA.format(prefix=folder / "envs/ml"))
    program.chmod(0o755)
    base = os.path.dirname(os.path.realpath(sys.executable))
    monkeypatch.setenv("PATH", f"{program.parent}:{base}:/usr/bin:/bin")
    return folder


@pytest.fixture
def ran(project: Repo, tally: Tally, remote: Path, root: Path) -> Repo:
    """A project with a stage that ran in it."""
    project.write("make.py", "import gamma, pathlib; pathlib.Path('out.txt').write_text(gamma.NAME)\n")
    tally("run", "-n", "make", "-d", "make.py", "-o", "out.txt", "--", "conda run -n ml python make.py")
    project.commit("Make it")
    return project


def test_the_environment_that_conda_entered_is_recorded(ran: Repo, tally: Tally) -> None:
    shown = tally("env", "show", "--json").json()
    assert [each.split()[0] for each in shown["conda"]] == ["gamma", "python"]
    assert [(each["name"], each["source"]) for each in shown["packages"]] == [("gamma", "conda")]
    assert tally("status", "--json").json()["stages"] == [] or "stale" not in tally("status").out


def test_a_file_for_conda_is_compared_with_what_conda_installed(ran: Repo, tally: Tally) -> None:
    ran.write("environment.yml", "dependencies: [gamma=1.1, python, libblas==3.9]\n")
    drift = [
        each["says"] if isinstance(each, dict) else each for each in tally("status", "--json").json()["drift"]
    ]
    assert drift == [
        "gamma: `environment.yml` has 1.1, installed is 1.0",
        "libblas: `environment.yml` has 3.9, it is not installed",
    ]


def test_it_is_rebuilt_from_the_channel_for_a_repetition(ran: Repo, tally: Tally, root: Path) -> None:
    shutil.rmtree(root)
    verdict = tally("repro", "--json").json()["verdict"]
    assert verdict["outcome"] == "identical"
    assert any("without the tool" in fact for fact in verdict["enforced"])


def test_with_its_packages_in_the_vault_no_channel_is_needed(
    ran: Repo, tally: Tally, root: Path, channel: Path, tmp_path: Path
) -> None:
    filled = tally("env", "vault", "--json").json()
    assert (filled["packages"], filled["kept"], filled["added"]) == (2, 2, 2)
    assert tally("env", "vault", "--json").json()["added"] == 0
    assert "no index is needed" in tally("env", "show").out
    ran.commit("Keep the packages")
    tally("push")
    shutil.rmtree(root)
    shutil.rmtree(channel)
    clone = ran.clone(tmp_path / "clone")
    verdict = tally("repro", "--trust", "--json", cwd=clone.path).json()["verdict"]
    assert verdict["outcome"] == "identical"
    assert "environment from the vault" in verdict["enforced"]


def test_a_package_that_is_nowhere_any_more_is_named(
    ran: Repo, tally: Tally, root: Path, channel: Path
) -> None:
    shutil.rmtree(root)
    next(channel.glob("noarch/gamma-*")).unlink()
    ended = tally("repro", code=17)
    assert "could not be rebuilt" in ended.out
    assert "conda's `gamma` 1.0 can't be had" in ended.out
    assert "conda's `gamma` 1.0" in tally("env", "build", code=17).err


def test_without_the_extra_it_is_named(ran: Repo, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, archives.RATTLER, None)
    assert "tallystick[conda]" in tally("env", "build", code=17).err
    ended = tally("repro", code=17)
    assert "py-rattler" in ended.out + ended.err


def test_a_vaults_file_that_is_another_package_is_found_out(
    ran: Repo, tally: Tally, root: Path, channel: Path
) -> None:
    tally("env", "vault")
    path = ran.path / "environment.vault"
    text = path.read_text()
    hashes = [line.split('"')[3] for line in text.splitlines() if '"digest"' in line]
    path.write_text(text.replace(hashes[0], hashes[1]))
    shutil.rmtree(root)
    shutil.rmtree(channel)
    assert "can't be had" in tally("env", "build", code=17).err
