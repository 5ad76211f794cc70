"""Adding many files at once: each is read as it was looked at, or looked at again."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tallystick.digest import Digest, fingerprint
from tallystick.errors import Refused, TallyError
from tallystick.store import LocalStore, writer
from tallystick.store.pack import LARGE
from tests.store.conftest import again

Looked = tuple[bytes, int, int, int, int]

CONTENTS = {"empty": b"", "one": b"1", "same": b"1", "edge": bytes(LARGE - 1), "large": os.urandom(LARGE + 1)}


def looked(path: Path) -> Looked:
    status = path.stat()
    return os.fsencode(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, data in CONTENTS.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in CONTENTS]


def added(local: LocalStore, every: Iterator[Looked] | list[Looked]) -> list[tuple[bytes, bytes]]:
    with local.writer() as writing:
        return list(writing.add_files(every))


def test_files_are_stored_and_told_in_turn(local: LocalStore, files: list[Path]) -> None:
    told = added(local, [looked(path) for path in files])
    assert told == [(Digest.of(data), fingerprint(data)) for data in CONTENTS.values()]
    digests = {Digest(digest) for digest, _ in told}
    assert dict(again(local).read_many(digests)) == {Digest.of(data): data for data in CONTENTS.values()}
    assert len(list(local.objects.glob("??/*"))) == 1


def test_only_large_files_tell_of_their_bytes_as_they_pass(local: LocalStore, files: list[Path]) -> None:
    passed: list[int] = []
    with local.writer() as writing:
        list(writing.add_files([looked(path) for path in files], passed.append))
    assert sum(passed) == LARGE + 1
    assert len(passed) > 1


def test_so_many_files_are_read_at_a_time_as_is_asked_for(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / str(number) for number in range(9)]
    for path in paths:
        path.write_text(path.name)
    together = threading.Barrier(3, timeout=60)
    read = writer._read_small

    def meet(file: Looked) -> tuple[bytes, bytes | None]:
        together.wait()
        return read(file)

    monkeypatch.setattr(writer, "_read_small", meet)
    with local.writer() as writing:
        told = list(writing.add_files([looked(path) for path in paths], jobs=3))
    assert [digest for digest, _ in told] == [Digest.of(path.name.encode()) for path in paths]


def test_files_that_are_here_already_are_not_stored_again(local: LocalStore, files: list[Path]) -> None:
    first = added(local, [looked(path) for path in files])
    before = sorted(local.root.rglob("*"))
    assert added(again(local), [looked(path) for path in files]) == first
    assert sorted(local.root.rglob("*")) == before


@pytest.mark.parametrize("data", [b"2", b"longer than it was", b"", bytes(LARGE + 5)])
def test_a_file_that_changed_since_the_look_is_stored_as_it_is(
    local: LocalStore, files: list[Path], data: bytes
) -> None:
    looks = [looked(path) for path in files]
    files[1].write_bytes(data)
    told = added(local, looks)
    assert told[1] == (Digest.of(data), fingerprint(data))
    assert again(local).read(Digest.of(data)) == data


def test_a_file_replaced_by_one_that_looks_alike_is_read_again(
    local: LocalStore, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [looked(path) for path in files]
    before, other = files[1].stat(), files[1].with_name("other")
    other.write_bytes(b"2")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(files[1])
    asked: list[object] = []
    add_file = writer.Writer.add_file
    monkeypatch.setattr(writer.Writer, "add_file", lambda *words: asked.append(words[1]) or add_file(*words))
    assert added(local, looks)[1] == (Digest.of(b"2"), fingerprint(b"2"))
    assert asked == [looks[1][0], looks[4][0]]


@pytest.mark.parametrize(
    "spoil",
    [Path.unlink, lambda path: (path.unlink(), path.mkdir()), lambda path: (path.unlink(), os.mkfifo(path))],
)
def test_what_is_gone_or_no_file_any_more_is_an_error_that_names_it(
    local: LocalStore, files: list[Path], spoil: Callable[[Path], object]
) -> None:
    looks = [looked(path) for path in files]
    spoil(files[1])
    with pytest.raises(TallyError, match="one"):
        added(local, looks)
    assert again(local).contains(Digest.of(b"")), "what came before it is kept"


def test_a_link_in_the_place_of_a_file_is_not_followed(local: LocalStore, files: list[Path]) -> None:
    looks = [looked(path) for path in files]
    files[1].unlink()
    files[1].symlink_to(files[2])
    with pytest.raises(TallyError):
        added(local, looks)


def test_a_small_file_that_keeps_changing_is_refused(
    local: LocalStore, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [looked(files[1])]
    read = os.read

    def read_and_change(descriptor: int, count: int) -> bytes:
        data = read(descriptor, count)
        with files[1].open("ab") as file:
            file.write(b"more")
        return data

    monkeypatch.setattr(writer.os, "read", read_and_change)
    with pytest.raises(Refused, match="changed while it was read"):
        added(local, looks)


def test_files_are_drawn_one_by_one_so_that_a_million_need_no_list(
    local: LocalStore, files: list[Path]
) -> None:
    drawn: list[bytes] = []

    def looks() -> Iterator[Looked]:
        for path in files:
            drawn.append(os.fsencode(path.name))
            yield looked(path)

    with local.writer() as writing:
        told = writing.add_files(looks())
        next(told)
        assert drawn == [b"empty"]
        assert len(list(told)) == 4
