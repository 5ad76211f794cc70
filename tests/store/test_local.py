"""The local store: everything that goes in comes out, or is named."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick import copying
from tallystick.digest import Digest, fingerprint, hash_file
from tallystick.errors import ObjectCorrupt, ObjectMissing, Refused, TallyError
from tallystick.store import LocalStore, writer
from tallystick.store.pack import LARGE, PACK_SIZE
from tests.store.conftest import again, blobs, files_below, fill

SMALL = blobs(50)
BIG = blobs(2, LARGE)
ALL = SMALL | BIG
NOWHERE = Digest.of(b"nowhere")


def only(paths: list[Path]) -> Path:
    assert len(paths) == 1
    return paths[0]


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    data = change(path.read_bytes())
    path.unlink()
    path.write_bytes(data)


def test_blobs_come_back(local: LocalStore) -> None:
    fill(local, ALL)
    for store in (local, again(local)):
        assert dict(store.read_many(ALL)) == ALL
        assert store.missing({*ALL, NOWHERE}) == {NOWHERE}
        assert all(store.contains(digest) for digest in ALL)
        assert not store.contains(NOWHERE)
        assert all(store.size(digest) == len(data) for digest, data in ALL.items())
        assert store.total([*ALL, NOWHERE]) == sum(map(len, ALL.values()))


def test_an_empty_store_has_nothing(local: LocalStore) -> None:
    assert local.missing(ALL) == set(ALL)
    assert local.missing([]) == set()
    for ask in (local.read, local.size, local.open, local.verify):
        with pytest.raises(ObjectMissing) as caught:
            ask(NOWHERE)
        assert caught.value.digests == (NOWHERE,)


def test_many_missing_large_blobs_are_noticed_at_once(local: LocalStore) -> None:
    fill(local, BIG)
    absent = set(blobs(100, seed=9))
    assert local.missing({*BIG, *absent}) == absent


def test_small_blobs_share_a_pack_and_large_ones_lie_whole(local: LocalStore) -> None:
    fill(local, ALL)
    assert {path.suffix for path in local.packs.iterdir()} == {".pack", ".idx"}
    assert len(list(local.packs.iterdir())) == 2
    for digest, data in BIG.items():
        path = local.object_path(digest)
        assert path is not None
        assert path.read_bytes() == data
        assert path.stat().st_mode & 0o777 == 0o444
    assert local.object_path(next(iter(SMALL))) is None


def test_the_empty_blob_is_a_blob(local: LocalStore) -> None:
    with local.writer() as writer:
        digest = writer.add(b"")
    assert again(local).read(digest) == b""


@pytest.mark.parametrize("size", [0, 1, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE + 3])
def test_a_file_is_hashed_and_stored_in_one_read(local: LocalStore, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    with local.writer() as writer:
        hashed = writer.add_file(path)
    assert hashed == hash_file(str(path))
    assert (hashed.digest, hashed.fingerprint, hashed.size) == (Digest.of(data), fingerprint(data), size)
    assert again(local).read(hashed.digest) == data
    with again(local).open(hashed.digest) as stream:
        assert stream.read() == data


def test_a_cloned_file_is_not_copied(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clone(source: int, target: int) -> bool:
        os.pwrite(target, os.pread(source, 1 << 30, 0), 0)
        return True

    (tmp_path / "big").write_bytes(next(iter(BIG.values())))
    monkeypatch.setattr(copying, "reflink", clone)
    with local.writer() as writing:
        digest = writing.add_file(tmp_path / "big").digest
    assert again(local).read(digest) == BIG[digest]
    assert local.copied == 0


def test_a_file_with_any_name_is_stored(local: LocalStore, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\n \xc3\xa9"
    with open(path, "wb") as file:
        file.write(b"data")
    with local.writer() as writer:
        assert writer.add_file(path).digest == Digest.of(b"data")


def test_nothing_is_stored_twice(local: LocalStore, tmp_path: Path) -> None:
    fill(local, ALL)
    before = files_below(local.root)
    for store in (local, again(local)):
        fill(store, ALL)
        (tmp_path / "big").write_bytes(next(iter(BIG.values())))
        with store.writer() as writer:
            writer.add_file(tmp_path / "big")
            writer.add_file(tmp_path / "big")
    assert files_below(local.root) == before


def test_a_full_pack_is_closed_and_another_opened(local: LocalStore) -> None:
    content = blobs(PACK_SIZE // 1_000_000 + 5, 1_000_000)
    fill(local, content)
    packs = sorted(path.stat().st_size for path in local.packs.glob("*.pack"))
    assert len(packs) == 2
    assert packs[-1] < PACK_SIZE + (2 << 20)
    assert dict(again(local).read_many(content)) == content


@pytest.mark.parametrize("size", [1000, 2 * LARGE])
def test_a_file_that_keeps_changing_is_refused(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(size))
    read = os.read

    def change(_size: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    def read_and_change(descriptor: int, count: int) -> bytes:
        data = read(descriptor, count)
        change(count)
        return data

    monkeypatch.setattr(writer.os, "read", read_and_change)
    with pytest.raises(Refused, match="changed while it was read"), local.writer() as writing:
        writing.add_file(path, change)


def test_a_file_that_changes_once_is_stored_as_it_is_then(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one")
    read, calls = os.read, []

    def read_and_change(descriptor: int, count: int) -> bytes:
        data = read(descriptor, count)
        if not calls:
            path.write_bytes(b"two and more")
        calls.append(count)
        return data

    monkeypatch.setattr(writer.os, "read", read_and_change)
    with local.writer() as writing:
        assert writing.add_file(path).digest == Digest.of(b"two and more")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_what_is_no_regular_file_is_refused(
    local: LocalStore, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(TallyError), local.writer() as writing:
        writing.add_file(tmp_path / "odd")
    assert list(local.root.rglob("*.pack")) == []


def test_what_was_complete_before_a_failure_is_kept(local: LocalStore) -> None:
    def fail() -> None:
        with local.writer() as writing:
            for data in ALL.values():
                writing.add(data)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert again(local).missing(ALL) == set()
    assert not list(local.root.rglob(".tally-*"))


def test_large_pieces_that_make_another_blob_are_refused(local: LocalStore) -> None:
    with pytest.raises(ObjectCorrupt), local.writer() as writing:
        writing.put_pieces(NOWHERE, [b"some", b"thing"])
    assert not local.contains(NOWHERE)
    assert [path for path in local.root.rglob("*") if path.is_file()] == []


def test_what_another_process_stores_meanwhile_is_found(local: LocalStore) -> None:
    assert local.missing(ALL) == set(ALL)
    fill(again(local), ALL)
    assert dict(local.read_many(ALL)) == ALL
    more = blobs(3, seed=7)
    fill(again(local), more)
    assert local.size(next(iter(more))) == 1000
    assert local.missing(more) == set()


def test_several_writers_at_once_lose_nothing(local: LocalStore) -> None:
    parts = [blobs(100, seed=seed) | blobs(1, LARGE, seed=seed % 2) for seed in range(6)]
    threads = [threading.Thread(target=fill, args=(again(local), part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for part in parts:
        assert dict(again(local).read_many(part)) == part


def test_lost_indexes_are_made_again(local: LocalStore) -> None:
    fill(local, SMALL)
    only(list(local.packs.glob("*.idx"))).unlink()
    assert dict(again(local).read_many(SMALL)) == SMALL
    assert len(list(local.packs.glob("*.idx"))) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: b"x" * len(data),
        lambda data: data[:64] + bytes(byte ^ 255 for byte in data[64:]),
    ],
)
def test_a_damaged_index_is_as_good_as_none(local: LocalStore, change: Callable[[bytes], bytes]) -> None:
    fill(local, SMALL)
    index = only(list(local.packs.glob("*.idx")))
    whole = index.read_bytes()
    rewrite(index, change)
    assert dict(again(local).read_many(SMALL)) == SMALL
    assert index.read_bytes() == whole, "it is made again in its place"


def test_an_index_without_its_pack_names_nothing(local: LocalStore) -> None:
    fill(local, SMALL)
    only(list(local.packs.glob("*.pack"))).unlink()
    assert again(local).missing(SMALL) == set(SMALL)
    fill(again(local), SMALL)
    assert again(local).missing(SMALL) == set()


def test_a_damaged_blob_in_a_pack_is_named_set_aside_and_the_others_saved(local: LocalStore) -> None:
    fill(local, SMALL)
    bad, data = sorted(SMALL.items())[7]
    rewrite(only(list(local.packs.glob("*.pack"))), lambda pack: pack.replace(data[:20], bytes(20)))
    store = again(local)
    with pytest.raises(ObjectCorrupt) as caught:
        store.read(bad)
    assert caught.value.digests == (bad,)
    for seen in (store, again(local)):
        assert seen.missing(SMALL) == {bad}
        rest = {digest: blob for digest, blob in SMALL.items() if digest != bad}
        assert dict(seen.read_many(rest)) == rest
    assert len(list(store.quarantine.iterdir())) == 1
    fill(store, SMALL)
    assert dict(again(local).read_many(SMALL)) == SMALL


def test_what_another_process_set_aside_meanwhile_is_found_again(local: LocalStore) -> None:
    fill(local, SMALL)
    other = again(local)
    assert other.missing(SMALL) == set()
    (pack,) = (Digest(bytes.fromhex(path.stem)) for path in local.packs.glob("*.pack"))
    local.set_aside_pack(pack)
    assert dict(other.read_many(SMALL)) == SMALL


@pytest.mark.parametrize("cut", [1, 64, 3000, 30_000])
def test_a_truncated_pack_gives_what_is_left_of_it(local: LocalStore, cut: int) -> None:
    fill(local, SMALL)
    rewrite(only(list(local.packs.glob("*.pack"))), lambda pack: pack[:-cut])
    read = {}
    for digest, data in SMALL.items():
        try:
            read[digest] = again(local).read(digest)
        except (ObjectCorrupt, ObjectMissing):
            continue
        assert read[digest] == data
    lost = (cut - 64 - 48 * 50) // 1000 + 1 if cut > 64 + 48 * 50 else 0
    assert len(read) == 50 - lost


def test_two_packs_that_changed_places_are_noticed(local: LocalStore) -> None:
    one, two = blobs(20, seed=1), blobs(20, seed=2)
    fill(local, one)
    fill(again(local), two)
    first, second = sorted(local.packs.glob("*.pack"))
    first.rename(local.packs / "x")
    second.rename(first)
    (local.packs / "x").rename(second)
    for digest in (*one, *two):
        with pytest.raises((ObjectCorrupt, ObjectMissing)):
            again(local).read(digest)


@pytest.mark.parametrize("ask", ["read", "verify", "open"])
def test_a_damaged_large_blob_is_set_aside(local: LocalStore, ask: str) -> None:
    fill(local, BIG)
    digest = next(iter(BIG))
    path = local.object_path(digest)
    assert path is not None
    rewrite(path, lambda data: data[:-1] + b"?")
    with pytest.raises(ObjectCorrupt):
        getattr(local, ask)(digest)
    assert local.missing(BIG) == {digest}
    assert (local.quarantine / path.name).exists()


def test_strange_files_in_the_store_are_left_alone(local: LocalStore) -> None:
    fill(local, ALL)
    for stray in (local.packs / "README", local.packs / ("x" * 64 + ".pack"), local.objects / "notes"):
        stray.write_text("mine")
    (local.packs / ("ab" * 32 + ".pack")).write_bytes(b"")
    (local.packs / ("cd" * 32 + ".idx")).write_bytes(b"TLYINDX\x02" + bytes(16))
    store = again(local)
    assert dict(store.read_many(ALL)) == ALL
    assert store.missing(blobs(100, seed=5)) == set(blobs(100, seed=5))
    assert (local.packs / "README").read_text() == "mine"


def test_a_failed_write_is_reported_and_leaves_nothing_under_a_name(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(writer.os, "fsync", fail)
    with pytest.raises(TallyError, match="Input/output error"):
        fill(local, ALL)
    monkeypatch.undo()
    assert [path for path in local.root.rglob("*") if path.is_file()] == []
    assert again(local).missing(ALL) == set(ALL)


def test_a_full_disk_is_said_to_be_full(local: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer.os, "write", fail)
    with pytest.raises(TallyError, match="no room"):
        fill(local, ALL)
    monkeypatch.undo()
    fill(local, ALL)
    assert dict(again(local).read_many(ALL)) == ALL
