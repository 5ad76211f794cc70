"""Finding few blobs at a remote without copying its large indexes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectMissing
from tallystick.store import LocalStore, RemoteStore, glance, transfer
from tallystick.store.assembling import build
from tallystick.store.index import HEADER, PACK, Index, PackName, Recipe
from tallystick.store.pack import RAW, Entry
from tallystick.store.ranged import RangedIndex
from tests.store.conftest import again, blobs, fill
from tests.store.meddling import Meddled, unmeddled

SMALL = blobs(3000, 40, seed=3)
BIG = blobs(1, 3_000_000, seed=4)
CONTENT = SMALL | BIG


class Counted(Meddled):
    """Meddled with, and counting what is read of indexes."""

    def __init__(self, inner: Meddled) -> None:
        super().__init__(inner)
        self.read: list[tuple[str, int]] = []

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        data = super().get(name, start, end)
        self.read.append((name, len(data)))
        return data

    def of_indexes(self) -> list[int]:
        """Sizes of the reads of indexes."""
        return [size for name, size in self.read if name.startswith("index/")]


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of 100,000 bytes is large, and heads are short."""
    monkeypatch.setattr(glance, "LARGE", 100_000)
    monkeypatch.setattr("tallystick.store.remote.LARGE", 100_000)
    monkeypatch.setattr("tallystick.store.ranged._HEAD", 128)


@pytest.fixture
def pushed(local: LocalStore, shelf: RemoteStore) -> RemoteStore:
    fill(local, CONTENT)
    transfer.push(again(local), shelf, CONTENT, repository="r")
    return shelf


@pytest.fixture
def fresh(pushed: RemoteStore, tmp_path: Path) -> RemoteStore:
    """The same remote as a clone sees it that has no copies of its indexes."""
    remote = unmeddled(pushed, tmp_path / "fresh")
    remote.backend = Counted(remote.backend)  # type: ignore[arg-type]
    return remote


def reads(remote: RemoteStore) -> list[int]:
    assert isinstance(remote.backend, Counted)
    return remote.backend.of_indexes()


def test_one_blob_takes_four_small_reads_of_a_large_index(fresh: RemoteStore, tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in Path(fresh.url, "index").iterdir())
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([fresh], clone, list(SMALL)[:1])
    assert clone.missing(list(SMALL)[:1]) == set()
    assert len(reads(fresh)) == 4, "outline, recipes, digests, place"
    assert sum(reads(fresh)) < size / 10
    assert not list((tmp_path / "fresh/index").glob("*.idx"))


def test_neighbours_come_with_the_table_of_their_pack(fresh: RemoteStore, tmp_path: Path) -> None:
    clone = LocalStore(tmp_path / "clone")
    few = list(SMALL)[100:300]
    transfer.fetch([fresh], clone, few)
    assert dict(clone.read_many(few)) == {digest: SMALL[digest] for digest in few}
    assert len(reads(fresh)) <= 7


def test_a_large_file_is_found_by_its_recipe(fresh: RemoteStore, tmp_path: Path) -> None:
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([fresh], clone, BIG)
    assert dict(clone.read_many(BIG)) == BIG
    assert len(reads(fresh)) <= 9
    assert not list((tmp_path / "fresh/index").glob("*.idx"))


def test_many_blobs_copy_the_index_as_ever(fresh: RemoteStore, tmp_path: Path) -> None:
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([fresh], clone, list(SMALL)[: glance.FEW + 1])
    assert len(reads(fresh)) == 1
    assert len(list((tmp_path / "fresh/index").glob("*.idx"))) == 1


def test_what_is_nowhere_is_only_believed_of_whole_indexes(fresh: RemoteStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing):
        transfer.fetch([fresh], LocalStore(tmp_path / "clone"), [Digest.of(b"nowhere")])
    assert len(list((tmp_path / "fresh/index").glob("*.idx"))) == 1


@pytest.mark.parametrize(
    "meddle",
    [
        lambda data: bytes(len(data)),
        lambda data: b"\xff" * len(data),
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data[::-1],
        lambda data: data[:40] + b"\xff" * (len(data) - 40),
    ],
)
def test_ranges_that_come_damaged_send_us_to_the_whole_index(
    fresh: RemoteStore, tmp_path: Path, meddle: Callable[[bytes], bytes]
) -> None:
    backend = fresh.backend
    get = backend.get

    def ranged(name: str, start: int | None = None, end: int | None = None) -> bytes:
        data = get(name, start, end)
        return meddle(data) if name.startswith("index/") and start is not None else data

    backend.get = ranged  # type: ignore[method-assign]
    clone = LocalStore(tmp_path / "clone")
    wanted = [*list(SMALL)[:3], *BIG]
    transfer.fetch([fresh], clone, wanted)
    assert dict(clone.read_many(wanted)) == {digest: CONTENT[digest] for digest in wanted}


def test_a_place_in_a_pack_that_is_gone_counts_as_none(fresh: RemoteStore, tmp_path: Path) -> None:
    for pack in Path(fresh.url, "packs").rglob("*.pack"):
        pack.unlink()
    with pytest.raises(ObjectMissing):
        transfer.fetch([fresh], LocalStore(tmp_path / "clone"), list(SMALL)[:1])


def made(count: int) -> tuple[bytes, dict[bytes, Entry]]:
    """An index of so many blobs in one pack, and one recipe."""
    entries = [Entry(Digest.of(b"%d" % number), 8 + number, 1, 1, RAW) for number in range(count)]
    chunks = tuple((Digest(entry.digest), 1) for entry in entries[:3])
    recipes = {Digest.of(b"file"): Recipe(3, chunks)} if count >= 3 else {}
    pack = PackName(Digest.of(b"pack"), 1 << 20)
    return build([(pack, entries)], recipes), {entry.digest: entry for entry in entries}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50, 5000])
def test_it_finds_what_the_whole_index_finds(count: int) -> None:
    data, entries = made(count)
    whole = Index(data)
    ranged = RangedIndex(lambda begin, end: data[begin:end], len(data), "test")
    for number in range(-50, count + 50, max(1, count // 300)):
        digest = Digest.of(b"%d" % number)
        assert (ranged.place(digest) is not None) == (digest in entries)
        row = whole.find(digest)
        expected = dict(whole.places([(digest, row)])).get(digest) if row >= 0 else None
        assert ranged.place(digest) == expected
    file = Digest.of(b"file")
    assert ranged.recipe_of(file) == whole.recipe(file)
    assert ranged.recipe_of(Digest.of(b"other")) is None


def test_digests_that_are_not_spread_evenly_are_found_too() -> None:
    entries = [Entry(bytes(28) + number.to_bytes(4, "big"), 8 + number, 1, 1, RAW) for number in range(4000)]
    data = build([(PackName(Digest.of(b"pack"), 1 << 20), entries)], {})
    ranged = RangedIndex(lambda begin, end: data[begin:end], len(data), "test")
    for entry in entries[::97]:
        place = ranged.place(entry.digest)
        assert place is not None
        assert place.offset == entry.offset


@pytest.mark.parametrize("at", [8, 12, 16, 20])
def test_counts_that_do_not_make_up_the_size_are_refused(at: int) -> None:
    data, _ = made(5)
    wrong = data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
    with pytest.raises(BadRecord):
        RangedIndex(lambda begin, end: wrong[begin:end], len(wrong), "test")


def test_a_place_outside_of_its_pack_is_refused() -> None:
    data, entries = made(1)
    start = HEADER.size + PACK.size + 32
    wrong = data[: start + 4] + b"\xff\xff\xff\xff" + data[start + 8 :]
    ranged = RangedIndex(lambda begin, end: wrong[begin:end], len(wrong), "test")
    with pytest.raises(BadRecord, match="impossible place"):
        ranged.place(next(iter(entries)))
