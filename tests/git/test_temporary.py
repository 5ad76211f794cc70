"""Worktrees for the length of a block."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick.errors import Refused
from tallystick.git.plumbing import Git
from tests.sandbox import Repo


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git.discover(repo.path)


@pytest.fixture
def parent(git: Git) -> Path:
    return git.common / "tally/worktrees"


def is_clean(repo: Repo, parent: Path) -> bool:
    left = [name for name in os.listdir(parent) if name != "lock"]
    return not left and repo.git("worktree", "list").count("\n") == 0


def test_a_commit_is_checked_out_and_gone_at_the_end(repo: Repo, git: Git, parent: Path) -> None:
    repo.write("README.md", "second")
    repo.commit()
    with git.temporary_worktree("HEAD~1", parent) as place:
        assert (place / "README.md").read_text() == "# A project\n"
        inside = Git.discover(place)
        assert (inside.root, inside.head()) == (place, git.resolve("HEAD~1"))
        assert not inside.run("status", "--porcelain").stdout
        assert inside.common == git.common
    assert is_clean(repo, parent)
    assert repo.read("README.md") == b"second"


def test_a_tree_without_commit_is_checked_out_with_a_nameless_one(repo: Repo, git: Git, parent: Path) -> None:
    repo.write("new.py", "dirty")
    tree = git.snapshot().tree
    with git.temporary_worktree(tree, parent) as place:
        assert (place / "new.py").read_text() == "dirty"
        first = Git.discover(place).head()
    with git.temporary_worktree(tree, parent) as place:
        assert Git.discover(place).head() == first


def test_an_error_inside_removes_it_too(repo: Repo, git: Git, parent: Path) -> None:
    with pytest.raises(KeyboardInterrupt), git.temporary_worktree("HEAD", parent):
        raise KeyboardInterrupt
    assert is_clean(repo, parent)


def test_folders_without_write_permission_are_removed(repo: Repo, git: Git, parent: Path) -> None:
    with git.temporary_worktree("HEAD", parent) as place:
        (place / "locked").mkdir()
        (place / "locked/file").write_text("1")
        (place / "locked").chmod(0o500)
    assert is_clean(repo, parent)


def test_links_in_it_are_removed_and_not_followed(repo: Repo, git: Git, parent: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("1")
    with git.temporary_worktree("HEAD", parent) as place:
        (place / "link").symlink_to(tmp_path / "precious")
    assert (tmp_path / "precious/file").read_text() == "1"


def test_two_at_a_time_do_not_disturb_each_other(repo: Repo, git: Git, parent: Path) -> None:
    with git.temporary_worktree("HEAD", parent) as one:
        with git.temporary_worktree("HEAD", parent) as two:
            assert one != two
        assert (one / "README.md").exists()
    assert is_clean(repo, parent)


def test_what_a_killed_process_left_is_removed_by_the_next(repo: Repo, git: Git, parent: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tallystick.git.plumbing import Git\n"
        "git = Git.discover(Path(sys.argv[1]))\n"
        "with git.temporary_worktree('HEAD', Path(sys.argv[2])) as place:\n"
        "    print(place, flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(repo.path), str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        left = Path(child.stdout.readline().strip())
        with git.temporary_worktree("HEAD", parent):
            assert left.exists(), "its process lives"
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert left.exists()
    with git.temporary_worktree("HEAD", parent):
        assert not left.exists()
    assert is_clean(repo, parent)


def test_other_worktrees_that_are_away_are_not_forgotten(
    repo: Repo, git: Git, parent: Path, tmp_path: Path
) -> None:
    repo.git("worktree", "add", "--quiet", str(tmp_path / "usb"))
    (tmp_path / "usb").rename(tmp_path / "unplugged")
    with git.temporary_worktree("HEAD", parent):
        pass
    assert str(tmp_path / "usb") in repo.git("worktree", "list")


def test_a_sparse_worktree_makes_a_whole_temporary_one(repo: Repo, git: Git, parent: Path) -> None:
    repo.write("code/a.py", "1")
    repo.write("docs/b.md", "1")
    repo.commit()
    repo.git("sparse-checkout", "set", "code")
    assert not (repo.path / "docs").exists()
    with git.temporary_worktree("HEAD", parent) as place:
        assert (place / "docs/b.md").exists()


def test_it_works_where_a_hook_names_another_index(
    repo: Repo, git: Git, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = repo.read(".git/index")
    monkeypatch.setenv("GIT_INDEX_FILE", str(repo.path / ".git/index"))
    monkeypatch.setenv("GIT_DIR", str(repo.path / ".git"))
    monkeypatch.chdir(repo.path)
    with Git.discover(repo.path).temporary_worktree("HEAD", parent) as place:
        monkeypatch.delenv("GIT_DIR")
        inside = Git.discover(place)
        assert (inside.root, inside.run("status", "--porcelain").stdout) == (place, b"")
        inside.stage(["README.md"])
    assert repo.read(".git/index") == before


def test_what_git_does_not_know_is_refused(repo: Repo, git: Git, parent: Path) -> None:
    for treeish in ("nope", "-x", "HEAD:README.md"):
        with pytest.raises(Refused), git.temporary_worktree(treeish, parent):
            raise AssertionError("it was made")
