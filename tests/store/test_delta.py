"""Fetching another version of a large file moves what changed, and believes nothing that lies here."""

import random
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.store import LocalStore, RemoteStore, chunker, transfer
from tallystick.store.chunker import SMALLEST_AVERAGE
from tests.store.conftest import again
from tests.store.meddling import Meddled, unmeddled

OLD = random.Random(5).randbytes(24_000_000)
NEW = OLD[:9_000_000] + b"!" + OLD[9_000_000:]


@pytest.fixture
def meddled(shelf: RemoteStore) -> Meddled:
    shelf.backend = Meddled(shelf.backend)
    return shelf.backend


def stored(store: LocalStore, *contents: bytes) -> list[Digest]:
    with store.writer() as writer:
        return [writer.add(data) for data in contents]


def clone_with_old(local: LocalStore, shelf: RemoteStore, tmp_path: Path) -> LocalStore:
    """Both versions are at the remote, the old one in another clone."""
    old, new = stored(local, OLD, NEW)
    transfer.push(again(local), shelf, [old], repository="r")
    transfer.push(again(local), shelf, [new], repository="r")
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([unmeddled(shelf, tmp_path / "its-cache")], clone, [old])
    return clone


def test_one_byte_inserted_moves_one_chunk(local: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    clone = clone_with_old(local, shelf, tmp_path)
    fetched = transfer.fetch([unmeddled(shelf, tmp_path / "its-cache")], clone, [Digest.of(NEW)])
    assert 0 < fetched.received_bytes <= 2 * (256 << 10)
    assert fetched.size == len(NEW)
    assert again(clone).read(Digest.of(NEW)) == NEW


@pytest.mark.parametrize("alike", [True, False])
def test_an_older_version_that_nobody_pushed_helps_too(
    local: LocalStore, shelf: RemoteStore, tmp_path: Path, alike: bool
) -> None:
    (new,) = stored(local, NEW)
    transfer.push(again(local), shelf, [new], repository="r")
    clone = LocalStore(tmp_path / "clone")
    stored(clone, OLD if alike else OLD[:12_000_000])
    fetched = transfer.fetch([unmeddled(shelf, tmp_path / "its-cache")], clone, [new])
    assert fetched.size == len(NEW)
    assert (fetched.received_bytes <= 2 * (256 << 10)) is alike, "what has half the size is another file"
    assert again(clone).read(new) == NEW


def test_an_older_version_that_was_altered_is_not_believed(
    local: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    clone = clone_with_old(local, shelf, tmp_path)
    path = clone.object_path(Digest.of(OLD))
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(OLD[:3_000_000] + bytes(6_000_000) + OLD[9_000_000:-1_000_000])
    fetched = transfer.fetch([unmeddled(shelf, tmp_path / "its-cache")], clone, [Digest.of(NEW)])
    assert 6_000_000 < fetched.received_bytes < 9_000_000
    assert again(clone).read(Digest.of(NEW)) == NEW


def test_a_file_full_of_zeros_takes_few_requests(
    local: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    zeros = bytes(40_000_000)
    (digest,) = stored(local, zeros)
    transfer.push(again(local), shelf, [digest], repository="r")
    meddled.requests.clear()
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([shelf], clone, [digest])
    assert len([request for request in meddled.requests if request.startswith("get packs/")]) < 10
    assert again(clone).read(digest) == zeros


def test_a_file_that_outgrows_its_average_shares_chunks_with_its_former_version(
    local: LocalStore, shelf: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.store.chunker.CHUNKS_WANTED", len(OLD) // SMALLEST_AVERAGE)
    at_most = SMALLEST_AVERAGE * chunker.CHUNKS_WANTED
    old, new = stored(local, OLD[:at_most], NEW[: at_most + 1])
    assert chunker.average(at_most) < chunker.average(at_most + 1)
    transfer.push(again(local), shelf, [old], repository="r")
    sent = transfer.push(again(local), shelf, [new], repository="r")
    assert 0 < sent.sent_bytes <= 2 * (256 << 10)
    clone = LocalStore(tmp_path / "clone")
    stored(clone, OLD[:at_most])
    fetched = transfer.fetch([unmeddled(shelf, tmp_path / "its-cache")], clone, [new])
    assert fetched.received_bytes <= 2 * (256 << 10)
    assert again(clone).read(new) == NEW[: at_most + 1]
