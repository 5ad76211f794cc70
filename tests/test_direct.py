"""Tests of reading and writing large files past the system's cache."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick import direct, memory
from tallystick.copying import Writing
from tallystick.digest import hash_file, hash_stream

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="only Linux has a way past its cache")

_PAGE = 4096
_SIZES = [0, 1, _PAGE, 5 * _PAGE, 12 * _PAGE, 12 * _PAGE + 7, 40 * _PAGE + 1, 64 * _PAGE]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few pages be large, and nothing be in the cache."""
    monkeypatch.setattr(direct, "ENOUGH", 8 * _PAGE)
    monkeypatch.setattr(direct, "_is_cached", lambda _descriptor, _size: False)


def _write(path: Path, data: bytes, piece: int = 4 * _PAGE) -> None:
    """Write a file piece by piece."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        output = direct.Output(descriptor)
        for begin in range(0, len(data), piece):
            room = memory.room(piece)[: len(data[begin : begin + piece])]
            room[:] = data[begin : begin + piece]
            output.write(room)
    finally:
        os.close(descriptor)


def _read(path: Path, piece: int = 4 * _PAGE) -> bytes:
    descriptor, found = os.open(path, os.O_RDONLY), b""
    try:
        reading, room = direct.Input(descriptor), memory.room(piece)
        while count := reading.readinto(room):
            found += room[:count]
    finally:
        os.close(descriptor)
    return found


@pytest.mark.parametrize("size", _SIZES)
def test_what_is_written_is_read_again(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    _write(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == data
    assert _read(tmp_path / "file") == data
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    assert _read(tmp_path / "file") == data


@pytest.mark.parametrize("size", _SIZES)
def test_pieces_of_any_length_make_the_file(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    try:
        with Writing(descriptor, 4 * _PAGE) as writing:
            for begin in range(0, size, 4999):
                writing.take(data[begin : begin + 4999])
    finally:
        os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == data


def _refusing(call: Callable[[int, object], int]) -> Callable[[int, object], int]:
    """A call that a file system refuses for files past its cache, although it took the flag."""

    def refused(descriptor: int, data: object) -> int:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return call(descriptor, data)

    return refused


@pytest.mark.parametrize("size", _SIZES)
def test_a_file_system_that_has_only_its_cache_is_used_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    data = os.urandom(size)
    monkeypatch.setattr("tallystick.direct.os.write", _refusing(os.write))
    monkeypatch.setattr("tallystick.direct.os.readv", _refusing(os.readv))
    _write(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == data
    assert _read(tmp_path / "file") == data


def test_a_disk_that_takes_only_a_part_is_asked_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, write = os.urandom(40 * _PAGE + 9), os.write
    monkeypatch.setattr("tallystick.direct.os.write", lambda to, part: write(to, part[: _PAGE + 512]))
    _write(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == data


def test_an_error_that_says_something_else_is_not_taken_for_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(16 * _PAGE))
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        output = direct.Output(descriptor)
        with pytest.raises(OSError, match="Bad file descriptor"):
            output.write(memory.room(16 * _PAGE))
    finally:
        os.close(descriptor)


def test_hashes_are_the_same_either_way(tmp_path: Path) -> None:
    data = os.urandom(30 * _PAGE + 11)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb", buffering=0) as file:
        assert hash_file(str(tmp_path / "file")) == hash_stream(file)


def test_a_file_just_written_is_in_the_cache_as_far_as_anybody_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    (tmp_path / "file").write_bytes(bytes(direct.ENOUGH + 1))
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        assert not direct.Input(descriptor).is_direct
    finally:
        os.close(descriptor)
