"""What stands in submodules, and in those of a temporary worktree."""

import os
from pathlib import Path

import pytest

from tallystick.git.plumbing import Git
from tests.sandbox import Repo


@pytest.fixture
def inner(repo: Repo, tmp_path: Path) -> Repo:
    """A submodule at `vendor/a lib`, with one file and another that is new."""
    other = Repo.made(tmp_path / "other", {"pkg/lib.py": "1", "data.tally": "no pointer of ours"})
    found = repo.submodule(other, "vendor/a lib")
    repo.commit("With a submodule")
    found.write("pkg/new.py", "2")
    return found


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git.discover(repo.path)


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        ("vendor", ["data.tally", "pkg/lib.py", "pkg/new.py"]),
        ("vendor/a lib", ["data.tally", "pkg/lib.py", "pkg/new.py"]),
        ("vendor/a lib/pkg", ["pkg/lib.py", "pkg/new.py"]),
        ("vendor/a", []),
        ("other", []),
    ],
)
def test_a_folder_has_what_git_sees_in_its_submodules(
    git: Git, inner: Repo, folder: str, named: list[str]
) -> None:
    assert git.named_in_submodules(folder) == {f"vendor/a lib/{name}" for name in named}


def test_a_link_in_the_place_of_a_submodule_is_not_followed(git: Git, inner: Repo, tmp_path: Path) -> None:
    inner.path.rename(tmp_path / "moved")
    inner.path.symlink_to(tmp_path / "moved")
    assert git.named_in_submodules("vendor") == set()
    with git.temporary_worktree("HEAD", git.common / "tally/worktrees") as place:
        assert os.listdir(place / "vendor/a lib") == []


def test_a_temporary_worktree_has_the_submodules_of_its_commit(git: Git, inner: Repo) -> None:
    inner.commit("A new file")
    with git.temporary_worktree("HEAD", git.common / "tally/worktrees") as place:
        there = Git.discover(place / "vendor/a lib")
        assert there.head() == Git.discover(inner.path).resolve("HEAD~1")
        assert (there.root / "pkg/lib.py").read_text() == "1"
        assert not (there.root / "pkg/new.py").exists()
        assert git.snapshot().submodules != Git.discover(place).snapshot().submodules
    assert inner.git("worktree", "list").count("\n") == 0
    assert inner.read("pkg/new.py") == b"2"


def test_a_submodule_whose_commit_is_not_here_stays_empty(git: Git, repo: Repo, inner: Repo) -> None:
    repo.git("update-index", "--cacheinfo", f"160000,{'1' * 40},vendor/a lib")
    repo.git("commit", "--quiet", "-m", "A commit that nobody has")
    with git.temporary_worktree("HEAD", git.common / "tally/worktrees") as place:
        assert os.listdir(place / "vendor/a lib") == []
