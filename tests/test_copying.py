import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tallystick import copying
from tallystick.copying import copy_hashed
from tallystick.digest import PIECE, hash_file

Opened = Callable[[Path, Path], AbstractContextManager[tuple[int, int]]]


@contextmanager
def _opened(source: Path, target: str | Path) -> Iterator[tuple[int, int]]:
    reading = os.open(source, os.O_RDONLY)
    writing = os.open(target, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, 7 * PIECE + 5])
def test_a_copy_holds_the_bytes_and_its_hashes_are_the_files(tmp_path: Path, size: int) -> None:
    (tmp_path / "one").write_bytes(os.urandom(size))
    passed: list[int] = []
    with _opened(tmp_path / "one", tmp_path / "two") as (source, target):
        hashed = copy_hashed(source, target, passed.append)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()
    assert hashed == hash_file(str(tmp_path / "one"))
    assert sum(passed) == size
    assert max(passed, default=0) <= PIECE


def test_a_disk_that_takes_no_more_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(5 * PIECE))
    with _opened(tmp_path / "one", "/dev/full") as (source, target), pytest.raises(OSError, match="space"):
        copy_hashed(source, target)


def test_what_the_reader_raises_ends_the_writer(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(5 * PIECE))

    def interrupt(_size: int) -> None:
        raise KeyboardInterrupt

    with _opened(tmp_path / "one", tmp_path / "two") as (source, target), pytest.raises(KeyboardInterrupt):
        copy_hashed(source, target, interrupt)


def _copy(source: int, target: int) -> bool:
    """What sharing blocks comes to."""
    os.pwrite(target, os.pread(source, 1 << 30, 0), 0)
    return True


@contextmanager
def _old(source: Path, target: Path) -> Iterator[tuple[int, int]]:
    """Open a file, and a new one that is younger by the file system's clock."""
    while True:
        with _opened(source, target) as (reading, writing):
            if os.fstat(reading).st_ctime_ns < os.fstat(writing).st_ctime_ns:
                yield reading, writing
                return
        target.unlink()


@contextmanager
def _young(source: Path, target: Path) -> Iterator[tuple[int, int]]:
    """Open a file, and a new one that is no younger."""
    with _opened(source, target) as opened:
        os.utime(source)
        yield opened


@pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 5])
@pytest.mark.parametrize("opened", [_old, _young])
def test_a_clone_holds_what_is_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, opened: Opened
) -> None:
    (tmp_path / "one").write_bytes(os.urandom(size))
    monkeypatch.setattr(copying, "reflink", _copy)
    passed: list[int] = []
    with opened(tmp_path / "one", tmp_path / "two") as (source, target):
        assert copying.clone_hashed(source, target, passed.append) == hash_file(str(tmp_path / "two"))
    assert sum(passed) == size


@pytest.mark.parametrize(("opened", "sealed"), [(_old, False), (_young, True)])
def test_only_the_source_is_read_if_it_has_surely_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened, sealed: bool
) -> None:
    (tmp_path / "one").write_bytes(b"1")
    monkeypatch.setattr(copying, "reflink", lambda *_: True)
    with opened(tmp_path / "one", tmp_path / "two") as (source, target):
        assert copying.clone_hashed(source, target, sealed=sealed) == hash_file(str(tmp_path / "one"))


def test_where_blocks_can_not_be_shared_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").write_bytes(b"1")
    monkeypatch.setattr(copying, "reflink", lambda *_: False)
    with _opened(tmp_path / "one", tmp_path / "two") as (source, target):
        assert copying.clone_hashed(source, target) is None
    assert (tmp_path / "two").read_bytes() == b""


@pytest.mark.parametrize("change", [b"TWO", b"longer than it was", b""])
@pytest.mark.parametrize("opened", [_old, _young])
def test_a_file_that_changes_once_it_is_cloned_does_not_speak_for_the_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bytes, opened: Opened
) -> None:
    place = tmp_path / "one"
    place.write_bytes(b"one")

    def clone(source: int, target: int) -> bool:
        done = _copy(source, target)
        place.write_bytes(change)
        return done

    monkeypatch.setattr(copying, "reflink", clone)
    with opened(place, tmp_path / "two") as (source, target):
        hashed = copying.clone_hashed(source, target)
    assert hashed == hash_file(str(tmp_path / "two"))
    assert hashed is not None
    assert hashed.size == 3
