"""Packs that helper processes send, beside the one that pushes."""

from pathlib import Path

import pytest

from tallystick import crew
from tallystick.digest import Digest
from tallystick.errors import DiskFull, ObjectCorrupt
from tallystick.progress import Progress
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.directory import Directory
from tests.store.conftest import again, blobs, files_below, fill

SETS = [blobs(30, seed=seed) for seed in range(6)]
CONTENT = {digest: data for some in SETS for digest, data in some.items()}


@pytest.fixture(autouse=True)
def one_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.store.outgoing.PACK_SIZE", 50_000)
    monkeypatch.setattr("tallystick.store.crewed.ENOUGH", 1)
    monkeypatch.setattr(crew, "helpers", lambda: 1)


@pytest.fixture
def full(local: LocalStore) -> LocalStore:
    """Six packs."""
    for some in SETS:
        fill(local, some)
    return again(local)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No helper can start."""
    monkeypatch.setattr("tallystick.store.crewed._MODULE", "tallystick.nowhere")


def push(local: LocalStore, remote: RemoteStore) -> transfer.Pushed:
    return transfer.push(local, remote, CONTENT, repository="r")


def assert_all_is_there(shelf: RemoteStore, tmp_path: Path) -> None:
    other = RemoteStore.open(shelf.url, {}, tmp_path / "other")
    assert other.missing(CONTENT) == set()
    assert {digest: other.read(digest) for digest in CONTENT} == CONTENT
    assert not list(shelf.journal.folder.iterdir())
    assert not [name for name in files_below(Path(shelf.url)) if ".tally-" in name]


def test_all_is_sent_once_whoever_sends_it(full: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    pushed = push(full, shelf)
    assert (pushed.sent_blobs, pushed.packs) == (180, 6)
    assert pushed.sent_bytes == sum(path.stat().st_size for path in Path(shelf.url, "packs").rglob("*.pack"))
    assert_all_is_there(shelf, tmp_path)
    assert push(again(full), shelf).packs == 0


def test_progress_ends_at_all_that_there_was_to_send(full: LocalStore, shelf: RemoteStore) -> None:
    shown = Shown()
    transfer.push(full, shelf, CONTENT, repository="r", progress=shown)
    assert (shown.files, shown.size) == (180, 180_000)


class Shown(Progress):
    """Adds up what it is told."""

    files = size = 0

    def advance(self, files: int = 0, size: int = 0) -> None:
        self.files += files
        self.size += size


def test_helpers_send_what_nobody_else_does(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = crew.Crew.wait

    def leave_it_to_them(self: crew.Crew) -> None:
        for helper in self._started:
            assert helper.wait() == 0
        wait(self)

    monkeypatch.setattr(crew.Crew, "tasks", lambda _: iter(()))
    monkeypatch.setattr(crew.Crew, "wait", leave_it_to_them)
    monkeypatch.setattr("tallystick.store.crewed.Sender.send", None)
    assert push(full, shelf).packs == 6
    assert_all_is_there(shelf, tmp_path)


@pytest.mark.usefixtures("alone")
def test_without_helpers_the_caller_sends_all(full: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    assert push(full, shelf).packs == 6
    assert_all_is_there(shelf, tmp_path)


def test_a_pack_that_was_damaged_goes_nowhere_and_its_damaged_blob_is_named(
    full: LocalStore, shelf: RemoteStore
) -> None:
    path = sorted(full.packs.glob("*.pack"))[2]
    data = bytearray(path.read_bytes())
    data[1_500] ^= 1
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(ObjectCorrupt) as caught:
        push(full, shelf)
    (damaged,) = caught.value.digests
    assert damaged in CONTENT
    assert not list(Path(shelf.url, "index").rglob("*.idx"))
    assert not list(Path(shelf.url, "roots").rglob("*"))
    there = [name for name in files_below(Path(shelf.url, "packs")) if name.endswith(".pack")]
    assert len(there) == 5
    fill(again(full), CONTENT)
    # The others were noted, and are not sent again.
    assert push(again(full), shelf).sent_blobs == 30


@pytest.mark.usefixtures("alone")
def test_what_nobody_could_send_is_an_error_and_the_rest_is_not_sent_twice(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, tries = Directory.put_pieces, iter(range(100))

    def full_disk(self: Directory, folder: str, *rest: object) -> bool:
        if folder == "packs" and next(tries) >= 4:
            raise DiskFull("no room left")
        return put(self, folder, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Directory, "put_pieces", full_disk)
        with pytest.raises(DiskFull):
            push(full, shelf)
    assert not list(Path(shelf.url, "index").rglob("*.idx"))
    assert push(again(full), shelf).packs == 2
    assert_all_is_there(shelf, tmp_path)


def test_packs_that_shrink_are_sent_compressed(local: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    texts = [f"{number:04} ".encode() * 2000 for number in range(60)]
    content = {Digest.of(text): text for text in texts}
    fill(local, content)
    pushed = transfer.push(again(local), shelf, content, repository="r")
    assert pushed.sent_blobs == 60
    assert pushed.sent_bytes < sum(map(len, texts)) // 4
    other = RemoteStore.open(shelf.url, {}, tmp_path / "other")
    assert {digest: other.read(digest) for digest in content} == content
