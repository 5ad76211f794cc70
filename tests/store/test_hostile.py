"""A remote that somebody with the right to write has altered: nothing false is taken, others still help."""

import shutil
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.index import CHUNK, HEADER, PACK, PLACE, RECIPE, Index
from tests.store.conftest import again, blobs, fill
from tests.store.meddling import BIG, SMALL, unmeddled


@pytest.fixture
def full(local: LocalStore, shelf: RemoteStore) -> RemoteStore:
    """A remote with small and large blobs, pushed in two halves of equal size."""
    fill(local, SMALL | BIG)
    for large in BIG:
        transfer.push(again(local), shelf, [large], repository="r")
    names = list(SMALL)
    for half in (names[:30], names[30:]):
        transfer.push(again(local), shelf, half, repository="r")
    return shelf


def written(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def backup(remote: RemoteStore, tmp_path: Path) -> RemoteStore:
    """An untouched copy of a remote."""
    shutil.copytree(remote.url, tmp_path / "backup")
    return RemoteStore.open(str(tmp_path / "backup"), {}, tmp_path / "backup-cache", name="backup")


def small_packs(remote: RemoteStore) -> list[Path]:
    packs = [path for path in Path(remote.url, "packs").rglob("*.pack") if path.stat().st_size < 100_000]
    assert len({path.stat().st_size for path in packs}) == 1
    return packs


def test_packs_that_were_swapped_are_noticed(full: RemoteStore, tmp_path: Path) -> None:
    other = backup(full, tmp_path)
    one, two = small_packs(full)
    first, second = one.read_bytes(), two.read_bytes()
    written(one, second)
    written(two, first)
    clone = LocalStore(tmp_path / "clone")
    with pytest.raises(ObjectCorrupt) as caught:
        transfer.fetch([unmeddled(full, tmp_path / "fresh")], clone, SMALL)
    assert set(caught.value.digests) == set(SMALL)
    assert transfer.fetch([unmeddled(full, tmp_path / "fresh"), other], clone, SMALL).blobs == len(SMALL)
    assert dict(clone.read_many(SMALL)) == SMALL


def test_a_pack_that_was_cut_off_is_named_with_what_is_missing(full: RemoteStore, tmp_path: Path) -> None:
    one, _ = small_packs(full)
    written(one, one.read_bytes()[:-1])
    with pytest.raises(ObjectMissing) as caught:
        transfer.fetch([unmeddled(full, tmp_path / "fresh")], LocalStore(tmp_path / "clone"), SMALL)
    assert [place for place in caught.value.places if place.endswith(f"{one.name} (damaged)")]


def test_an_index_under_another_ones_name_holds_nothing(full: RemoteStore, tmp_path: Path) -> None:
    indexes = sorted(Path(full.url, "index").iterdir())
    for path in indexes[1:]:
        written(path, indexes[0].read_bytes())
    fresh = unmeddled(full, tmp_path / "fresh")
    assert len(fresh.missing(SMALL.keys() | BIG.keys())) > 0
    assert len(fresh.damaged) == len(indexes) - 1
    with pytest.raises(ObjectMissing) as caught:
        transfer.fetch([fresh], LocalStore(tmp_path / "clone"), SMALL)
    assert [place.endswith(".idx (damaged)") for place in caught.value.places].count(True) == len(indexes) - 1


def forged(remote: RemoteStore, change: bytes, where: str) -> None:
    """Replace every index that has a recipe by an altered one, rightly named."""
    for path in Path(remote.url, "index").iterdir():
        data = bytearray(path.read_bytes())
        _, packs, count, recipes, chunks = HEADER.unpack_from(data)
        if not recipes:
            continue
        table = HEADER.size + packs * PACK.size + count * (32 + PLACE.size)
        at = {"length": table + recipes * RECIPE.size + 32, "size": table + 32, "count": table + 44}[where]
        data[at : at + 4] = change
        assert len(data) == table + recipes * RECIPE.size + chunks * CHUNK.size
        path.unlink()
        written_new = path.with_name(f"{Digest.of(bytes(data)).hex()}.idx")
        written_new.write_bytes(data)


@pytest.mark.parametrize("where", ["length", "size", "count"])
def test_a_recipe_that_does_not_add_up_is_refused_and_another_remote_asked(
    full: RemoteStore, tmp_path: Path, where: str
) -> None:
    other = backup(full, tmp_path)
    forged(full, b"\x05\x00\x00\x00", where)
    clone = LocalStore(tmp_path / "clone")
    with pytest.raises(BadRecord, match="recipe") as caught:
        transfer.fetch([unmeddled(full, tmp_path / "fresh")], clone, BIG)
    assert "push again" in str(caught.value.hint)
    assert clone.missing(BIG) == set(BIG)
    transfer.fetch([unmeddled(full, tmp_path / "fresh"), other], clone, BIG)
    assert dict(clone.read_many(BIG)) == BIG


def test_a_recipe_of_other_chunks_makes_no_file(full: RemoteStore, local: LocalStore, tmp_path: Path) -> None:
    """Lengths that add up and chunks that are there, but of another file."""
    one, two = BIG
    for path in Path(full.url, "index").iterdir():
        data = path.read_bytes()
        if Index(data).recipe(one) is not None:
            path.unlink()
            altered = data.replace(one, two)
            path.with_name(f"{Digest.of(altered).hex()}.idx").write_bytes(altered)
        elif Index(data).recipe(two) is not None:
            path.unlink()
    clone = LocalStore(tmp_path / "clone")
    with pytest.raises(ObjectCorrupt):
        transfer.fetch([unmeddled(full, tmp_path / "fresh")], clone, [two])
    assert clone.missing(BIG) == set(BIG)
    with pytest.raises(ObjectMissing):
        transfer.fetch([unmeddled(full, tmp_path / "fresh")], clone, [one])


def test_names_that_are_not_ours_are_left_alone(full: RemoteStore, local: LocalStore) -> None:
    root = Path(full.url)
    strange = ["index/readme.txt", "index/zz.idx", f"index/{'g' * 64}.idx", "packs/x.pack", "other/thing"]
    for name in strange:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"mine")
    content = blobs(20, 300, seed=9)
    fill(local, content)
    for digest in content:
        transfer.push(again(local), full, [digest], repository="r")
    assert len(list((root / "index").iterdir())) < 3 + 16 + 4
    for name in strange:
        assert (root / name).read_bytes() == b"mine"
