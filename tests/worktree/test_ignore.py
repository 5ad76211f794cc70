"""Lines of `.gitignore`."""

import os
from pathlib import Path

import pytest

from tallystick.errors import Refused
from tallystick.git.plumbing import Git
from tallystick.worktree import Worktree
from tests.sandbox import Repo

NAMES = [
    "plain",
    "with space",
    "trailing ",
    "trailing  ",
    "#hash",
    "!bang",
    "star*",
    "[a]b",
    "que?stion",
    "back\\slash",
    "new\nline",
    "ret\rurn",
    "ünï",
    "\t",
    "**",
    os.fsdecode(b"\xff"),
]


@pytest.fixture
def here(repo: Repo) -> Worktree:
    return Worktree(repo.path, repo.path / ".git/tally", "main")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["", "sub/folder"])
def test_git_ignores_exactly_the_name(repo: Repo, here: Worktree, name: str, folder: str) -> None:
    prefix = f"{folder}/" if folder else ""
    repo.write(f"{prefix}{name}", "1")
    repo.write(f"{prefix}beside", "1")
    here.update_ignore(folder, add=[name])
    git = Git.discover(repo.path)
    beside = [f"{prefix}beside", f"{prefix}deeper/{name}", f"{prefix}x{name}", f"{prefix}{name}x"]
    assert git.ignored([f"{prefix}{name}", *beside]) == {f"{prefix}{name}"}
    here.update_ignore(folder, remove=[name])
    assert git.ignored([f"{prefix}{name}"]) == set()
    assert not (repo.path / folder / ".gitignore").exists()


def test_other_lines_stay_byte_for_byte(repo: Repo, here: Worktree) -> None:
    mine = b"# mine\r\n*.pyc  \n\n!keep\nlast line without end"
    repo.write(".gitignore", mine)
    assert here.update_ignore("", add=["data"]) == repo.path / ".gitignore"
    assert repo.read(".gitignore") == mine + b"\n/data\n"
    here.update_ignore("", add=["other"], remove=["data"])
    assert repo.read(".gitignore") == mine + b"\n/other\n"


def test_a_line_that_is_there_is_not_added_again(repo: Repo, here: Worktree) -> None:
    repo.write(".gitignore", b"/data\r\n")
    assert here.update_ignore("", add=["data", "data"]) is None
    assert here.update_ignore("", remove=["nope"]) is None
    assert here.update_ignore("", remove=["data"]) is not None


def test_a_link_in_place_of_the_file_or_folder_is_refused(repo: Repo, here: Worktree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/.gitignore").write_text("theirs\n")
    (repo.path / ".gitignore").symlink_to(tmp_path / "outside/.gitignore")
    (repo.path / "sub").symlink_to(tmp_path / "outside")
    for folder in ("", "sub"):
        with pytest.raises(Refused, match="link"):
            here.update_ignore(folder, add=["data"])
    assert (tmp_path / "outside/.gitignore").read_text() == "theirs\n"
