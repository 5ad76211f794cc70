"""How a folder writes large files."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.store.directory import Directory

MIB = 1 << 20
PIECES = [os.urandom(2 * MIB + 100), os.urandom(2 * MIB), os.urandom(5 * MIB), b"end"]


def put(folder: Path, pieces: Iterator[bytes] | list[bytes]) -> bytes:
    """Write a file of some pieces; give what is in it then."""
    folder.mkdir(exist_ok=True)
    assert Directory(folder).put_pieces("packs", pieces, lambda: "one")
    return (folder / "packs" / "one").read_bytes()


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system takes no advice")
def test_the_disk_begins_with_a_large_file_before_its_last_pieces_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    seen: list[int] = []

    def advise(_descriptor: int, start: int, size: int, _advice: int) -> None:
        told.append((start, size))

    def pieces() -> Iterator[bytes]:
        for piece in PIECES:
            seen.append(sum(size for _, size in told))
            yield piece

    monkeypatch.setattr(os, "posix_fadvise", advise)
    assert put(tmp_path, pieces()) == b"".join(PIECES)
    assert seen[0] == 0
    assert seen[1] == 2 * MIB, "all whole pages of the first piece"
    assert seen == sorted(seen)
    # Whole pages, each once.
    assert all(start % 4096 == size % 4096 == 0 for start, size in told)
    assert [start for start, _ in told[1:]] == [start + size for start, size in told[:-1]]


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system takes no advice")
def test_of_a_small_file_the_disk_hears_at_the_end_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fadvise", None)
    assert put(tmp_path, [b"small", b"pieces"]) == b"smallpieces"


def test_a_system_that_takes_no_advice_syncs_all_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def refuse(*_arguments: object) -> None:
        raise OSError("not here")

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        sync(descriptor)

    monkeypatch.setattr(os, "posix_fadvise", refuse, raising=False)
    monkeypatch.setattr(os, "fsync", fsync)
    assert put(tmp_path, PIECES) == b"".join(PIECES)
    assert sum(map(len, PIECES)) in synced
    monkeypatch.delattr(os, "posix_fadvise")
    assert put(tmp_path / "other", PIECES) == b"".join(PIECES)
