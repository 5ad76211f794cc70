"""What the program asks of git."""

import os
from pathlib import Path

import pytest

from tallystick.errors import GitFailed, Refused, RemoteUnreachable, WouldLoseChanges
from tallystick.git.plumbing import NOBODY, Git
from tests.sandbox import Repo


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git.discover(repo.path)


def test_before_the_first_commit_there_is_no_head(empty_repo: Repo) -> None:
    git = Git.discover(empty_repo.path)
    assert (git.head(), git.branch(), git.list_files()) == (None, "main", [])
    with pytest.raises(Refused) as caught:
        git.resolve("HEAD")
    assert caught.value.hint == "no commit has been made yet"


def test_head_and_branch_are_what_git_says(repo: Repo, git: Git) -> None:
    assert git.head() == repo.git("rev-parse", "HEAD")
    repo.git("checkout", "--quiet", "--detach")
    assert git.branch() is None


@pytest.mark.parametrize("rev", ["HEAD", "main", "v1", "HEAD^0", "HEAD@{0}"])
def test_every_way_to_name_a_commit_works(repo: Repo, git: Git, rev: str) -> None:
    repo.git("tag", "--annotate", "--message", "one", "v1")
    assert git.resolve(rev) == repo.git("rev-parse", "HEAD")


@pytest.mark.parametrize("rev", ["nope", "HEAD~7", "-x", "--all", "", "HEAD:README.md", "a b"])
def test_a_name_of_no_commit_is_refused(git: Git, rev: str) -> None:
    with pytest.raises(Refused):
        git.resolve(rev)


def test_a_hostile_branch_name_is_never_an_option(repo: Repo, git: Git) -> None:
    repo.write(".git/refs/heads/--output=pwned", repo.git("rev-parse", "HEAD") + "\n")
    for use in (git.resolve, git.checkout, git.list_tree):
        with pytest.raises(Refused):
            use("--output=pwned")
    assert not (repo.path / "pwned").exists()


def test_the_author_is_the_users_or_nobody(repo: Repo, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git.author() == "Ada Lovelace <ada@example.org>"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    repo.git("config", "user.useConfigOnly", "true")
    assert Git.discover(repo.path).author() == NOBODY


def test_listing_sees_new_files_and_crosses_folders_but_neither_ignored_nor_deleted_ones(
    repo: Repo, git: Git
) -> None:
    for name in ("a.tally", "deep/er/b.tally", "gone.tally", "c.txt", "hidden/d.tally"):
        repo.write(name)
    repo.write(".gitignore", "hidden/\n")
    repo.git("add", "gone.tally", "a.tally")
    (repo.path / "gone.tally").unlink()
    assert git.list_files(["*.tally"]) == ["a.tally", "deep/er/b.tally"]


def test_other_repositories_inside_are_not_listed_as_files(repo: Repo, git: Git, tmp_path: Path) -> None:
    repo.git("init", "--quiet", "inner")
    repo.write("inner/x", "1")
    repo.submodule(repo.clone(tmp_path / "other"), "sub")
    assert git.list_files() == [".gitmodules", "README.md"]


def test_a_folder_is_listed_whatever_is_in_its_name(repo: Repo, git: Git) -> None:
    for folder in ("run[1]", "run*", "run1"):
        repo.write(f"{folder}/x", "1")
    assert git.named_below("run[1]") == {"run[1]/x"}
    assert git.named_below("run*") == {"run*/x"}
    assert git.named_below("README.md") == set()


NAMES = ["a b", "new\nline", "tab\t", "'quoted\"", ":(top)x", "[glob]*", "-dash", "ünï", os.fsdecode(b"\xff")]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_passes_through_git_unchanged(repo: Repo, git: Git, name: str) -> None:
    repo.write(name, "content")
    assert name in git.list_files()
    git.stage([name])
    assert git.tracked([name]) == {name}
    repo.git("commit", "--quiet", "--message", "names")
    assert git.read_at("HEAD", [name]) == {name: b"content"}
    assert name in [file.path for file in git.list_tree("HEAD")]
    repo.write(".git/info/exclude", "*\n")
    repo.git("rm", "--quiet", "--cached", "-r", ".")
    assert git.ignored([name, "x/../y"]) == {name, "x/../y"}


def test_staging_takes_ignored_new_and_deleted_files_and_no_others(repo: Repo, git: Git) -> None:
    repo.write(".gitignore", "hidden/\n")
    repo.write("hidden/x.tally", "1")
    repo.write("beside.txt", "1")
    (repo.path / "README.md").unlink()
    git.stage(["hidden/x.tally", "README.md", "never-was-there"])
    assert repo.git("diff", "--cached", "--name-status").split("\n") == [
        "D\tREADME.md",
        "A\thidden/x.tally",
    ]


def test_staging_a_file_where_git_has_a_folder_replaces_it(repo: Repo, git: Git) -> None:
    repo.write("thing/inside", "1")
    repo.commit()
    (repo.path / "thing/inside").unlink()
    (repo.path / "thing").rmdir()
    repo.write("thing", "1")
    git.stage(["thing"])
    assert git.tracked(["thing"]) == {"thing"}


def test_tracked_lists_files_below_a_folder(repo: Repo, git: Git) -> None:
    repo.write("f/a", "1")
    repo.write("f/b", "1")
    repo.git("add", "f/a")
    assert git.tracked(["f", "README.md", "nope"]) == {"f/a", "README.md"}
    assert git.tracked([]) == set()


def test_what_git_tracks_is_not_ignored_nor_its_folder(repo: Repo, git: Git) -> None:
    repo.write("f/tracked", "1")
    repo.commit()
    repo.write(".gitignore", "f\n*.md\n/star\\*\n")
    repo.write("star*", "1")
    repo.write("f/other", "1")
    assert git.ignored(["f", "f/tracked", "f/other", "README.md", "star*", "starless"]) == {
        "f/other",
        "star*",
    }


def test_nothing_ignored_is_an_answer(git: Git) -> None:
    assert git.ignored(["README.md"]) == set()
    assert git.ignored([]) == set()


def test_checkout_goes_to_branches_commits_and_back(repo: Repo, git: Git) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.git("branch", "side")
    repo.write("README.md", "second")
    repo.commit()
    git.checkout("side")
    assert git.branch() == "side"
    git.checkout("-")
    assert git.branch() == "main"
    git.checkout("HEAD~1")
    assert (git.branch(), git.head()) == (None, first)


def test_a_branch_that_only_the_remote_has_is_made_as_git_does(repo: Repo, tmp_path: Path) -> None:
    repo.git("branch", "side")
    clone = repo.clone(tmp_path / "clone")
    git = Git.discover(clone.path)
    git.checkout("side")
    assert git.branch() == "side"


def test_a_branch_with_the_name_of_a_file_is_still_a_branch(repo: Repo, git: Git) -> None:
    repo.git("branch", "README.md")
    repo.write("README.md", "edited, and not to be lost")
    git.checkout("README.md")
    assert git.branch() == "README.md"
    assert repo.read("README.md") == b"edited, and not to be lost"


def test_a_file_name_is_no_commit_and_its_edits_are_kept(repo: Repo, git: Git) -> None:
    repo.write("README.md", "edited")
    with pytest.raises(Refused):
        git.checkout("README.md")
    assert repo.read("README.md") == b"edited"


@pytest.mark.parametrize("known", [True, False])
def test_edits_in_the_way_of_a_checkout_are_kept_and_named(repo: Repo, git: Git, known: bool) -> None:
    repo.write("new.txt", "committed")
    repo.write("README.md", "second")
    repo.commit()
    repo.git("checkout", "--quiet", "HEAD~1")
    name = "README.md" if known else "new.txt"
    repo.write(name, "mine")
    with pytest.raises(WouldLoseChanges) as caught:
        git.checkout("main")
    assert caught.value.paths == (name,)
    assert repo.read(name) == b"mine"


def test_checkout_runs_the_users_hooks_and_plumbing_runs_none(repo: Repo, git: Git, tmp_path: Path) -> None:
    for name in ("post-checkout", "reference-transaction", "pre-push", "post-index-change"):
        hook = repo.write(f".git/hooks/{name}", f"#!/bin/sh\ntouch {tmp_path}/ran-$(basename $0)\n")
        hook.chmod(0o755)
    git.update_ref("refs/tally/x", git.resolve("HEAD"), None)
    git.stage(["README.md"])
    repo.clone(tmp_path / "theirs")
    repo.git("remote", "add", "origin", str(tmp_path / "theirs"))
    git.push_ref("origin", "refs/tally/x:refs/tally/x")
    with git.temporary_worktree("HEAD", git.common / "tally/worktrees"):
        pass
    assert list(tmp_path.glob("ran-*")) == []
    git.checkout("HEAD~0")
    assert tmp_path / "ran-post-checkout" in tmp_path.glob("ran-*")


def test_a_ref_moves_only_from_where_it_was_thought_to_be(repo: Repo, git: Git) -> None:
    first = git.resolve("HEAD")
    second = repo.commit("again")
    assert git.update_ref("refs/tally/x", first, None)
    assert not git.update_ref("refs/tally/x", second, None)
    assert not git.update_ref("refs/tally/x", second, second)
    assert git.resolve_ref("refs/tally/x") == first
    assert git.update_ref("refs/tally/x", second, first)
    with pytest.raises(GitFailed):
        git.update_ref("refs/tally/y", "f" * 40, None)
    with pytest.raises(Refused):
        git.update_ref("-d", first, None)


def test_a_ref_that_is_not_there_has_no_object_and_no_history(git: Git) -> None:
    assert git.resolve_ref("refs/tally/x") is None
    assert git.subjects("refs/tally/x") == []


def test_subjects_come_newest_first_empty_ones_too(repo: Repo, git: Git) -> None:
    repo.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", "")
    repo.commit("third")
    assert git.subjects("refs/heads/main") == ["third", "", "First commit"]


def test_an_import_makes_commits_without_the_worktree(repo: Repo, git: Git) -> None:
    tree = git.tree_of("HEAD")
    stream = (
        b"feature done\ncommit refs/tally/x\ncommitter A <a@b> 1 +0000\ndata 2\nhi\n"
        b"M 040000 %s code\nM 100644 inline r.json\ndata 2\n{}\ndone\n" % tree.encode()
    )
    git.fast_import(stream)
    assert git.read_at("refs/tally/x", ["r.json", "code/README.md"]) == {
        "r.json": b"{}",
        "code/README.md": b"# A project\n",
    }
    assert repo.git("status", "--porcelain") == ""


def test_an_import_cut_short_is_an_error_and_moves_nothing(git: Git) -> None:
    with pytest.raises(GitFailed):
        git.fast_import(b"feature done\ncommit refs/tally/x\ncommitter A <a@b> 1 +0000\ndata 2\nhi\n")
    assert git.resolve_ref("refs/tally/x") is None


@pytest.fixture
def theirs(repo: Repo, tmp_path: Path) -> Repo:
    repo.git("init", "--quiet", "--bare", str(tmp_path / "theirs.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "theirs.git"))
    return Repo(tmp_path / "theirs.git")


def test_a_ref_goes_to_a_git_remote_and_comes_back(repo: Repo, git: Git, theirs: Repo) -> None:
    assert git.remotes() == ["origin"]
    assert not git.fetch_ref("origin", "+refs/tally/x:refs/tally/theirs")
    git.update_ref("refs/tally/x", git.resolve("HEAD"), None)
    git.push_ref("origin", "refs/tally/x:refs/tally/x")
    assert git.fetch_ref("origin", "+refs/tally/x:refs/tally/theirs")
    assert git.resolve_ref("refs/tally/theirs") == git.resolve("HEAD")


def test_a_remote_that_moved_on_refuses_a_push(repo: Repo, git: Git, theirs: Repo) -> None:
    first = git.resolve("HEAD")
    second = repo.commit("again")
    git.update_ref("refs/tally/x", second, None)
    git.push_ref("origin", "refs/tally/x:refs/tally/x")
    git.update_ref("refs/tally/x", first, second)
    with pytest.raises(GitFailed):
        git.push_ref("origin", "refs/tally/x:refs/tally/x")
    assert theirs.git("rev-parse", "refs/tally/x") == second


def test_a_remote_that_is_not_there_is_unreachable(repo: Repo, git: Git, tmp_path: Path) -> None:
    repo.git("remote", "add", "gone", str(tmp_path / "gone.git"))
    with pytest.raises(RemoteUnreachable, match="gone"):
        git.push_ref("gone", "refs/heads/main:refs/tally/x")
    with pytest.raises(RemoteUnreachable):
        git.fetch_ref("gone", "refs/tally/x:refs/tally/x")


def test_a_remote_whose_name_is_an_option_is_refused(git: Git, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        git.fetch_ref(f"--upload-pack=touch {tmp_path}/pwned", "refs/x:refs/x")
    assert not (tmp_path / "pwned").exists()


def test_the_default_remote_is_the_followed_one_then_origin_then_the_only_one(repo: Repo, git: Git) -> None:
    assert git.default_remote() is None
    repo.git("remote", "add", "b", "b.git")
    assert git.default_remote() == "b"
    repo.git("remote", "add", "origin", "o.git")
    assert git.default_remote() == "origin"
    repo.git("config", "branch.main.remote", "b")
    assert git.default_remote() == "b"
