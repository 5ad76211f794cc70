"""A push that was done before is over at once, but only while all that it left is there."""

from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.records import tombstone
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store import settled as notes
from tests.store.conftest import again, fill
from tests.store.meddling import CONTENT, unmeddled

ROOTS = sorted(CONTENT)[:2]
COMMIT = "ab" * 20


@pytest.fixture
def pushed(local: LocalStore, shelf: RemoteStore) -> RemoteStore:
    fill(local, CONTENT)
    transfer.push(again(local), shelf, CONTENT, repository="r", commits=[COMMIT], roots=ROOTS)
    return shelf


def settled(remote: RemoteStore, repository: str = "r", commit: str = COMMIT, roots: list[Digest] = ROOTS):
    return transfer.settled(unmeddled(remote), repository=repository, commits=[commit], roots=roots)


def below(remote: RemoteStore, folder: str) -> list[Path]:
    return [path for path in Path(remote.url, folder).rglob("*") if path.is_file()]


def test_the_same_push_again_is_over_at_once(pushed: RemoteStore) -> None:
    found = settled(pushed)
    assert found is not None
    assert (found.blobs, found.size, found.sent_blobs) == (62, 6_060_000, 0)
    assert len(below(pushed, "roots")) == 1


def test_another_push_is_not_taken_for_the_same(pushed: RemoteStore) -> None:
    assert settled(pushed, repository="s") is None
    assert settled(pushed, commit="cd" * 20) is None
    assert settled(pushed, roots=ROOTS[:1]) is None


@pytest.mark.parametrize("folder", ["packs", "index", "roots"])
def test_a_push_that_lost_something_is_not_over(
    pushed: RemoteStore, local: LocalStore, tmp_path: Path, folder: str
) -> None:
    below(pushed, folder)[0].unlink()
    assert settled(pushed) is None
    transfer.push(again(local), unmeddled(pushed), CONTENT, repository="r", commits=[COMMIT], roots=ROOTS)
    assert settled(pushed) is not None
    assert unmeddled(pushed, tmp_path / "fresh").missing(CONTENT) == set()


@pytest.mark.parametrize("folder", ["packs", "index"])
def test_a_file_cut_off_is_not_there(pushed: RemoteStore, folder: str) -> None:
    file = below(pushed, folder)[0]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1])
    assert settled(pushed) is None


def test_a_condemned_pack_does_not_count(pushed: RemoteStore) -> None:
    pack = Digest(bytes.fromhex(below(pushed, "packs")[0].stem))
    data = tombstone.render(tombstone.Tombstone("2026-01-01T00:00:00.000000Z", (pack,)))
    pushed.backend.put_new("tombstones/one.json", data)
    assert settled(pushed) is None


def test_an_old_root_record_is_written_anew(pushed: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_LASTS", -notes._LASTS)
    assert settled(pushed) is None


@pytest.mark.parametrize("text", [b"", bytes(50), b"{}", b"[1]", b'{"push": 1}', b"\xff"])
def test_a_damaged_note_is_none(pushed: RemoteStore, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "cache/settled").write_bytes(text)
    assert settled(pushed) is None
    (tmp_path / "cache/settled").unlink()
    assert settled(pushed) is None
