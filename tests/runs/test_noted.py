"""What one command has found out of many files."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.project import Project
from tallystick.records.receipt import Artifact
from tallystick.runs import noted
from tallystick.runs.noted import Noted
from tests.project.house import opened
from tests.sandbox import Repo

PATHS = ["d/a", "d/b", "c"]


@pytest.fixture
def files(project: Repo, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Three files, which are many here."""
    monkeypatch.setattr(noted, "MANY", 3)
    for name in PATHS:
        os.utime(project.write(name, name), (1, 1))
    return opened(project)


def _nothing(_project: Project, _path: str) -> None:
    return None


def _held(known: Noted, files: Project, paths: Sequence[str] = PATHS) -> dict[str, Digest | None]:
    found = known.artifacts(files, paths, _nothing)
    return {path: None if artifact is None else artifact.digest for path, artifact in found.items()}


def _wait(files: Project) -> None:
    """Until a file that is made now is younger than all others."""
    newest = max((files.git.root / name).stat().st_ctime_ns for name in PATHS)
    tick = files.home / "tick"
    while not tick.exists() or tick.stat().st_ctime_ns <= newest:
        tick.unlink(missing_ok=True)
        tick.touch()


def test_many_files_are_looked_at_in_one_go_and_read_once(
    files: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _wait(files)
    known = Noted()
    first = known.look(files, PATHS)
    monkeypatch.setattr(noted, "files_now", None)
    again = known.artifacts(files, PATHS, _nothing)
    assert all(again[path] is first[path] for path in PATHS)
    assert known.artifacts(files, ["d/b"], _nothing) == {"d/b": first["d/b"]}


@pytest.mark.parametrize("paths", [PATHS, ["d/b"]])
def test_a_file_that_changed_since_is_looked_at_anew(files: Project, paths: list[str]) -> None:
    _wait(files)
    known = Noted()
    known.look(files, PATHS)
    before = (place := files.git.root / "d/b").stat()
    place.write_text("d/x")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _held(known, files, paths)["d/b"] == Digest.of(b"d/x")
    place.unlink()
    assert _held(known, files, paths)["d/b"] is None


def test_a_file_as_young_as_the_look_is_not_believed_by_its_times(
    files: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Noted()
    stopped = os.stat(files.git.root / "c").st_ctime_ns
    monkeypatch.setattr(type(files.worktree.clock), "before", lambda *_: stopped)
    known.look(files, PATHS)
    looked: set[str] = set()

    def look(_self: Noted, _project: Project, paths: Sequence[str]) -> dict[str, Artifact]:
        looked.update(paths)
        return {}

    monkeypatch.setattr(Noted, "look", look)
    known.artifacts(files, PATHS, _nothing)
    assert "c" in looked


def test_before_anything_ran_one_look_is_enough(files: Project) -> None:
    known = Noted()
    known.look(files, PATHS)
    known.untouched = True
    for path in PATHS:
        Path(files.git.root, path).unlink()
    assert _held(known, files) == {path: Digest.of(path.encode()) for path in PATHS}
    assert isinstance(known.artifacts(files, ["c"], _nothing)["c"], Artifact)
