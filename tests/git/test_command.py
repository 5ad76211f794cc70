"""Finding the repository, and running git in it."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tallystick.errors import GitFailed, Locked, NotAProject, Refused
from tallystick.git import command
from tallystick.git.plumbing import Git
from tests.sandbox import Repo


def test_a_folder_deep_inside_leads_to_the_top(repo: Repo) -> None:
    (repo.path / "a/b").mkdir(parents=True)
    git = Git.discover(repo.path / "a/b")
    assert (git.root, git.directory, git.common) == (repo.path, repo.path / ".git", repo.path / ".git")
    assert git.worktree_id == "main"


def test_outside_of_a_repository_the_hint_is_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotAProject) as caught:
        Git.discover(tmp_path)
    assert caught.value.hint is not None
    assert "git init" in caught.value.hint


def test_a_folder_that_is_not_there_is_in_no_repository(repo: Repo) -> None:
    with pytest.raises(NotAProject):
        Git.discover(repo.path / "nowhere")


def test_a_bare_repository_has_no_worktree(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "bare.git")], check=True)
    with pytest.raises(NotAProject, match="without a worktree"):
        Git.discover(tmp_path / "bare.git")


def test_the_inside_of_a_git_directory_is_no_worktree(repo: Repo) -> None:
    with pytest.raises(NotAProject, match="without a worktree"):
        Git.discover(repo.path / ".git")


def test_a_repository_that_git_distrusts_is_an_error_of_git(repo: Repo) -> None:
    (repo.path / ".git/config").write_text("[core\n")
    with pytest.raises(GitFailed, match="config"):
        Git.discover(repo.path)


def test_linked_worktrees_share_the_common_directory_and_have_names(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", str(tmp_path / "other"))
    git = Git.discover(tmp_path / "other")
    assert git.root == tmp_path / "other"
    assert git.common == repo.path / ".git"
    assert git.worktree_id == "other"


def test_a_linked_worktree_of_a_bare_repository_works(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    Repo(tmp_path / "bare.git").git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    git = Git.discover(tmp_path / "linked")
    assert (git.root, git.common) == (tmp_path / "linked", tmp_path / "bare.git")
    assert git.head() == Git.discover(repo.path).head()


def test_a_separate_git_directory_is_found(tmp_path: Path) -> None:
    away = tmp_path / "away"
    subprocess.run(["git", "init", "-q", f"--separate-git-dir={tmp_path / 'git dir'}", str(away)], check=True)
    assert Git.discover(away).directory == tmp_path / "git dir"


def test_git_dir_and_work_tree_lead_elsewhere(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repo.path / ".git"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "elsewhere"))
    git = Git.discover(tmp_path)
    assert (git.root, git.directory) == (tmp_path / "elsewhere", repo.path / ".git")
    assert git.head() is not None
    (tmp_path / "elsewhere/here.txt").write_text("1")
    assert git.list_files() == ["here.txt"]


def test_in_a_hook_of_a_linked_worktree_a_folder_inside_is_not_taken_for_the_top(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.git("worktree", "add", "--quiet", str(tmp_path / "other"))
    (tmp_path / "other/sub").mkdir()
    monkeypatch.setenv("GIT_DIR", str(repo.path / ".git/worktrees/other"))
    git = Git.discover(tmp_path / "other/sub")
    assert (git.root, git.worktree_id) == (tmp_path / "other", "other")


def test_a_relative_git_dir_counts_from_where_the_process_runs(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo.path / "sub").mkdir()
    monkeypatch.chdir(repo.path)
    monkeypatch.setenv("GIT_DIR", ".git")
    assert Git.discover(repo.path / "sub").root == repo.path


def hooked(repo: Repo, name: str, body: str) -> None:
    hook = repo.write(f".git/hooks/{name}", f"#!/bin/sh\nexec {body}\n")
    hook.chmod(0o755)


def test_a_pre_commit_hook_stages_into_the_commit_being_made(repo: Repo, tmp_path: Path) -> None:
    script = tmp_path / "stage.py"
    script.write_text(
        "from pathlib import Path\n"
        "from tallystick.git.plumbing import Git\n"
        "Path('staged.txt').write_text('by the hook')\n"
        "Git.discover(Path.cwd()).stage(['staged.txt'])\n"
    )
    python = sys.executable
    hooked(repo, "pre-commit", f"{python} {script}")
    repo.write("README.md", "changed\n")
    repo.write("other.txt", "not part of it\n")
    repo.git("commit", "--quiet", "--message", "Only this", "README.md")
    assert repo.git("show", "--name-only", "--format=") == "README.md\nstaged.txt"


def test_the_index_that_a_hook_names_is_not_used_for_another_worktree(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.git("worktree", "add", "--quiet", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    monkeypatch.setenv("GIT_DIR", str(repo.path / ".git"))
    monkeypatch.chdir(repo.path)
    assert Git.discover(repo.path).environment["GIT_INDEX_FILE"] == str(repo.path / ".git/index")
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.setenv("GIT_INDEX_FILE", str(repo.path / ".git/index"))
    assert "GIT_INDEX_FILE" not in Git.discover(tmp_path / "other").environment


def test_git_answers_in_english(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    assert Git.discover(repo.path).environment["LC_ALL"] == "C"


def test_a_lock_that_goes_away_is_waited_for(repo: Repo) -> None:
    git = Git.discover(repo.path)
    lock = repo.write(".git/index.lock")
    repo.write("new.txt")

    def release() -> None:
        time.sleep(0.3)
        lock.unlink()

    thread = threading.Thread(target=release)
    thread.start()
    git.stage(["new.txt"])
    thread.join()
    assert git.tracked(["new.txt"]) == {"new.txt"}


def test_a_lock_that_stays_is_reported_as_such(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.05)
    repo.write(".git/index.lock")
    repo.write("new.txt")
    with pytest.raises(Locked, match=r"index\.lock"):
        Git.discover(repo.path).stage(["new.txt"])


@pytest.mark.parametrize("word", ["", "-x", "--upload-pack=evil", "a\nb", "a\0b"])
def test_a_word_that_git_could_take_for_an_option_is_refused(word: str) -> None:
    with pytest.raises(Refused):
        command.not_an_option(word, "a commit")


def test_paths_come_in_portions_that_fit_on_a_command_line() -> None:
    paths = [str(number) for number in range(command.BATCH * 2 + 1)]
    portions = list(command.batches(paths))
    assert [len(portion) for portion in portions] == [command.BATCH, command.BATCH, 1]
    assert [path for portion in portions for path in portion] == paths
