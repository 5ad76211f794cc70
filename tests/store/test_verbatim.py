"""Packs that are sent as they lie in the local store: verified while they pass by."""

from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import ObjectCorrupt
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.index import PackName
from tallystick.store.pack import MAGIC, RAW, Contents, Encoder
from tallystick.store.verbatim import Verbatim, opened
from tests.store.conftest import again, blobs, fill

CONTENT = blobs(60)


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.store.outgoing.PACK_SIZE", 50_000)
    monkeypatch.setattr("tallystick.store.verbatim._PIECE", 7_000)


@pytest.fixture
def pack(local: LocalStore) -> Path:
    fill(local, CONTENT)
    (path,) = local.packs.glob("*.pack")
    return path


def changed(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def found(path: Path, blobs: int = len(CONTENT)) -> Verbatim | None:
    return opened(path, PackName(Digest(bytes.fromhex(path.stem)), path.stat().st_size), blobs, [])


def test_its_pieces_are_the_pack_but_for_the_nonce_and_make_its_name(pack: Path) -> None:
    parcel = found(pack)
    assert parcel is not None
    data = b"".join(map(bytes, parcel.pieces()))
    name = parcel.name()
    assert (name.digest, name.size) == (Digest.of(data), len(data))
    assert data[:-64] == pack.read_bytes()[:-64]
    assert name.digest.hex() != pack.stem
    assert (parcel.blobs, parcel.size) == (60, 60_000)
    assert {*parcel.digests()} == CONTENT.keys()
    assert not parcel.shrinks(Encoder())


@pytest.mark.parametrize("at", [0, 8, 30_000, 60_007])
def test_a_changed_byte_of_the_bodies_is_noticed_before_the_end(pack: Path, at: int) -> None:
    data = bytearray(pack.read_bytes())
    data[at] ^= 1
    changed(pack, data)
    parcel = found(pack)
    assert parcel is not None
    came = bytearray()
    with pytest.raises(ObjectCorrupt):
        for piece in parcel.pieces():
            came += piece
    assert not parcel.is_right
    assert len(came) < len(data) - 64


@pytest.mark.parametrize("at", [-1, -30, -64, -65, -100])
def test_a_changed_byte_of_the_table_or_trailer_is_noticed_at_once(pack: Path, at: int) -> None:
    data = bytearray(pack.read_bytes())
    data[at] ^= 1
    changed(pack, data)
    assert found(pack) is None


def test_a_pack_that_holds_more_than_is_wanted_or_is_gone_is_left_alone(pack: Path) -> None:
    assert found(pack, 59) is None
    assert found(pack, 61) is None
    assert found(pack, 10_000) is None
    assert opened(pack.with_name("none"), PackName(Digest.of(b""), 1000), 60, []) is None


def test_a_pack_that_vanishes_or_is_cut_off_under_way_is_not_right(pack: Path) -> None:
    parcel, data = found(pack), pack.read_bytes()
    assert parcel is not None
    changed(pack, data[:30_000])
    with pytest.raises(ObjectCorrupt):
        list(parcel.pieces())
    changed(pack, data)
    parcel = found(pack)
    assert parcel is not None
    pack.unlink()
    with pytest.raises(ObjectCorrupt):
        list(parcel.pieces())


def test_a_damaged_pack_leaves_no_file_at_the_remote_and_names_its_damaged_blob(
    local: LocalStore, shelf: RemoteStore, pack: Path
) -> None:
    data = bytearray(pack.read_bytes())
    data[1_500] ^= 1
    changed(pack, data)
    with pytest.raises(ObjectCorrupt) as caught:
        transfer.push(again(local), shelf, CONTENT, repository="r")
    (damaged,) = caught.value.digests
    assert damaged in CONTENT
    assert [path for path in Path(shelf.url).rglob("*") if path.is_file()] == [
        Path(shelf.url, "tally-store.json")
    ]
    assert (local.quarantine / pack.name).exists()
    fill(again(local), CONTENT)
    assert transfer.push(again(local), shelf, CONTENT, repository="r").sent_blobs == 60


def test_a_blob_that_went_wrong_before_its_pack_was_named_is_noticed(tmp_path: Path) -> None:
    """As when a bit in memory flips between hashing a blob and hashing its pack."""
    contents, bodies = Contents(), bytearray(MAGIC)
    for digest, data in CONTENT.items():
        contents.append(digest, len(data), len(data), RAW)
        bodies += data
    bodies[-1] ^= 1
    pack = bytes(bodies + contents.footer())
    path = tmp_path / f"{Digest.of(pack).hex()}.pack"
    path.write_bytes(pack)
    parcel = found(path)
    assert parcel is not None
    with pytest.raises(ObjectCorrupt):
        list(parcel.pieces())
    assert not parcel.is_right


def test_what_a_refused_pack_holds_is_sent_blob_by_blob(
    local: LocalStore, shelf: RemoteStore, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading went wrong once: all blobs are as they should be."""
    monkeypatch.setattr("tallystick.store.verbatim.blake3_hasher", Forgetful)
    pushed = transfer.push(again(local), shelf, CONTENT, repository="r")
    assert (pushed.sent_blobs, pushed.packs) == (60, 2)
    assert shelf.missing(CONTENT) == set()
    assert {shelf.read(digest) for digest in CONTENT} == set(CONTENT.values())


class Forgetful:
    """A hasher that gets everything wrong."""

    def update(self, data: bytes) -> None:
        pass

    def copy(self) -> "Forgetful":
        return self

    def digest(self) -> bytes:
        return bytes(32)


def test_one_small_pack_alone_is_not_packed_anew(
    local: LocalStore, shelf: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.store.outgoing.PACK_SIZE", 32 << 20)
    monkeypatch.setattr("tallystick.store.verbatim._PIECE", 1 << 20)
    content = blobs(3, 500_000)
    fill(local, content)
    (kept,) = local.packs.glob("*.pack")
    transfer.push(local, shelf, content, repository="r")
    (sent,) = Path(shelf.url).rglob("*.pack")
    assert sent.read_bytes()[:1_500_000] == kept.read_bytes()[:1_500_000]
    assert sent.name != kept.name
