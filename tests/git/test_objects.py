"""Reading history through a running git."""

import os
from collections.abc import Iterator

import pytest

from tallystick.errors import GitFailed, Refused
from tallystick.git.objects import Objects
from tallystick.git.plumbing import Git
from tests.sandbox import Repo


@pytest.fixture
def objects(repo: Repo) -> Iterator[Objects]:
    repo.write("a b.txt", "with a space")
    repo.write("new\nline", "with a line break")
    repo.write("ünï/x", "deep")
    repo.write("empty", "")
    repo.write(os.fsdecode(b"\xff"), "not UTF-8")
    repo.commit("Second commit: with a colon")
    with Objects(Git.discover(repo.path)) as opened:
        yield opened


def test_commits_come_newest_first_with_what_people_see(repo: Repo, objects: Objects) -> None:
    second, first = objects.commits()
    assert second.subject == "Second commit: with a colon"
    assert second.parents == (first.id,)
    assert first.parents == ()
    assert second.author == "Ada Lovelace <ada@example.org>"
    assert second.time == int(repo.git("log", "-1", "--format=%ct"))


def test_ranges_and_counts_limit_the_commits(objects: Objects) -> None:
    assert len(objects.commits("HEAD", 1)) == 1
    assert len(objects.commits("HEAD~1..HEAD")) == 1
    assert len(objects.commits(["HEAD", "HEAD~1"])) == 2


def test_unknown_and_hostile_revisions_are_errors(objects: Objects) -> None:
    with pytest.raises(GitFailed):
        objects.commits("nope")
    with pytest.raises(Refused):
        objects.commits("--output=x")
    with pytest.raises(Refused):
        objects.read("--textconv", "x")


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a b.txt", b"with a space"),
        ("new\nline", b"with a line break"),
        ("ünï/x", b"deep"),
        ("empty", b""),
        (os.fsdecode(b"\xff"), b"not UTF-8"),
        ("nope", None),
        ("no pe at all", None),
        ("new\nnope", None),
        ("ünï", None),
    ],
)
def test_files_are_read_whatever_their_names(objects: Objects, path: str, data: bytes | None) -> None:
    assert objects.read("HEAD", path) == data


def test_many_are_read_at_once_and_missing_ones_left_out(objects: Objects) -> None:
    assert objects.read_many("HEAD", ["empty", "nope", "ünï/x"]) == {"empty": b"", "ünï/x": b"deep"}


def test_what_is_larger_than_a_record_is_not_read(objects: Objects) -> None:
    assert objects.read("HEAD", "a b.txt", limit=3) is None


def test_an_unknown_commit_has_no_files(objects: Objects) -> None:
    assert objects.read("f" * 40, "empty") is None


def test_the_id_of_a_file_is_gits(repo: Repo, objects: Objects) -> None:
    for path in ("empty", "new\nline"):
        blob = objects.blob("HEAD", path)
        assert blob is not None
        assert blob.oid == repo.git("rev-parse", f"HEAD:{path}")
