"""The worktree as a git tree."""

import os
from pathlib import Path

import pytest

from tallystick.errors import GitFailed
from tallystick.git.plumbing import Git
from tallystick.git.snapshots import LARGEST, looks_secret
from tests.sandbox import Repo


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git.discover(repo.path)


def paths(git: Git, tree: str) -> list[str]:
    return [file.path for file in git.list_tree(tree)]


def test_a_clean_worktree_is_the_tree_of_its_commit(git: Git) -> None:
    assert git.snapshot().tree == git.tree_of("HEAD")


def test_edits_new_files_and_deletions_are_in_it_and_the_index_is_untouched(repo: Repo, git: Git) -> None:
    repo.write("gone.py", "1")
    repo.write(".gitignore", "data\n")
    repo.commit()
    repo.write("README.md", "edited")
    repo.write("new.py", "new")
    repo.write("data", "ignored")
    (repo.path / "gone.py").unlink()
    before = repo.read(".git/index")
    snapshot = git.snapshot()
    assert repo.read(".git/index") == before
    assert paths(git, snapshot.tree) == [".gitignore", "README.md", "new.py"]
    assert git.read_at(snapshot.tree, ["README.md"]) == {"README.md": b"edited"}
    assert snapshot.left_out == ()
    assert os.listdir(repo.path / ".git/tally") == []


def test_before_the_first_commit_it_holds_the_new_files(empty_repo: Repo) -> None:
    empty_repo.write("a.py", "1")
    git = Git.discover(empty_repo.path)
    assert paths(git, git.snapshot().tree) == ["a.py"]


def test_large_and_secret_new_files_are_left_out_and_named(repo: Repo, git: Git) -> None:
    repo.write("big.bin", bytes(LARGEST + 1))
    repo.write("just.bin", bytes(LARGEST))
    repo.write("conf/.env", "TOKEN=1")
    snapshot = git.snapshot()
    assert paths(git, snapshot.tree) == ["README.md", "just.bin"]
    assert snapshot.left_out == ("big.bin", "conf/.env")


def test_what_git_tracks_is_in_it_whatever_its_name_and_size(repo: Repo, git: Git) -> None:
    repo.write("big.bin", b"1")
    repo.write(".env", "A=1")
    repo.commit()
    repo.write("big.bin", bytes(LARGEST + 1))
    snapshot = git.snapshot()
    assert paths(git, snapshot.tree) == [".env", "README.md", "big.bin"]
    assert snapshot.left_out == ()


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (".env", True),
        (".env.production", True),
        ("deploy/prod.env", True),
        ("id_rsa", True),
        ("id_ed25519", True),
        ("certs/server.PEM", True),
        ("service-account.json", True),
        ("credentials", True),
        ("aws_credentials.csv", True),
        ("secrets.yaml", True),
        (".aws/config", True),
        ("home/.ssh/known_hosts", True),
        (".npmrc", True),
        ("train.py", False),
        ("secrets.py", False),
        (".env.example", False),
        ("id_rsa.pub", False),
        ("environment.yml", False),
        ("keyboard.txt", False),
        ("tokenizer.json", False),
    ],
)
def test_secrets_are_known_by_their_names(path: str, secret: bool) -> None:
    assert looks_secret(path) == secret


def test_a_repository_inside_is_left_out_and_named(repo: Repo, git: Git) -> None:
    repo.git("init", "--quiet", "inner")
    repo.write("inner/x", "1")
    snapshot = git.snapshot()
    assert snapshot.left_out == ("inner/",)
    assert paths(git, snapshot.tree) == ["README.md"]


def test_a_conflict_is_recorded_as_it_stands_in_the_worktree(repo: Repo, git: Git) -> None:
    repo.git("checkout", "--quiet", "-b", "side")
    repo.write("README.md", "theirs\n")
    repo.commit()
    repo.git("checkout", "--quiet", "main")
    repo.write("README.md", "ours\n")
    repo.commit()
    repo.git("merge", "side", check=False)
    assert b"<<<<<<<" in git.read_at(git.snapshot().tree, ["README.md"])["README.md"]
    assert "UU README.md" in repo.git("status", "--porcelain")


def test_an_edit_in_the_very_tick_of_the_index_is_seen(repo: Repo, git: Git) -> None:
    place = repo.write("racy.py", "one")
    repo.git("add", "racy.py")
    index = os.stat(repo.path / ".git/index")
    place.write_text("two")
    # Same size, same inode, and a time that is not older than the index: git must read the file again.
    os.utime(place, ns=(index.st_mtime_ns, index.st_mtime_ns))
    os.utime(repo.path / ".git/index", ns=(index.st_mtime_ns, index.st_mtime_ns))
    assert git.read_at(git.snapshot().tree, ["racy.py"]) == {"racy.py": b"two"}


@pytest.mark.parametrize("name", ["new\nline.py", "-dash.py", ":(glob)*.py", os.fsdecode(b"\xff.py")])
def test_any_name_is_kept(repo: Repo, git: Git, name: str) -> None:
    repo.write(name, "1")
    assert name in paths(git, git.snapshot().tree)


def test_executable_bits_and_links_are_kept(repo: Repo, git: Git) -> None:
    repo.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    (repo.path / "link").symlink_to("run.sh")
    modes = {file.path: file.mode for file in git.list_tree(git.snapshot().tree)}
    assert modes == {"README.md": "100644", "link": "120000", "run.sh": "100755"}


def test_a_damaged_index_is_gits_error_and_leaves_nothing_behind(repo: Repo, git: Git) -> None:
    repo.write(".git/index", "not an index")
    with pytest.raises(GitFailed):
        git.snapshot()
    assert os.listdir(repo.path / ".git/tally") == []


def test_the_caller_may_leave_out_more(repo: Repo, git: Git) -> None:
    repo.write("a.py", "1")
    repo.write("b.py", "1")
    snapshot = git.snapshot(lambda path, size: path == "a.py")
    assert (snapshot.left_out, paths(git, snapshot.tree)) == (("a.py",), ["README.md", "b.py"])


def test_submodules_are_told_by_the_commits_checked_out_in_them(repo: Repo, git: Git, tmp_path: Path) -> None:
    other = Repo.made(tmp_path / "other", {"lib.py": "1"})
    inner = repo.submodule(other, "vendor/a lib")
    repo.commit("With a submodule")
    assert git.snapshot().submodules == {"vendor/a lib": other.git("rev-parse", "HEAD")}
    inner.write("__pycache__/lib.cpython-311.pyc", "compiled")
    assert git.snapshot().tree == git.tree_of("HEAD")
    inner.write("lib.py", "2")
    inner.commit()
    snapshot = git.snapshot()
    assert snapshot.submodules == {"vendor/a lib": inner.git("rev-parse", "HEAD")}
    assert paths(git, snapshot.tree) == [".gitmodules", "README.md", "vendor/a lib"]


def test_what_is_uncommitted_in_submodules_is_in_it_file_by_file(
    repo: Repo, git: Git, tmp_path: Path
) -> None:
    files = {"lib.py": "1", "gone.py": "1"}
    other = Repo.made(tmp_path / "other", files)
    other.submodule(Repo.made(tmp_path / "inmost", files), "deep")
    other.commit("Nested")
    inner = repo.submodule(other, "vendor/a lib")
    repo.git("submodule", "--quiet", "update", "--init", "--recursive")
    repo.commit("With submodules")
    inner.write("new.py", "1")
    inner.write("__pycache__/lib.cpython-311.pyc", "compiled")
    inner.write("deep/lib.py", "2")
    inner.write(".env", "TOKEN=1")
    (inner.path / "gone.py").unlink()
    before, stash = repo.read(".git/index"), repo.git("stash", "list")
    snapshot = git.snapshot()
    assert snapshot.submodules == {"vendor/a lib": inner.git("rev-parse", "HEAD")}
    assert snapshot.left_out == ("vendor/a lib/.env",)
    below = [".gitmodules", "deep/gone.py", "deep/lib.py", "lib.py", "new.py"]
    assert paths(git, snapshot.tree) == [
        ".gitmodules",
        "README.md",
        *(f"vendor/a lib/{path}" for path in below),
    ]
    edited = "vendor/a lib/deep/lib.py"
    assert git.read_at(snapshot.tree, [edited]) == {edited: b"2"}
    assert (repo.read(".git/index"), repo.git("stash", "list")) == (before, stash)
