"""Remote stores: what counts as one, what it says it holds, and what strangers may do to it."""

import os
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import (
    AccessDenied,
    BadRecord,
    ObjectCorrupt,
    ObjectMissing,
    Refused,
    RemoteUnreachable,
)
from tallystick.records import root as root_record
from tallystick.records import tombstone as tombstone_record
from tallystick.records.tombstone import Tombstone
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.backend import MARKER
from tests.store.conftest import blobs, files_below, fill

CONTENT = blobs(30) | blobs(1, 2_000_000)


def folder_of(remote: RemoteStore) -> Path:
    return Path(remote.url)


def opened(remote: RemoteStore, cache: Path) -> RemoteStore:
    return RemoteStore.open(remote.url, {}, cache)


@pytest.fixture
def full(local: LocalStore, shelf: RemoteStore) -> RemoteStore:
    fill(local, CONTENT)
    transfer.push(local, shelf, CONTENT, repository="r")
    return shelf


def test_a_store_is_made_once_and_opened_by_its_path_or_url(tmp_path: Path) -> None:
    place = tmp_path / "a folder"
    for url in (str(place), place.as_uri()):
        assert RemoteStore.create(url, {}, tmp_path / "cache").url == str(place)
        assert RemoteStore.open(url, {}, tmp_path / "cache", name="origin").name == "origin"
    assert root_record.parse_format((place / MARKER).read_bytes()).version == 1
    assert set(files_below(place)) == {MARKER}


def test_a_folder_that_holds_other_things_is_not_made_a_store(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-anna.txt").write_text("Dear Anna")
    with pytest.raises(Refused, match="holds other things"):
        RemoteStore.create(str(tmp_path / "letters"), {}, tmp_path / "cache")
    assert set(files_below(tmp_path)) == {"letters/to-anna.txt"}


def test_a_store_whose_marker_was_lost_or_damaged_is_made_one_again(
    shelf: RemoteStore, local: LocalStore, tmp_path: Path
) -> None:
    content = blobs(3)
    fill(local, content)
    transfer.push(local, shelf, content, repository="r")
    marker = folder_of(shelf) / MARKER
    marker.unlink()
    marker.write_text("{")
    with pytest.raises(BadRecord) as caught:
        RemoteStore.open(shelf.url, {}, tmp_path / "again")
    assert "delete that file" in (caught.value.hint or "")
    marker.unlink()
    assert RemoteStore.create(shelf.url, {}, tmp_path / "again").missing(content) == set()


def test_a_folder_that_is_no_store_or_not_there_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nowhere"):
        with pytest.raises((Refused, RemoteUnreachable)):
            RemoteStore.open(str(tmp_path / name), {}, tmp_path / "cache")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"tally-store": 99, "chunker": {}}',
        '{"tally-store": 1, "chunker": {"name": "rabin"}}',
        "x" * 100_000,
    ],
)
def test_a_store_of_another_kind_or_version_is_refused(shelf: RemoteStore, tmp_path: Path, text: str) -> None:
    marker = folder_of(shelf) / MARKER
    marker.unlink()
    marker.write_text(text)
    with pytest.raises(BadRecord, match=MARKER):
        opened(shelf, tmp_path)


def test_what_was_pushed_is_there_and_readable(full: RemoteStore, tmp_path: Path) -> None:
    remote = opened(full, tmp_path / "elsewhere")
    assert remote.missing(CONTENT) == set()
    assert all(remote.contains(digest) and remote.read(digest) == data for digest, data in CONTENT.items())
    absent = Digest.of(b"absent")
    assert remote.missing([absent]) == {absent}
    with pytest.raises(ObjectMissing):
        remote.read(absent)


def test_the_root_record_says_what_was_pushed(local: LocalStore, shelf: RemoteStore) -> None:
    fill(local, CONTENT)
    roots = set(list(CONTENT)[:2])
    transfer.push(local, shelf, CONTENT, repository="mine", commits=["ab" * 20], roots=roots)
    (path,) = (folder_of(shelf) / "roots").iterdir()
    record = root_record.parse(path.read_bytes())
    assert path.name.endswith(f"-{Digest.of(path.read_bytes()).hex()}.json")
    assert (record.repository, record.commits, set(record.digests)) == ("mine", ("ab" * 20,), roots)
    assert set(record.packs) == set(shelf.pack_sizes())


def test_copies_of_indexes_may_be_lost_damaged_or_too_many(full: RemoteStore, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "index"
    (copy,) = cache.iterdir()
    damaged = bytes(byte ^ 255 for byte in copy.read_bytes())
    for damage in (b"", damaged, damaged[:100]):
        copy.unlink(missing_ok=True)
        copy.write_bytes(damage)
        (cache / ("ab" * 32 + ".idx")).write_bytes(b"of an index that is gone")
        assert opened(full, tmp_path / "cache").missing(CONTENT) == set()
        assert Digest.of(copy.read_bytes()).hex() == copy.stem
        assert list(cache.iterdir()) == [copy]


def test_a_pack_that_is_gone_or_cut_off_holds_nothing(full: RemoteStore, tmp_path: Path) -> None:
    (pack,) = (folder_of(full) / "packs").rglob("*.pack")
    data = pack.read_bytes()
    pack.unlink()
    assert opened(full, tmp_path).missing(CONTENT) == set(CONTENT)
    pack.write_bytes(data[:-1])
    assert opened(full, tmp_path).missing(CONTENT) == set(CONTENT)


def test_a_damaged_blob_is_not_returned(full: RemoteStore, tmp_path: Path) -> None:
    (pack,) = (folder_of(full) / "packs").rglob("*.pack")
    data = pack.read_bytes()
    pack.unlink()
    pack.write_bytes(bytes(byte ^ 1 for byte in data))
    for digest in CONTENT:
        with pytest.raises(ObjectCorrupt) as caught:
            opened(full, tmp_path).read(digest)
        assert str(pack) in "".join(caught.value.places)


def test_a_damaged_index_counts_as_gone_and_is_named(full: RemoteStore, tmp_path: Path) -> None:
    (index,) = (folder_of(full) / "index").iterdir()
    index.chmod(0o644)
    index.write_bytes(index.read_bytes()[:-1])
    remote = opened(full, tmp_path / "elsewhere")
    assert remote.missing(CONTENT) == set(CONTENT)
    assert remote.damaged == [str(index)]


def test_a_disk_that_is_not_mounted_is_out_of_reach_and_not_empty(full: RemoteStore) -> None:
    folder = folder_of(full)
    folder.rename(folder.with_name("unmounted"))
    for _ in range(2):
        with pytest.raises(RemoteUnreachable) as caught:
            full.missing(CONTENT)
        assert caught.value.hint == "is its disk or share mounted?"
        folder.mkdir(exist_ok=True)


@pytest.mark.parametrize("name", ["packs", "index", "roots"])
def test_links_that_somebody_planted_are_not_followed(
    local: LocalStore, shelf: RemoteStore, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder_of(shelf) / name).symlink_to(outside)
    fill(local, CONTENT)
    with pytest.raises(RemoteUnreachable):
        transfer.push(local, shelf, CONTENT, repository="r")
    assert list(outside.iterdir()) == []


def test_a_fifo_in_place_of_a_pack_does_not_hang(full: RemoteStore, tmp_path: Path) -> None:
    (pack,) = (folder_of(full) / "packs").rglob("*.pack")
    pack.unlink()
    os.mkfifo(pack)
    assert opened(full, tmp_path).missing(CONTENT) == set(CONTENT)
    with pytest.raises(RemoteUnreachable):
        full.read(next(iter(CONTENT)))


def test_strange_files_in_a_store_are_left_alone(full: RemoteStore, tmp_path: Path) -> None:
    folder = folder_of(full)
    strays = ["index/README", "packs/notes.txt", "packs/ab/x.pack", "index/.tally-left-over"]
    for name in strays:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    assert opened(full, tmp_path).missing(CONTENT) == set()
    assert all((folder / name).read_text() == "mine" for name in strays)


def test_a_bad_tombstone_is_an_error_and_not_ignored(full: RemoteStore, local: LocalStore) -> None:
    (folder_of(full) / "tombstones").mkdir()
    (folder_of(full) / "tombstones" / "x.json").write_text("{")
    with pytest.raises(BadRecord, match="tombstones") as caught:
        transfer.push(local, full, CONTENT, repository="r")
    assert "delete that file" in str(caught.value.hint)


def test_what_is_not_named_like_a_tombstone_is_left_alone(full: RemoteStore) -> None:
    (folder_of(full) / "tombstones").mkdir()
    (folder_of(full) / "tombstones" / "README").write_text("{")
    assert full.condemned() == set()


def test_tombstones_name_condemned_packs(full: RemoteStore) -> None:
    assert full.condemned() == set()
    packs = tuple(full.pack_sizes())
    (folder_of(full) / "tombstones").mkdir()
    text = tombstone_record.render(Tombstone("2026-01-01T00:00:00Z", packs))
    (folder_of(full) / "tombstones" / "x.json").write_bytes(text)
    assert full.condemned() == set(packs)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_denied(shelf: RemoteStore, local: LocalStore) -> None:
    fill(local, CONTENT)
    folder_of(shelf).chmod(0o500)
    with pytest.raises(AccessDenied):
        transfer.push(local, shelf, CONTENT, repository="r")
