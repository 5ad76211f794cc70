"""Which pointers a target means."""

import os

import pytest

from tallystick.data.tracked import (
    Malformed,
    Tracked,
    found_in,
    owner_of,
    pointers_of,
    read_pointer,
    select,
    tracked_at,
    tracked_in_worktree,
)
from tallystick.digest import Digest
from tallystick.errors import BadRecord, Refused
from tests.project.house import opened
from tests.sandbox import Repo


def pointer(name: str, kind: str = "file") -> str:
    files = "files: 1\n" if kind == "tree" else ""
    return f"tally: 1\npath: {name}\nkind: {kind}\ndigest: {Digest.of(name.encode())}\nsize: 1\n{files}"


@pytest.fixture
def data(project: Repo) -> Repo:
    project.write("data/images.tally", pointer("images", "tree"))
    project.write("data/labels.csv.tally", pointer("labels.csv"))
    project.write("model.bin.tally", pointer("model.bin"))
    return project


def paths(repo: Repo, *targets: str, commit: str | None = None) -> list[str]:
    return [one.tracked.path for one in select(pointers_of(opened(repo), commit), targets)]


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        (".", ["data/images", "data/labels.csv", "model.bin"]),
        ("data", ["data/images", "data/labels.csv"]),
        ("data/", ["data/images", "data/labels.csv"]),
        ("data/labels.csv", ["data/labels.csv"]),
        ("data/labels.csv.tally", ["data/labels.csv"]),
        ("data/images/a/b.png", ["data/images"]),
    ],
)
def test_a_target_means_a_path_its_pointer_or_what_a_folder_holds(
    data: Repo, target: str, meant: list[str]
) -> None:
    assert paths(data, target) == meant
    commit = data.commit()
    assert paths(data, target, commit=commit) == meant


def test_no_target_means_everything(data: Repo) -> None:
    assert len(paths(data)) == 3


def test_a_path_inside_a_tracked_folder_means_only_that_part(data: Repo) -> None:
    (part,) = select(pointers_of(opened(data)), ["data/images/a"])
    assert part.parts == (b"a",)
    assert part.covers(b"a")
    assert part.covers(b"a/b.png")
    assert not part.covers(b"ab.png")


def test_parts_of_one_folder_are_joined_and_the_whole_wins(data: Repo) -> None:
    pointers = pointers_of(opened(data))
    (both,) = select(pointers, ["data/images/a", "data/images/b"])
    assert both.parts == (b"a", b"b")
    (whole,) = select(pointers, ["data/images/a", "data/images"])
    assert whole.parts == ()


@pytest.mark.parametrize("target", ["nothing", "model.bin/part", "images"])
def test_a_target_that_means_nothing_is_refused(data: Repo, target: str) -> None:
    with pytest.raises(Refused, match="not tracked"):
        paths(data, target)


def test_the_worktree_and_a_commit_are_read_apart(data: Repo) -> None:
    commit = data.commit()
    (data.path / "model.bin.tally").unlink()
    project = opened(data)
    assert [one.path for one in tracked_in_worktree(project)] == ["data/images", "data/labels.csv"]
    assert [one.path for one in tracked_at(project, commit)] == [
        "data/images",
        "data/labels.csv",
        "model.bin",
    ]


def test_a_pointer_that_git_does_not_know_yet_counts(project: Repo) -> None:
    project.write("new.bin.tally", pointer("new.bin"))
    assert paths(project) == ["new.bin"]


def test_a_malformed_pointer_that_is_meant_is_an_error_that_names_it(data: Repo) -> None:
    data.write("model.bin.tally", "tally: 1\n")
    with pytest.raises(BadRecord, match=r"model\.bin\.tally"):
        paths(data)
    assert paths(data, "data") == ["data/images", "data/labels.csv"]


def test_a_malformed_pointer_of_a_commit_is_named_with_the_commit(data: Repo) -> None:
    data.write("model.bin.tally", "")
    commit = data.commit()
    with pytest.raises(BadRecord, match=rf"{commit[:10]}:model\.bin\.tally"):
        tracked_at(opened(data), commit)


def test_status_and_check_see_malformed_pointers_beside_the_others(data: Repo) -> None:
    data.write("data/labels.csv.tally", "<<<<<<< HEAD\n")
    found = found_in(opened(data))
    assert [type(one) for one in found] == [Tracked, Malformed, Tracked]
    assert [type(one) for one in found_in(opened(data), ["data/labels.csv"])] == [Malformed]


def test_a_pointer_stands_beside_what_it_names(project: Repo) -> None:
    with pytest.raises(BadRecord, match="names `other`"):
        read_pointer(pointer("other").encode(), "data/model.bin.tally")


def test_a_pointer_that_is_a_link_is_not_followed(project: Repo) -> None:
    project.write("elsewhere", pointer("model.bin"))
    os.symlink("elsewhere", project.path / "model.bin.tally")
    with pytest.raises(BadRecord, match=r"model\.bin\.tally"):
        paths(project)


def test_a_folder_named_like_a_pointer_is_none(project: Repo) -> None:
    project.write("data.tally/file", "x")
    assert paths(project) == []
    assert pointers_of(opened(project)).at("data") is None


def test_the_nearest_tracked_folder_owns_a_path(data: Repo) -> None:
    pointers = pointers_of(opened(data))
    owner = owner_of(pointers, "data/images/a/b")
    assert owner is not None
    assert owner.path == "data/images"
    assert owner_of(pointers, "data/other/a") is None
