"""A worktree of the test's own."""

from pathlib import Path

import pytest

from tallystick.worktree import Worktree


@pytest.fixture
def worktree(tmp_path: Path) -> Worktree:
    root = tmp_path / "root"
    root.mkdir()
    return Worktree(root, root / ".git/tally", "main")
