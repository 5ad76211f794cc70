"""Bring back a commit: code, data, environment."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tallystick.data import placing
from tallystick.data.placing import worktree_lock
from tallystick.data.tracked import tracked_in_worktree
from tallystick.errors import Locked, ObjectMissing, Refused, TallyError, WouldLoseChanges
from tallystick.flows.checkout import CheckedOut, checkout
from tests.project.house import contents, opened
from tests.sandbox import Repo, Tally

FIRST: Mapping[str, str] = {"data/1": "one", "data/2": "same", "labels": "a", "code.py": "x = 1\n"}
SECOND: Mapping[str, str] = {"data/3": "three", "data/2": "same", "extra/x": "new", "code.py": "x = 2\n"}


@pytest.fixture
def data(project: Repo, tally: Tally) -> Repo:
    """Two commits: `labels` is tracked in the first only, `extra` in the second only."""
    for name, text in FIRST.items():
        project.write(name, text)
    tally("add", "data", "labels")
    project.commit("First")
    tally("remove", "labels", "--delete")
    (project.path / "data/1").unlink()
    for name, text in SECOND.items():
        project.write(name, text)
    tally("add", "data", "extra")
    project.commit("Second")
    return project


def went(repo: Repo, rev: str | None = None, *targets: str, **options: object) -> CheckedOut:
    return checkout(opened(repo), rev, targets, **options)  # type: ignore[arg-type]


def files(repo: Repo) -> dict[str, str]:
    """Everything of data and code that stands in the worktree."""
    names = ("data", "extra", "labels", "code.py")
    found = contents(repo.path)
    return {name: text.decode() for name, text in found.items() if name.split("/")[0] in names}


def test_a_commit_comes_back_with_code_and_data(data: Repo) -> None:
    result = went(data, "HEAD~1")
    assert files(data) == FIRST
    assert result.commit == data.git("rev-parse", "main~1")
    assert result.branch is None
    assert data.git("status", "--porcelain") == ""


def test_minus_goes_back_to_where_one_was(data: Repo) -> None:
    went(data, "HEAD~1")
    assert went(data, "-").branch == "main"
    assert files(data) == SECOND


def test_minus_before_any_checkout_is_refused(project: Repo) -> None:
    with pytest.raises(Refused, match="nothing was checked out before"):
        went(project, "-")


def test_only_what_differs_is_touched(data: Repo) -> None:
    before = (data.path / "data/2").stat()
    (first, *_) = went(data, "HEAD~1").paths
    assert (first.path, first.written, first.removed) == ("data", 1, 1)
    assert (data.path / "data/2").stat().st_mtime_ns == before.st_mtime_ns


def test_deleted_data_comes_back_without_a_commit_named(data: Repo) -> None:
    shutil.rmtree(data.path / "data")
    (data.path / "extra/x").unlink()
    went(data)
    assert files(data) == SECOND


def test_a_part_comes_back_alone(data: Repo) -> None:
    shutil.rmtree(data.path / "data")
    went(data, None, "data/3")
    assert set(files(data)) == {"data/3", "extra/x", "code.py"}


def test_a_path_comes_back_from_a_commit_with_its_pointer(data: Repo) -> None:
    went(data, "HEAD~1", "labels")
    assert data.read("labels") == b"a"
    assert data.read("code.py") == b"x = 2\n"
    assert set(data.git("diff", "--cached", "--name-only").split()) == {".gitignore", "labels.tally"}


def test_a_part_from_a_commit_leaves_the_pointer_alone(data: Repo) -> None:
    went(data, "HEAD~1", "data/1")
    assert data.read("data/1") == b"one"
    assert data.git("status", "--porcelain") == ""


@pytest.mark.parametrize("changed", ["data/3", "data/new", "extra/x"])
def test_a_change_that_is_stored_nowhere_keeps_everything_as_it_is(data: Repo, changed: str) -> None:
    data.write(changed, "mine")
    before = files(data)
    with pytest.raises(WouldLoseChanges, match=changed):
        went(data, "HEAD~1")
    assert files(data) == before
    assert data.git("symbolic-ref", "--short", "HEAD") == "main"
    went(data, "HEAD~1", force=True)
    assert files(data) == FIRST


def test_a_change_that_was_added_is_stored_and_may_be_replaced(data: Repo, tally: Tally) -> None:
    data.write("data/3", "mine")
    tally("add", "data", "--no-stage")
    data.git("checkout", "--quiet", "--", "data.tally")
    went(data, "HEAD~1")
    went(data, "-")
    assert files(data) == SECOND


def test_changes_of_code_that_git_will_not_lose_stop_it_with_the_data_in_place(data: Repo) -> None:
    data.write("code.py", "edited\n")
    before = files(data)
    with pytest.raises(WouldLoseChanges, match=r"code\.py"):
        went(data, "HEAD~1")
    assert files(data) == before


def test_nothing_is_touched_when_a_blob_is_nowhere(data: Repo) -> None:
    shutil.rmtree(data.path / ".git/tally/packs")
    before = files(data)
    with pytest.raises(ObjectMissing):
        went(data, "HEAD~1")
    assert files(data) == before
    assert data.git("symbolic-ref", "--short", "HEAD") == "main"


def test_what_is_missing_is_fetched(data: Repo, remote: Path, tally: Tally, tmp_path: Path) -> None:
    tally("push")
    clone = data.clone(tmp_path / "clone")
    assert went(clone, "main~2").fetched.blobs == 4
    assert files(clone) == FIRST


def test_a_path_that_git_tracked_before_changes_hands_and_back(project: Repo, tally: Tally) -> None:
    project.write("labels", "in git")
    project.commit("In git")
    project.git("rm", "--quiet", "--cached", "labels")
    project.write("labels", "in tally")
    tally("add", "labels")
    project.commit("In tally")
    went(project, "HEAD~1")
    assert project.read("labels") == b"in git"
    went(project, "-")
    assert project.read("labels") == b"in tally"
    assert project.git("status", "--porcelain") == ""


def test_a_file_becomes_a_folder_and_back(project: Repo, tally: Tally) -> None:
    project.write("thing", "file")
    tally("add", "thing")
    project.commit()
    (project.path / "thing").unlink()
    project.write("thing/inside", "folder")
    tally("add", "thing")
    project.commit()
    went(project, "HEAD~1")
    assert project.read("thing") == b"file"
    went(project, "-")
    assert project.read("thing/inside") == b"folder"


def test_a_branch_that_only_the_remote_has_is_checked_out(
    data: Repo, remote: Path, tally: Tally, tmp_path: Path
) -> None:
    tally("push")
    data.git("branch", "side", "main~2")
    clone = data.clone(tmp_path / "clone")
    assert went(clone, "side").branch == "side"
    assert files(clone) == FIRST


def test_a_linked_worktree_has_data_of_its_own(data: Repo, tmp_path: Path) -> None:
    data.git("worktree", "add", "--quiet", str(tmp_path / "other"), "HEAD~1")
    other = Repo(tmp_path / "other")
    went(other)
    assert files(other) == FIRST
    assert files(data) == SECOND


def test_two_checkouts_of_one_worktree_exclude_each_other(data: Repo) -> None:
    with (
        worktree_lock(opened(data)),
        pytest.raises(Locked, match="this worktree"),
        worktree_lock(opened(data), wait=0.1),
    ):
        pass


def test_a_commit_that_does_not_exist_is_refused(data: Repo) -> None:
    with pytest.raises(Refused, match="nope"):
        went(data, "nope")


def test_an_interrupted_checkout_is_finished_by_repeating_it(
    data: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tallystick.git.plumbing.Git.checkout", stop)
        with pytest.raises(KeyboardInterrupt):
            went(data, "HEAD~1")
    assert files(data) == SECOND
    with monkeypatch.context() as patched:
        patched.setattr("tallystick.flows.checkout.place", stop)
        with pytest.raises(KeyboardInterrupt):
            went(data, "HEAD~1")
    went(data)
    assert files(data) == FIRST


def test_a_pointer_that_leads_out_of_the_worktree_writes_nothing(data: Repo, tmp_path: Path) -> None:
    text = data.read("extra.tally").decode().replace("path: extra", "path: ../escaped")
    data.write("extra.tally", text)
    data.commit("Evil")
    with pytest.raises(TallyError):
        went(data)
    assert not (tmp_path / "escaped").exists()
    assert not (data.path.parent / "escaped").exists()


@pytest.fixture
def known(data: Repo, tally: Tally) -> Repo:
    """The same after a while: the stat cache knows every file, none of them is young any more."""
    time.sleep(0.02)
    tally("status")
    cache = opened(data).worktree.load("data.tally")
    assert cache.files
    assert cache.files.newest < cache.stamp
    return data


def test_what_a_switch_writes_is_told_by_both_lists_and_remembered(
    known: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "wanted_entries", None)
    (first, *_) = checkout(opened(known), "HEAD~1", ["data"]).paths
    assert (first.path, first.written, first.removed) == ("data", 1, 1)
    assert {name: text for name, text in files(known).items() if name.startswith("data")} == {
        name: text for name, text in FIRST.items() if name.startswith("data")
    }
    project = opened(known)
    scan = project.worktree.scan("data")
    assert scan is not None
    known_now = project.worktree.known(scan, project.worktree.load("data.tally"))
    assert known_now.digest == tracked_in_worktree(project, ["data"])[0].pointer.digest


def test_a_change_beside_what_a_switch_writes_is_not_lost(known: Repo) -> None:
    known.write("data/2", "changed")
    with pytest.raises(WouldLoseChanges, match="data/2"):
        went(known, "HEAD~1")
    assert files(known) == {**SECOND, "data/2": "changed"}


def test_edited_files_come_back_without_an_entry_for_each_of_the_others(
    known: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.write("data/2", "changed")
    known.write("data/new", "nobody has it")
    (known.path / "data/3").chmod(0o755)
    monkeypatch.setattr(placing, "wanted_entries", None)
    (first, *_) = checkout(opened(known), None, ["data"], force=True).paths
    assert (first.path, first.written, first.removed) == ("data", 1, 1)
    assert files(known) == SECOND
    assert not (known.path / "data/3").stat().st_mode & 0o111
    project = opened(known)
    (tracked,) = tracked_in_worktree(project, ["data"])
    assert project.worktree.load("data.tally").digest == tracked.pointer.digest


def test_a_folder_with_a_name_that_no_list_holds_is_set_right_all_the_same(known: Repo) -> None:
    known.write("data/odd:name", "nobody has it")
    with pytest.raises(WouldLoseChanges, match="odd:name"):
        went(known)
    went(known, force=True)
    assert files(known) == SECOND
