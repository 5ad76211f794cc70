from pathlib import Path

import pytest

from tallystick.envs.activate import stand_in, variables
from tallystick.envs.rebuild import Rebuilt
from tallystick.errors import BadRecord
from tallystick.records.environment import Lock, Package

REBUILT = Rebuilt(Path("/envs/one/bin/python"), Path("/envs/one/bin"), True, 0.1, "3.11.7", "linux")


def lock(*urls: str) -> Lock:
    packages = (Package(f"p{n}", "1", "editable", url) for n, url in enumerate(urls))
    return Lock("cpython", "3.11.7", tuple(packages))


def test_the_environment_comes_first_and_the_rest_stays() -> None:
    env = variables(REBUILT, {"PATH": "/usr/bin", "LANG": "C"}, lock(), Path("/work"))
    assert env["PATH"] == "/envs/one/bin:/usr/bin"
    assert env["VIRTUAL_ENV"] == "/envs/one"
    assert env["LANG"] == "C"


def test_what_would_bring_in_other_packages_is_taken_away() -> None:
    base = {"PATH": "/usr/bin", "PYTHONPATH": "/elsewhere", "PYTHONHOME": "/x", "PYTHONUSERBASE": "/y"}
    env = variables(REBUILT, base, lock(), Path("/work"))
    assert not {"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE"} & env.keys()
    assert env["PYTHONNOUSERSITE"] == "1"


def test_the_projects_own_packages_are_imported_from_the_worktree() -> None:
    env = variables(REBUILT, {}, lock("src:libs/a", "libs/a", "."), Path("/work"))
    assert env["PYTHONPATH"] == "/work/src:/work/libs/a:/work"


@pytest.mark.parametrize("url", ["../elsewhere", "/etc", "a/../../b", ".git/x"])
def test_a_lock_cannot_lead_out_of_the_worktree(url: str) -> None:
    with pytest.raises(BadRecord):
        variables(REBUILT, {}, lock(url), Path("/work"))


def test_a_command_that_names_its_own_python_gets_the_rebuilt_one(tmp_path: Path) -> None:
    stand_in(REBUILT, "cd x && .venv/bin/python train.py", tmp_path / "sub", tmp_path)
    assert (tmp_path / "sub/.venv").readlink() == REBUILT.bin.parent


@pytest.mark.parametrize(
    "cmd", ["python a.py", "/usr/bin/python3 a.py", "../../e/bin/python a.py", "./python a"]
)
def test_nothing_is_put_elsewhere(tmp_path: Path, cmd: str) -> None:
    worktree = tmp_path / "outer/worktree"
    worktree.mkdir(parents=True)
    stand_in(REBUILT, cmd, worktree, worktree)
    assert list(tmp_path.rglob("*")) == [tmp_path / "outer", worktree]


def test_what_the_repository_has_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".venv").write_text("mine")
    stand_in(REBUILT, ".venv/bin/python a.py", tmp_path, tmp_path)
    assert (tmp_path / ".venv").read_text() == "mine"


def test_a_link_in_the_repository_is_not_followed_out_of_it(tmp_path: Path) -> None:
    worktree, outside = tmp_path / "worktree", tmp_path / "outside"
    worktree.mkdir()
    outside.mkdir()
    (worktree / "sub").symlink_to(outside)
    stand_in(REBUILT, "sub/.venv/bin/python a.py", worktree, worktree)
    assert list(outside.iterdir()) == []
