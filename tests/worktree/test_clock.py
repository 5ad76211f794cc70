"""The file system's own time."""

import os
from pathlib import Path

import pytest

from tallystick.worktree import clock
from tallystick.worktree.clock import Clock


def test_a_time_is_never_later_than_a_file_made_after_it_was_asked(tmp_path: Path) -> None:
    asked = Clock()
    for number in range(20):
        before = asked.before(tmp_path / "cache", str(tmp_path))
        file = tmp_path / str(number)
        file.write_bytes(b"")
        assert before <= file.stat().st_mtime_ns


def test_one_look_serves_many_paths_for_a_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, looks, time = Clock(), 0, 0.0
    opened = os.open

    def count(*arguments: object, **options: object) -> int:
        nonlocal looks
        looks += 1
        return opened(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", count)
    monkeypatch.setattr("time.monotonic", lambda: time)
    for _ in range(100):
        asked.before(tmp_path, str(tmp_path))
    assert looks == 1
    time += 2 * clock.FRESH
    asked.before(tmp_path, str(tmp_path))
    asked.now(tmp_path, str(tmp_path))
    assert looks == 3
