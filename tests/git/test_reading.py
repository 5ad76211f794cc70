"""Reading trees and blobs at a commit."""

import pytest

from tallystick.errors import BadRecord, Refused
from tallystick.git import reading
from tallystick.git.plumbing import Git
from tests.sandbox import Repo


@pytest.fixture
def git(repo: Repo) -> Git:
    repo.write("d/a.tally", "one")
    repo.write("d/e/b.tally", "two")
    repo.write("x.txt", "three")
    repo.commit()
    return Git.discover(repo.path)


def test_patterns_cross_folders(git: Git) -> None:
    assert [file.path for file in git.list_tree("HEAD", ["*.tally"])] == ["d/a.tally", "d/e/b.tally"]


def test_what_is_not_there_is_left_out(git: Git) -> None:
    assert git.read_at("HEAD", ["x.txt", "nope", "d"]) == {"x.txt": b"three"}
    assert git.read_at("HEAD", []) == {}
    assert git.read_at("HEAD~1", ["x.txt"]) == {}


def test_a_link_is_not_read_as_the_text_of_its_target(repo: Repo, git: Git) -> None:
    (repo.path / "l.tally").symlink_to("x.txt")
    repo.commit()
    assert git.read_at("HEAD", ["l.tally"]) == {}


def test_many_paths_are_read_from_one_listing(repo: Repo, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FEW", 2)
    paths = ["d/a.tally", "d/e/b.tally", "x.txt", "nope"]
    assert git.read_at("HEAD", paths) == {"d/a.tally": b"one", "d/e/b.tally": b"two", "x.txt": b"three"}


def test_a_file_too_large_for_a_record_is_refused_unread(git: Git) -> None:
    with pytest.raises(BadRecord, match=r"x\.txt"):
        git.read_at("HEAD", ["x.txt"], limit=4)


@pytest.mark.parametrize("treeish", ["nope", "-r", "HEAD:x.txt", ""])
def test_what_is_no_tree_is_refused(git: Git, treeish: str) -> None:
    with pytest.raises(Refused):
        git.list_tree(treeish)
    with pytest.raises(Refused):
        git.read_at(treeish, ["x.txt"])


def test_folders_are_listed_one_level_deep(git: Git) -> None:
    listed = git.list_folders("HEAD", [b"d/", b"nope/"])
    assert [(mode, path) for mode, _, path in listed] == [
        (b"100644", b"d/a.tally"),
        (b"040000", b"d/e"),
    ]


def test_blobs_of_any_bytes_are_read_and_missing_ones_left_out(git: Git) -> None:
    contents = [b"", b"\n", b"a\0b\n\xff", b"0" * 40 + b" blob 3\n"]
    oids = [git.write_blob(content) for content in contents]
    assert git.read_blobs([*oids, "0" * 40]) == dict(zip(oids, contents, strict=True))
    assert git.read_blobs([]) == {}
