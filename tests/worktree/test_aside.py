"""Moving things out of the way, and back."""

import os
from pathlib import Path

import pytest

from tallystick.errors import BadRecord, Refused
from tallystick.worktree import Worktree
from tests.worktree.house import entries, make, seen

FILES = {"a": b"1", "l": "a", "e": None}


def test_a_folder_moves_away_and_comes_back_with_its_parents(worktree: Worktree) -> None:
    make(worktree.root / "out/data", FILES)
    moved = worktree.move_aside("out/data")
    assert moved is not None
    assert not (worktree.root / "out/data").exists()
    assert worktree.asides() == [moved]
    (worktree.root / "out").rmdir()
    assert worktree.restore(moved)
    assert seen(worktree, "out/data") == entries(FILES)
    assert worktree.asides() == []


def test_what_the_command_wrote_is_not_overwritten(worktree: Worktree) -> None:
    (worktree.root / "f").write_bytes(b"old")
    moved = worktree.move_aside("f")
    assert moved is not None
    (worktree.root / "f").write_bytes(b"new")
    assert not worktree.restore(moved)
    assert (worktree.root / "f").read_bytes() == b"new"
    assert moved.content.read_bytes() == b"old"
    worktree.discard(moved)
    assert worktree.asides() == []


def test_nothing_to_move_is_none(worktree: Worktree) -> None:
    assert worktree.move_aside("nope") is None
    assert worktree.move_aside("no/pe") is None
    assert worktree.asides() == []


def test_a_link_moves_as_a_link(worktree: Worktree) -> None:
    (worktree.root / "l").symlink_to("nowhere")
    moved = worktree.move_aside("l")
    assert moved is not None
    assert worktree.restore(moved)
    assert os.readlink(worktree.root / "l") == "nowhere"


def test_a_killed_process_leaves_word_of_where_things_belong(worktree: Worktree) -> None:
    make(worktree.root / "data", {"new\nline": b"1"})
    worktree.move_aside("data")
    (found,) = Worktree(worktree.root, worktree.home, "main").asides()
    assert found.path == "data"
    assert worktree.restore(found)
    assert seen(worktree, "data") == entries({"new\nline": b"1"})


def test_nothing_is_moved_from_or_to_beyond_a_link(worktree: Worktree, tmp_path: Path) -> None:
    make(tmp_path / "outside", {"precious": b"1"})
    (worktree.root / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused):
        worktree.move_aside("linked/precious")
    with pytest.raises(BadRecord):
        worktree.move_aside("../outside/precious")
    make(worktree.root / "out", {"f": b"1"})
    moved = worktree.move_aside("out/f")
    assert moved is not None
    (worktree.root / "out").rmdir()
    (worktree.root / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused):
        worktree.restore(moved)
    assert os.listdir(tmp_path / "outside") == ["precious"]
