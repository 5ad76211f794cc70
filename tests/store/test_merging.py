"""Joining a remote's indexes, whoever else pushes, reads or joins meanwhile."""

import itertools
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.digest import Buffer, Digest
from tallystick.errors import AccessDenied, RemoteUnreachable
from tallystick.store import LocalStore, RemoteStore, merging, transfer
from tallystick.store.assembling import build
from tallystick.store.index import Index, PackName, Recipe
from tallystick.store.pack import RAW, Entry
from tests.store.conftest import again, blobs, fill
from tests.store.meddling import Meddled, unmeddled

CONTENT = blobs(24, 200, seed=7)
DIGESTS = list(CONTENT)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four indexes are many."""
    monkeypatch.setattr(merging, "MANY", 4)


@pytest.fixture
def full(local: LocalStore) -> LocalStore:
    fill(local, CONTENT)
    return local


class Watched(Meddled):
    """Meddled with around deletes too."""

    def __init__(self, inner: Meddled) -> None:
        super().__init__(inner)
        self.deleting: Callable[[str], None] = lambda name: None

    def delete(self, name: str) -> None:
        self.deleting(name)
        super().delete(name)


def name(text: object) -> Digest:
    return Digest.of(str(text).encode())


def indexes_at(remote: RemoteStore) -> set[str]:
    return {path.name for path in Path(remote.url, "index").iterdir()}


def push_one(local: LocalStore, remote: RemoteStore, number: int) -> None:
    transfer.push(again(local), remote, [DIGESTS[number]], repository="r")


def assert_has(remote: RemoteStore, cache: Path, count: int) -> None:
    """A clone that has nothing finds all that was pushed so far."""
    assert unmeddled(remote, cache).missing(DIGESTS[:count]) == set()


def test_many_pushes_leave_few_indexes(full: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    for number in range(24):
        push_one(full, shelf, number)
        assert len(indexes_at(shelf)) <= 4
        assert_has(shelf, tmp_path / "reader", number + 1)
    copies = {path.name for path in (tmp_path / "cache/index").iterdir()}
    assert copies == indexes_at(shelf)
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([unmeddled(shelf, tmp_path / "other")], clone, DIGESTS)
    assert dict(clone.read_many(DIGESTS)) == CONTENT


def test_at_every_step_of_joining_a_reader_finds_everything(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    for number in range(3):
        push_one(full, shelf, number)
    backend = shelf.backend = Watched(shelf.backend)
    backend.inner = shelf.backend.inner
    deleted: list[str] = []

    def look(path: str) -> None:
        deleted.append(path)
        assert_has(shelf, tmp_path / f"reader-{len(deleted)}", 4)

    backend.deleting = look
    remote = RemoteStore("origin", backend, tmp_path / "cache")
    push_one(full, remote, 3)
    assert len(deleted) == 4
    assert len(indexes_at(shelf)) == 1


def test_others_may_join_and_push_in_the_midst_of_a_join(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    for number in range(3):
        push_one(full, shelf, number)
    steps = itertools.count(4)
    for when in range(6):
        backend = Watched(unmeddled(shelf, tmp_path / f"cache-{when}").backend)
        left = [when]

        def meddle(_: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                push_one(full, unmeddled(shelf, tmp_path / "other"), next(steps))

        backend.deleting = meddle
        backend.before = lambda number, path, meddle=meddle: meddle(path)
        push_one(full, RemoteStore("origin", backend, tmp_path / f"cache-{when}"), next(steps))
    pushed = [0, 1, 2, *range(4, next(steps))]
    wanted = [DIGESTS[number] for number in pushed]
    assert unmeddled(shelf, tmp_path / "reader").missing(wanted) == set()


def test_an_index_that_is_joined_between_listing_and_reading_is_not_missed(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    for number in range(3):
        push_one(full, shelf, number)
    backend = Meddled(unmeddled(shelf, tmp_path / "reader").backend)
    listing = backend.listing
    calls = []

    def listed_before_a_join(prefix: str) -> dict[str, int]:
        found = listing(prefix)
        if prefix == "index/" and not calls:
            calls.append(prefix)
            push_one(full, shelf, 3)
        return found

    backend.listing = listed_before_a_join
    reader = RemoteStore("origin", backend, tmp_path / "reader")
    assert reader.missing(DIGESTS[:4]) == set()
    assert len(indexes_at(shelf)) == 1


def test_a_reader_that_holds_old_indexes_still_reads(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    for number in range(3):
        push_one(full, shelf, number)
    reader = unmeddled(shelf, tmp_path / "reader")
    reader.refresh()
    push_one(full, shelf, 3)
    assert [reader.read(digest) for digest in DIGESTS[:3]] == [CONTENT[digest] for digest in DIGESTS[:3]]


def test_a_join_that_was_interrupted_is_finished_by_the_next(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    for number in range(3):
        push_one(full, shelf, number)
    backend = Watched(shelf.backend)

    def die(path: str) -> None:
        raise RemoteUnreachable("gone")

    backend.deleting = die
    push_one(full, RemoteStore("origin", backend, tmp_path / "cache"), 3)
    assert len(indexes_at(shelf)) == 5
    push_one(full, shelf, 4)
    assert len(indexes_at(shelf)) <= 2
    assert_has(shelf, tmp_path / "reader", 5)


def test_where_nothing_may_be_deleted_indexes_are_joined_once_and_then_left(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    backend = Watched(shelf.backend)

    def refuse(path: str) -> None:
        raise AccessDenied("no")

    backend.deleting = refuse
    for number in range(10):
        push_one(full, RemoteStore("origin", backend, tmp_path / "cache"), number)
    assert len(indexes_at(shelf)) == 11


def test_pushes_side_by_side_lose_nothing(full: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for number in range(worker, 24, 3):
                push_one(full, unmeddled(shelf, tmp_path / f"cache-{worker}"), number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_has(shelf, tmp_path / "reader", 24)


def test_a_blob_in_two_packs_keeps_both_places() -> None:
    """A collection may delete either pack."""
    one, two = PackName(name("one"), 1000), PackName(name("two"), 1000)
    first = build([(one, [Entry(name("x"), 8, 10, 10, RAW), Entry(name("y"), 18, 10, 10, RAW)])], {})
    second = build([(two, [Entry(name("x"), 8, 10, 10, RAW)])], {})
    joined = [Index(data) for data in merging.joined(map(Index, (first, second, first, second)))]
    assert len(joined) == 2
    entries = {
        (pack, entry) for index in joined for pack in index.packs for entry in index.entries(pack.digest)
    }
    assert {(pack, entry.digest) for pack, entry in entries} == {
        (one, name("x")),
        (one, name("y")),
        (two, name("x")),
    }


def test_joined_indexes_say_what_the_old_ones_said() -> None:
    source = random.Random(3)
    recipe = Recipe(30, ((name(1), 10), (name(2), 20)))
    old = [
        build(
            [
                (
                    PackName(name(f"pack {n}"), 10_000),
                    [Entry(name(f"{n} {i}"), 8 + i, 1, 1, RAW) for i in range(50)],
                )
            ],
            {name(f"file {n}"): recipe} if source.random() < 0.5 else {},
        )
        for n in range(9)
    ]
    (new,) = merging.joined(map(Index, old))

    def said(datas: list[Buffer]) -> tuple[set[object], set[object]]:
        read = [Index(data) for data in datas]
        places = {(pack, entry) for one in read for pack in one.packs for entry in one.entries(pack.digest)}
        return places, {(file, one.recipe(file)) for one in read for file in one.recipes()}

    assert said([new]) == said(old)
