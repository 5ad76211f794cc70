"""Fetch: what arrives is what was asked for, or is named."""

import shutil
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import ObjectCorrupt, ObjectMissing, RemoteUnreachable
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.writer import Writer
from tests.store.conftest import again, blobs, fill
from tests.store.meddling import BIG, CONTENT, SMALL, Meddled, push, unmeddled


@pytest.fixture
def meddled(shelf: RemoteStore) -> Meddled:
    shelf.backend = Meddled(shelf.backend)
    return shelf.backend


@pytest.fixture
def full(local: LocalStore) -> LocalStore:
    fill(local, CONTENT)
    return local


def test_a_fetch_takes_only_what_is_missing(full: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    push(full, shelf)
    clone = LocalStore(tmp_path / "clone")
    fill(clone, dict(list(SMALL.items())[:30]))
    fetched = transfer.fetch([shelf], clone, CONTENT)
    assert (fetched.blobs, fetched.size) == (32, 6_030_000)
    assert transfer.fetch([shelf], clone, CONTENT).blobs == 0
    assert transfer.fetch([], clone, CONTENT).blobs == 0


@pytest.mark.parametrize("left_out", [0, 1, 7, 31])
def test_blobs_that_lie_together_are_taken_together_around_what_is_not_wanted(
    local: LocalStore, shelf: RemoteStore, tmp_path: Path, left_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = blobs(32, seed=9)
    fill(local, small)
    transfer.push(again(local), shelf, small, repository="r")
    order = [digest for digest, _ in local.read_many(small)]
    wanted = order[:left_out] + order[left_out + 1 :]
    clone = LocalStore(tmp_path / "clone")
    monkeypatch.setattr(Writer, "put", None)
    assert transfer.fetch([shelf], clone, wanted).size == 31_000
    assert dict(again(clone).read_many(wanted)) == {digest: small[digest] for digest in wanted}
    assert clone.missing(order) == {order[left_out]}


def test_of_blobs_that_came_together_only_the_damaged_are_left_out(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    push(full, shelf)
    shelf.refresh()
    clone = LocalStore(tmp_path / "clone")
    meddled.reading = lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:]
    with pytest.raises(ObjectCorrupt) as caught:
        transfer.fetch([shelf], clone, SMALL)
    assert len(caught.value.digests) == 1
    assert again(clone).missing(SMALL) == set(caught.value.digests)


def test_damaged_bytes_are_never_kept(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    push(full, shelf)
    clone = LocalStore(tmp_path / "clone")
    meddled.reading = lambda data: data[:1000] + bytes(len(data) - 1000)
    shelf.refresh()
    with pytest.raises(ObjectCorrupt) as caught:
        transfer.fetch([shelf], clone, CONTENT)
    assert set(BIG) <= set(caught.value.digests)
    for digest, data in clone.read_many(set(CONTENT) - again(clone).missing(CONTENT)):
        assert CONTENT[digest] == data


def test_what_came_damaged_is_told_and_kept_aside(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    push(full, shelf)
    shelf.refresh()
    clone = LocalStore(tmp_path / "clone")
    meddled.reading = lambda data: bytes(len(data))
    with pytest.raises(ObjectCorrupt) as caught:
        transfer.fetch([shelf], clone, list(SMALL)[:5])
    zeros = Digest.of(bytes(1000))
    for digest in sorted(SMALL.keys() & set(list(SMALL)[:5]))[:3]:
        assert f"for {digest} came {zeros} from {shelf.url}/packs/" in caught.value.message
    assert str(clone.quarantine) in caught.value.message
    kept = {path.name: path.read_bytes() for path in clone.quarantine.iterdir()}
    assert kept == {f"{one.hex()}.{zeros.hex()}.received": bytes(1000) for one in list(SMALL)[:5]}
    assert again(clone).missing(SMALL) == set(SMALL), "nobody uses what lies there"


def test_the_quarantine_takes_no_more_than_its_share(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.store.quarantine.LIMIT", 2500)
    push(full, shelf)
    shelf.refresh()
    clone = LocalStore(tmp_path / "clone")
    meddled.reading = lambda data: bytes(len(data))
    for _ in range(2):
        with pytest.raises(ObjectCorrupt):
            transfer.fetch([shelf], clone, SMALL)
        assert len(list(clone.quarantine.iterdir())) == 2


def test_damaged_bytes_of_one_remote_are_not_kept_if_another_has_sound_ones(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    push(full, shelf)
    second = RemoteStore.create(str(tmp_path / "second"), {}, tmp_path / "second-cache")
    push(full, second)
    shelf.refresh()
    meddled.reading = lambda data: bytes(len(data))
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([shelf, second], clone, CONTENT)
    assert not clone.quarantine.exists()


def test_bytes_damaged_on_the_way_once_are_asked_for_again(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    push(full, shelf)
    shelf.refresh()
    damaged = []

    def once(data: bytes) -> bytes:
        if len(data) > 10_000 and not damaged:
            damaged.append(data)
            return bytes(len(data))
        return data

    meddled.reading = once
    transfer.fetch([shelf], LocalStore(tmp_path / "clone"), CONTENT, jobs=1)
    assert damaged
    assert dict(LocalStore(tmp_path / "clone").read_many(CONTENT)) == CONTENT


@pytest.mark.parametrize("harm", ["damaged", "unreachable", "empty"])
def test_another_remote_helps_out(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path, harm: str
) -> None:
    push(full, shelf)
    second = RemoteStore.create(str(tmp_path / "second"), {}, tmp_path / "second-cache")
    push(full, second)
    if harm == "empty":
        shutil.rmtree(Path(shelf.url, "packs"))
    first = unmeddled(shelf)
    first.backend = meddled

    def fail(data: bytes) -> bytes:
        raise RemoteUnreachable("the connection broke")

    first.refresh()
    meddled.reading = fail if harm == "unreachable" else (lambda data: bytes(len(data)))
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([first, second], clone, CONTENT)
    assert dict(clone.read_many(CONTENT)) == CONTENT


def test_what_no_remote_has_is_named_with_the_places(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    transfer.push(full, shelf, SMALL, repository="r")
    clone = LocalStore(tmp_path / "clone")
    with pytest.raises(ObjectMissing) as caught:
        transfer.fetch([shelf], clone, CONTENT)
    assert set(caught.value.digests) == set(BIG)
    assert caught.value.places == (shelf.url,)
    assert again(clone).missing(CONTENT) == set(BIG), "what could be had is kept"


def test_an_unreachable_remote_is_not_taken_for_an_empty_one(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    push(full, shelf)
    remote = unmeddled(shelf)
    Path(shelf.url).rename(tmp_path / "unmounted")
    with pytest.raises(RemoteUnreachable):
        transfer.fetch([remote], LocalStore(tmp_path / "clone"), CONTENT)


def test_an_interrupted_fetch_keeps_what_arrived(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(full, shelf)
    monkeypatch.setattr("tallystick.store.incoming._RUN", 100_000)
    shelf.refresh()
    reads = []

    def interrupt(data: bytes) -> bytes:
        reads.append(len(data))
        if len(reads) == 20:
            raise KeyboardInterrupt
        return data

    meddled.reading = interrupt
    clone = LocalStore(tmp_path / "clone")
    with pytest.raises(KeyboardInterrupt):
        transfer.fetch([shelf], clone, CONTENT, jobs=1)
    left = again(clone).missing(CONTENT)
    assert left < set(CONTENT)
    assert not left & set(SMALL)
    assert transfer.fetch([unmeddled(shelf)], again(clone), CONTENT).blobs == len(left)
