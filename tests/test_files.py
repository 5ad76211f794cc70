"""Files that appear whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from tallystick import files
from tallystick.errors import DiskFull, Locked, TallyError
from tallystick.files import write_all


def test_a_file_that_could_not_be_finished_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def half() -> None:
        with files.atomic_file(target) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_finished_file_replaces_the_old_one_with_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    files.write_atomic(target, b"one")
    files.write_atomic(target, b"two", 0o600)
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(target.parent) == ["file"]


def test_an_fsync_that_fails_condemns_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(TallyError, match="Input/output error"):
        files.write_atomic(tmp_path / "file", b"data")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskFull, match="no room"):
        files.write_atomic(tmp_path / "file", b"data")


def test_an_exclusive_file_never_replaces_another(tmp_path: Path) -> None:
    target = tmp_path / "file"
    assert files.create_exclusive(target, b"first")
    assert not files.create_exclusive(target, b"second")
    assert target.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["file"]


def test_a_symlink_under_the_name_is_replaced_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    link = tmp_path / "link"
    link.symlink_to(outside)
    files.write_atomic(link, b"mine")
    assert outside.read_bytes() == b"precious"
    assert not link.is_symlink()


def take(path: Path) -> None:
    with files.lock(path, what="the store", wait=0):
        pass


def test_a_lock_that_is_held_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with files.lock(path, what="the store"), pytest.raises(Locked, match=f"process {os.getpid()}"):
        take(path)
    take(path)


def test_a_copy_has_the_same_bytes(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(3_000_000))
    with source.open("rb") as reader, copy.open("wb") as writer:
        files.copy_bytes(reader.fileno(), writer.fileno())
    assert copy.read_bytes() == source.read_bytes()


def test_many_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    wanted = {tmp_path / f"{number % 3}/{number}": str(number).encode() for number in range(150)}
    write_all(wanted)
    assert {path: path.read_bytes() for path in wanted} == wanted
    taken = tmp_path / "0/taken"
    taken.mkdir()
    with pytest.raises(TallyError):
        write_all({tmp_path / "0/new": b"1", taken: b"2"})
    assert not [name for name in os.listdir(tmp_path / "0") if name.startswith(".tally-")]
