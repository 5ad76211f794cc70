"""Seeing what stands at a path."""

import os
import socket
from pathlib import Path

import pytest

from tallystick.errors import BadRecord, Refused, TallyError
from tallystick.worktree import Worktree
from tallystick.worktree.scan import check_target
from tests.worktree.house import entries, make, seen

ODD = {
    "with space": b"1",
    "new\nline": b"2",
    "ünï\u0301": b"3",
    os.fsdecode(b"\xff\xfe"): b"4",
    "%41": b"5",
    "-dash": b"6",
    "a:b": b"7",
}


def test_files_links_bits_and_empty_folders_are_seen(worktree: Worktree) -> None:
    files = {"a": b"1", "run*": b"2", "d/e/f": b"", "l": "d/e/f", "d/up": "../a", "empty/inner": None}
    make(worktree.root / "data", files)
    assert seen(worktree, "data") == entries(files)


def test_every_name_is_seen_as_its_bytes(worktree: Worktree) -> None:
    make(worktree.root / "data", ODD)
    assert seen(worktree, "data") == entries(ODD)


def test_a_single_file_has_an_empty_path(worktree: Worktree) -> None:
    make(worktree.root / "d", {"f*": b"abc"})
    scan = worktree.scan("d/f")
    assert scan is not None
    assert (scan.kind, [found[:3] for found in scan.files], scan.size) == ("file", [(b"", "x", 3)], 3)
    assert scan.place(scan.files.paths[0]) == os.fsencode(worktree.root / "d/f")


def test_an_empty_folder_is_a_tree_of_nothing(worktree: Worktree) -> None:
    (worktree.root / "data").mkdir()
    assert seen(worktree, "data") == []


@pytest.mark.parametrize("path", ["nope", "no/pe", "a/b"])
def test_nothing_there_is_none(worktree: Worktree, path: str) -> None:
    make(worktree.root / "a", {})
    assert worktree.scan(path) is None


def test_only_a_part_may_be_looked_at(worktree: Worktree) -> None:
    make(worktree.root / "data", {"a/1": b"1", "b/2": b"2"})
    scan = worktree.scan("data")
    assert scan is not None
    assert [found.path for found in scan.part(lambda path: path.startswith(b"b/")).files] == [b"b/2"]


@pytest.mark.parametrize("path", ["", "/etc", "../x", "a/../b", ".git/x", "a//b", "a\0b"])
def test_a_path_that_leads_out_is_refused(worktree: Worktree, path: str) -> None:
    with pytest.raises(BadRecord):
        worktree.scan(path)


def test_a_link_on_the_way_is_refused(worktree: Worktree, tmp_path: Path) -> None:
    make(tmp_path / "outside", {"secret": b"1"})
    (worktree.root / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused, match="link"):
        worktree.scan("data/secret")


def test_a_link_itself_is_refused(worktree: Worktree) -> None:
    (worktree.root / "data").symlink_to("elsewhere")
    with pytest.raises(Refused, match="`data` is a symbolic link"):
        worktree.scan("data")


@pytest.mark.parametrize(
    ("path", "target", "fine"),
    [
        ("l", "a", True),
        ("l", "./a/b", True),
        ("d/l", "../a", True),
        ("d/e/l", "../../a", True),
        ("l", "../a", False),
        ("d/l", "../../a", False),
        ("l", "/etc/passwd", False),
        ("d/l", "x/../../a", False),
        ("d/e/l", "x/../a", False),
        ("l", "..", False),
        ("l", "", False),
    ],
)
def test_links_may_lead_anywhere_inside(path: str, target: str, fine: bool) -> None:
    try:
        check_target(path.encode(), target.encode(), "data")
    except Refused:
        assert not fine
    else:
        assert fine


def test_two_links_that_look_inside_but_lead_out_together_are_refused(worktree: Worktree) -> None:
    # `here` leads to its own folder, so that `here/..` is one folder higher than it reads.
    make(worktree.root / "data", {"a/here": ".", "a/out": "here/../../secret"})
    with pytest.raises(Refused, match="out of the folder"):
        worktree.scan("data")


def test_pipes_and_sockets_are_refused_by_name(worktree: Worktree, tmp_path: Path) -> None:
    make(worktree.root / "data", {"a": b"1"})
    os.mkfifo(worktree.root / "data/pipe")
    with pytest.raises(Refused, match="`data/pipe` is a named pipe"):
        worktree.scan("data")
    os.mkfifo(worktree.root / "lonely")
    with pytest.raises(Refused, match="`lonely` is a named pipe"):
        worktree.scan("lonely")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(worktree.root)
        bound.bind("s")
        os.chdir(tmp_path)
        with pytest.raises(Refused, match="a socket"):
            worktree.scan("s")


@pytest.mark.parametrize("inside", [".git/HEAD", "sub/.git/HEAD", "sub/.git"])
def test_another_repository_inside_is_refused(worktree: Worktree, inside: str) -> None:
    make(worktree.root / "data", {inside: b"ref"})
    with pytest.raises(Refused, match="git repository"):
        worktree.scan("data")


def test_a_repository_on_the_way_is_refused(worktree: Worktree) -> None:
    make(worktree.root / "sub", {".git": b"gitdir: elsewhere", "data/a": b"1"})
    with pytest.raises(Refused, match="`sub` is another git repository"):
        worktree.scan("sub/data")


def test_a_pointer_inside_is_refused(worktree: Worktree) -> None:
    make(worktree.root / "data", {"d/x.tally": b"tally: 1"})
    with pytest.raises(Refused, match=r"`data/d/x\.tally` is a pointer"):
        worktree.scan("data")


def test_names_that_only_look_like_gits_are_files(worktree: Worktree) -> None:
    files = {"x.git": b"1", "git": b"2", ".gitignore": b"3", ".tally-notes": b"4"}
    make(worktree.root / "data", files)
    assert seen(worktree, "data") == entries(files)


def test_our_own_unfinished_files_are_not_data(worktree: Worktree) -> None:
    make(worktree.root / "data", {"a": b"1", ".tally-123-0123456789abcdef": b"half"})
    assert seen(worktree, "data") == entries({"a": b"1"})


def test_a_folder_that_can_not_be_read_is_named(worktree: Worktree, monkeypatch: pytest.MonkeyPatch) -> None:
    make(worktree.root / "data", {"locked/a": b"1"})
    listdir = os.listdir

    def refusing(path: object = ".") -> list[str]:
        if isinstance(path, bytes) and path.endswith(b"locked/"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "listdir", refusing)
    with pytest.raises(TallyError, match="`data/locked/` can't be read"):
        worktree.scan("data")
