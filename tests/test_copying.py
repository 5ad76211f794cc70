import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallystick.copying import copy_hashed
from tallystick.digest import PIECE, hash_file


@contextmanager
def _opened(source: Path, target: str | Path) -> Iterator[tuple[int, int]]:
    reading = os.open(source, os.O_RDONLY)
    writing = os.open(target, os.O_WRONLY | os.O_CREAT, 0o644)
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
