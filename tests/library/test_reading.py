"""Files of a project, read by programs as any commit holds them."""

import os
import shutil
from pathlib import Path

import pytest

import tallystick
from tallystick.errors import ObjectMissing, Refused, WrongUsage
from tests.sandbox import Repo, Tally


@pytest.fixture
def versions(project: Repo, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A project of two commits, in its folder."""
    for number in ("one", "two"):
        project.write("data/labels.csv", f"{number}\n")
        project.write("data/images/a.bin", number.encode() * 3)
        project.write("notes.txt", f"{number}, kept by git\n")
        tally("add", "data/labels.csv", "data/images")
        project.commit(number)
    monkeypatch.chdir(project.path)
    return project


def test_a_tracked_file_is_read_as_each_commit_has_it(versions: Repo) -> None:
    assert tallystick.read_text("data/labels.csv") == "two\n"
    assert tallystick.read_text("data/labels.csv", rev="HEAD~1") == "one\n"
    assert tallystick.read_bytes("data/images/a.bin", rev="HEAD~1") == b"oneoneone"


def test_a_file_is_opened_as_text_or_as_bytes(versions: Repo) -> None:
    with tallystick.open("data/labels.csv", rev="HEAD~1") as text:
        assert text.readlines() == ["one\n"]
    with tallystick.open("data/labels.csv", "rb") as data:
        assert data.read(2) == b"tw"


def test_a_file_that_git_keeps_is_read_in_the_same_way(versions: Repo) -> None:
    assert tallystick.read_text("notes.txt", rev="HEAD~1") == "one, kept by git\n"
    assert tallystick.read_text("notes.txt") == "two, kept by git\n"


def test_paths_are_relative_to_the_current_folder_or_to_the_repo(
    versions: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(versions.path / "data")
    assert tallystick.read_text("labels.csv") == "two\n"
    monkeypatch.chdir(tmp_path)
    assert tallystick.read_text("data/labels.csv", repo=versions.path) == "two\n"


def test_an_edit_that_was_not_added_is_not_what_is_recorded(versions: Repo) -> None:
    versions.write("data/labels.csv", "edited\n")
    assert tallystick.read_text("data/labels.csv") == "two\n"


def test_what_the_local_store_lacks_comes_from_the_remote(
    versions: Repo, tally: Tally, remote: Path, tmp_path: Path
) -> None:
    tally("push")
    shutil.rmtree(versions.path / ".git/tally/packs")
    assert tallystick.read_text("data/labels.csv", rev="HEAD~2") == "one\n"


def test_what_nobody_has_is_missing_by_name(versions: Repo) -> None:
    shutil.rmtree(versions.path / ".git/tally/packs")
    with pytest.raises(ObjectMissing, match=r"data/labels\.csv"):
        tallystick.read_bytes("data/labels.csv")


@pytest.mark.parametrize(
    ("path", "why"), [("data/images", "folder"), ("nowhere", "not tracked"), ("../x", "outside")]
)
def test_what_is_no_file_of_the_project_is_refused(versions: Repo, path: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        tallystick.open(path)


def test_the_past_can_only_be_read(versions: Repo) -> None:
    with pytest.raises(WrongUsage, match="mode `w`"):
        tallystick.open("data/labels.csv", "w")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute `nothing`"):
        _ = tallystick.nothing
    assert os.path.exists(os.path.join(os.path.dirname(tallystick.__file__), "py.typed"))
