"""Looking at many touched files by several processes: the same answer as one by one."""

import os
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick import crew
from tallystick.digest import SMALL, Digest, fingerprint
from tallystick.progress import Silent
from tallystick.worktree import Worktree, looking
from tests.worktree.house import make
from tests.worktree.test_statcache import POINTER, look, settle, to_hash

FILES = {f"{folder}/f{number:02}": b"%d" % number * number for folder in "abc" for number in range(20)}
EVERY = FILES | {
    "a/x/deep": b"1",
    "large": bytes(SMALL),
    "larger": bytes(17 << 20),
    "link": "large",
    "none": b"",
}


class Counted(Silent):
    """Progress that adds up what it hears of."""

    def __init__(self) -> None:
        self.begun = (0, 0)
        self.steps: list[tuple[int, int]] = []

    def begin(self, _what: str, *, files: int = 0, size: int = 0) -> None:
        self.begun = (files, size)

    def advance(self, files: int = 0, size: int = 0) -> None:
        self.steps.append((files, size))


@pytest.fixture(params=["alone", "helped", "in vain"])
def helpers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in this process one by one, with two helpers, with two that do not start."""
    monkeypatch.setattr(looking, "ENOUGH", 100_000 if request.param == "alone" else 1)
    monkeypatch.setattr(looking, "_TASK_FILES", 7)
    monkeypatch.setattr(crew, "helpers", lambda: 2)
    if request.param == "in vain":
        monkeypatch.setattr(looking, "_MODULE", "tallystick.nowhere")


@pytest.fixture
def touched(worktree: Worktree) -> Path:
    """A folder that is remembered, and all its files touched since."""
    data = worktree.root / "data"
    make(data, EVERY)
    settle(worktree)
    for name, content in EVERY.items():
        if isinstance(content, bytes):
            os.utime(data / name)
    return data


@pytest.mark.usefixtures("helpers", "touched")
def test_touched_files_keep_their_digests(worktree: Worktree) -> None:
    known = look(worktree)
    assert (list(known.to_hash), known.stale) == ([], True)
    found = {path: identity.digest for path, identity in known.identities.items()}
    assert found == {name.encode(): Digest.of(os.fsencode(content)) for name, content in EVERY.items()}


@pytest.mark.usefixtures("helpers")
def test_changed_files_are_to_be_hashed(worktree: Worktree, touched: Path) -> None:
    for name in ("a/f03", "b/f00", "large", "larger"):
        before = touched / name
        size = before.stat().st_size
        before.write_bytes(os.urandom(size) if size else b"new")
    assert sorted(to_hash(worktree)) == [b"a/f03", b"b/f00", b"large", b"larger"]


@pytest.mark.usefixtures("helpers")
def test_what_can_not_be_read_any_more_is_to_be_hashed_by_whoever_says_why(
    worktree: Worktree, touched: Path
) -> None:
    scan, cache = worktree.scan("data"), worktree.load(POINTER)
    assert scan is not None
    (touched / "none").unlink()
    (touched / "none").mkdir()
    (touched / "a/f05").unlink()
    (touched / "a/x/deep").unlink()
    (touched / "a/x").rmdir()
    known = worktree.known(scan, cache)
    gone = sorted(scan.files.paths[row] for row in known.to_hash)
    assert gone == [b"a/f05", b"a/x/deep", b"none"]


def test_the_whole_is_known_without_its_list_if_nothing_but_times_changed(
    worktree: Worktree, touched: Path
) -> None:
    scan = worktree.scan("data")
    assert scan is not None
    cache = replace(worktree.load(POINTER), digest=Digest.of(b"the list of all"))
    assert worktree.known(scan, cache).digest == cache.digest
    (touched / "a/f01").write_bytes(b"2")
    assert worktree.known(scan, cache).digest is None


@pytest.mark.parametrize("change", ["mode", "link", "new", "gone"])
def test_the_whole_is_another_if_more_than_times_changed(
    worktree: Worktree, touched: Path, change: str
) -> None:
    cache = replace(worktree.load(POINTER), digest=Digest.of(b"the list of all"))
    if change == "mode":
        (touched / "a/f01").chmod(0o755)
    elif change == "link":
        (touched / "link").unlink()
        (touched / "link").symlink_to("a/f01")
    elif change == "new":
        (touched / "new").write_bytes(b"")
    else:
        (touched / "a/f01").unlink()
    scan = worktree.scan("data")
    assert scan is not None
    assert worktree.known(scan, cache).digest is None


@pytest.mark.usefixtures("helpers")
def test_progress_counts_every_file_and_byte_and_moves_within_large_files(
    worktree: Worktree, touched: Path
) -> None:
    scan, progress = worktree.scan("data"), Counted()
    assert scan is not None
    worktree.known(scan, worktree.load(POINTER), progress)
    files = [path for path in touched.rglob("*") if path.is_file() and not path.is_symlink()]
    total = sum(path.stat().st_size for path in files)
    assert progress.begun == (len(files), total)
    assert sum(count for count, _ in progress.steps) == len(files)
    assert total - len(files) <= sum(size for _, size in progress.steps) <= total
    assert max(size for _, size in progress.steps) <= 1 << 20


def test_a_fingerprint_is_that_of_the_file_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_bytes(b"1")
    (tmp_path / "two").symlink_to("a/one")
    (tmp_path / "three").symlink_to("a")
    paths = [b"a/one", b"three/one", b"two"]
    seen = looking.see(os.fsencode(tmp_path), paths, array("H", [1] * 3), fingerprint(b"1") * 3, Silent())
    assert list(seen) == [looking.SAME, looking.UNSEEN, looking.UNSEEN]
