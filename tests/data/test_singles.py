"""Tracked single files, looked at together."""

import os
from pathlib import Path

import pytest

from tallystick.data import hashing
from tallystick.data.singles import untouched
from tallystick.digest import Digest
from tallystick.flows.status import status
from tallystick.worktree import Worktree
from tests.project.house import opened
from tests.sandbox import Repo, Tally

NAMES = ("a", "deep/b", "c")


@pytest.fixture
def files(project: Repo, tally: Tally) -> Repo:
    """Three tracked files, written a while ago."""
    for name in NAMES:
        os.utime(project.write(name, name), (1, 1))
    tally("add", *NAMES)
    project.commit()
    _wait_for_the_clock(project.path)
    return project


def _wait_for_the_clock(folder: Path) -> None:
    """Until a file that is made now is younger than all others: as if the user had taken a breath."""
    newest = max((folder / name).stat().st_ctime_ns for name in NAMES)
    place = folder / ".git/tick"
    while True:
        place.unlink(missing_ok=True)
        place.touch()
        if place.stat().st_ctime_ns > newest:
            return


def _seen(files: Repo) -> dict[str, Digest]:
    return {path: held.digest for path, held in untouched(opened(files), NAMES).items()}


def test_files_that_nobody_touched_are_known_without_being_read(
    files: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    status(opened(files), variables={})
    monkeypatch.setattr(hashing, "hash_file", None)
    assert _seen(files) == {name: Digest.of(name.encode()) for name in NAMES}
    held = untouched(opened(files), NAMES)["deep/b"]
    assert (held.kind, held.size, held.files, held.executable) == ("file", 6, None, False)
    assert held.blobs == {Digest.of(b"deep/b")}


def test_once_they_were_looked_at_no_stat_cache_of_theirs_is_opened(
    files: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    status(opened(files), variables={})
    monkeypatch.setattr(Worktree, "load", None)
    assert status(opened(files), variables={}).clean


def test_a_change_of_equal_length_and_time_is_left_to_a_closer_look(files: Repo) -> None:
    status(opened(files), variables={})
    before = (files.path / "a").stat()
    files.write("a", "x")
    os.utime(files.path / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert set(_seen(files)) == {"deep/b", "c"}
    assert [path.state for path in status(opened(files), variables={}).paths] == [
        "modified",
        "unchanged",
        "unchanged",
    ]


def test_what_was_touched_is_read_once_whoever_asks(files: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    status(opened(files), variables={})
    files.write("a", "other")
    _wait_for_the_clock(files.path)
    status(opened(files), variables={})
    monkeypatch.setattr(hashing, "hash_file", None)
    assert hashing.look(opened(files), "a") is not None
    assert _seen(files)["a"] == Digest.of(b"other")


def test_what_is_no_file_any_more_is_left_to_a_closer_look(files: Repo) -> None:
    status(opened(files), variables={})
    (files.path / "a").unlink()
    (files.path / "a").symlink_to("c")
    (files.path / "c").unlink()
    (files.path / "c").mkdir()
    (files.path / "deep/.git").mkdir()
    assert _seen(files) == {}
    told = {path.path: path.state for path in status(opened(files), variables={}).paths}
    assert told == {"a": "untrackable", "deep/b": "untrackable", "c": "modified"}
