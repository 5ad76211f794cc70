"""Packs of a remote that are nearly all wanted are taken over whole, each of their blobs verified."""

import os
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import ObjectCorrupt
from tallystick.store import LocalStore, RemoteStore, transfer
from tests.store.conftest import again, blobs, fill
from tests.store.meddling import unmeddled

SMALL = blobs(40, seed=3)
TEXTS = [b"%d the same words again and again\n" % n * 50 for n in range(40)]
WORDS = {Digest.of(text): text for text in TEXTS}


@pytest.fixture(autouse=True)
def any_pack_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.store.transfer.PACK_SIZE", 2000)


@pytest.fixture
def pushed(local: LocalStore, shelf: RemoteStore) -> RemoteStore:
    fill(local, SMALL)
    transfer.push(again(local), shelf, SMALL, repository="r")
    return shelf


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.pack")}


@pytest.mark.parametrize("left_out", [0, 4])
def test_a_pack_that_is_nearly_all_wanted_is_taken_over_as_it_is(
    pushed: RemoteStore, tmp_path: Path, left_out: int
) -> None:
    clone, wanted = LocalStore(tmp_path / "clone"), set(list(SMALL)[left_out:])
    fetched = transfer.fetch([pushed], clone, wanted)
    assert fetched.blobs == len(wanted)
    assert names(clone.packs) == names(Path(pushed.url) / "packs")
    assert dict(again(clone).read_many(wanted)) == {digest: SMALL[digest] for digest in wanted}


def test_of_other_packs_only_what_is_wanted_is_taken(pushed: RemoteStore, tmp_path: Path) -> None:
    clone, wanted = LocalStore(tmp_path / "clone"), set(list(SMALL)[5:])
    transfer.fetch([pushed], clone, wanted)
    assert names(clone.packs).isdisjoint(names(Path(pushed.url) / "packs"))
    assert again(clone).missing(SMALL) == SMALL.keys() - wanted


def test_compressed_packs_are_not_taken_over(local: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    fill(local, WORDS)
    transfer.push(again(local), shelf, WORDS, repository="r")
    clone = LocalStore(tmp_path / "clone")
    assert transfer.fetch([shelf], clone, WORDS).blobs == len(WORDS)
    assert names(clone.packs).isdisjoint(names(Path(shelf.url) / "packs"))


@pytest.mark.parametrize("where", [0.3, -30])
def test_a_damaged_pack_is_not_taken_over_and_its_sound_blobs_come_one_by_one(
    pushed: RemoteStore, tmp_path: Path, where: float
) -> None:
    (pack,) = (Path(pushed.url) / "packs").rglob("*.pack")
    data = bytearray(pack.read_bytes())
    at = int(where * len(data)) if where > 0 else int(where)
    data[at] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    clone = LocalStore(tmp_path / "clone")
    fetched: set[Digest] = set()
    try:
        transfer.fetch([unmeddled(pushed, tmp_path / "its-cache")], clone, SMALL)
    except ObjectCorrupt as error:
        fetched = set(error.digests)
        assert len(fetched) == 1
    assert (where > 0) == bool(fetched), "a damaged end hurts no blob"
    assert names(clone.packs).isdisjoint({pack.name})
    assert again(clone).missing(SMALL) == fetched
    assert not list(clone.packs.glob(".tally-*"))


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system takes no advice")
@pytest.mark.parametrize("way", ["adopted", "written"])
def test_the_disk_begins_with_a_local_pack_before_it_is_synced(
    pushed: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    heard: list[str] = []
    sync = os.fsync

    def advise(_descriptor: int, start: int, size: int, _advice: int) -> None:
        assert start % 4096 == size % 4096 == 0
        heard.append("begin" if size else "nothing yet")

    def fsync(descriptor: int) -> None:
        heard.append("sync")
        sync(descriptor)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    monkeypatch.setattr(os, "fsync", fsync)
    clone = LocalStore(tmp_path / "clone")
    if way == "adopted":
        transfer.fetch([pushed], clone, SMALL)
    else:
        with clone.writer() as writer:
            writer.add(bytes(50_000))
    assert "begin" in heard
    assert heard.index("begin") < heard.index("sync")
