"""A stage that uses a package which no index has, in an environment of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.envs.house import Venv, write_project
from tests.sandbox import Repo, Tally

STAGE = "import gamma, pathlib; pathlib.Path('out.txt').write_text(gamma.VERSION)\n"


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Venv:
    """Activate a virtual environment, as a user would."""
    base = os.path.dirname(os.path.realpath(sys.executable))
    made = Venv(tmp_path / "venv")
    argv = [find_uv_bin(), "venv", "--quiet", "--no-project", "--python", sys.executable, made.path]
    subprocess.run(argv, check=True)
    monkeypatch.setenv("PATH", f"{made.path}/bin:{base}:/usr/bin:/bin")
    monkeypatch.setenv("VIRTUAL_ENV", str(made.path))
    return made


def run_stage(project: Repo, tally: Tally) -> None:
    project.write("make.py", STAGE)
    tally("run", "-n", "make", "-d", "make.py", "-o", "out.txt", "--", "python", "make.py")
    project.commit("Make it")
    tally("push")


def test_an_unreleased_package_comes_back_from_the_remote(
    project: Repo, tally: Tally, remote: Path, venv: Venv, tmp_path: Path
) -> None:
    source = write_project(tmp_path / "gamma", "gamma", "0.1.dev0")
    venv.install(str(source))
    run_stage(project, tally)
    shutil.rmtree(source)
    shutil.rmtree(venv.path)
    shutil.rmtree(project.path / ".git/tally")
    clone = project.clone(tmp_path / "clone")
    ran = tally("repro", "HEAD", "--trust", cwd=clone.path)
    assert "identical" in ran.out


def test_a_lost_wheel_is_named_as_what_could_not_be_rebuilt(
    project: Repo, tally: Tally, remote: Path, venv: Venv, tmp_path: Path
) -> None:
    venv.install(str(write_project(tmp_path / "gamma", "gamma", "0.1.dev0")))
    run_stage(project, tally)
    for pack in (*remote.glob("packs/*/*"), *(project.path / ".git/tally/packs").iterdir()):
        pack.unlink()
    ran = tally("repro", "HEAD", code=13)
    assert "could not be rebuilt" in ran.out
    assert "blake3:" in ran.out


def test_the_projects_own_package_runs_from_the_commits_code(
    project: Repo, tally: Tally, remote: Path, venv: Venv, tmp_path: Path
) -> None:
    write_project(project.path, "gamma", "0.1")
    venv.install("--editable", str(project.path))
    run_stage(project, tally)
    project.write("src/gamma/__init__.py", "VERSION = 'edited since'\n")
    assert "identical" in tally("repro", "HEAD").out


def test_a_package_that_a_rebuild_will_not_have_is_named_at_the_run(
    project: Repo, tally: Tally, venv: Venv, tmp_path: Path
) -> None:
    venv.install(str(write_project(tmp_path / "gamma", "gamma", "0.1")))
    (venv.site / "gamma-0.1.dist-info/RECORD").unlink()
    project.write("make.py", STAGE)
    ran = tally("run", "-n", "make", "-d", "make.py", "-o", "out.txt", "--", "python", "make.py")
    assert "`gamma` 0.1 can't be kept for a rebuild" in ran.out + ran.err


def test_a_python_named_by_its_path_in_the_project_is_the_rebuilt_one_in_a_repetition(
    project: Repo, tally: Tally, venv: Venv, tmp_path: Path
) -> None:
    venv.install(str(write_project(tmp_path / "gamma", "gamma", "0.1")))
    (project.path / ".venv").symlink_to(venv.path)
    project.write(".gitignore", ".venv\n")
    project.write("make.py", STAGE)
    tally("run", "-n", "make", "-d", "make.py", "-o", "out.txt", "--", ".venv/bin/python", "make.py")
    project.commit("Make it")
    assert "identical" in tally("repro", "HEAD").out
