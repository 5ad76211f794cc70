"""Reading files without a note of it."""

import os
from pathlib import Path

import pytest

from tallystick.digest import fingerprint_file, hash_file
from tallystick.unnoted import UNNOTED, opened


def test_a_file_that_was_read_does_not_look_so(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1")
    os.utime(file, ns=(1, file.stat().st_mtime_ns))
    hash_file(str(file))
    fingerprint_file(str(file))
    assert file.stat().st_atime_ns == 1


def test_a_file_of_somebody_else_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        if flags & UNNOTED:
            raise PermissionError("not yours")
        return os_open(path, flags, dir_fd=dir_fd)

    (tmp_path / "file").write_bytes(b"1")
    os_open = os.open
    folder = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(os, "open", refuse)
    with open(opened("file", os.O_RDONLY, folder), "rb") as file:
        assert file.read() == b"1"
    os.close(folder)


def test_what_is_not_there_or_not_to_be_read_is_an_error_as_ever(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        opened(str(tmp_path / "nothing"), os.O_RDONLY)
