"""Push: nothing is lost, whatever happens in between."""

import shutil
import threading
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import ObjectCorrupt, ObjectMissing, RemoteUnreachable
from tallystick.records import root as root_record
from tallystick.records import tombstone as tombstone_record
from tallystick.records.tombstone import Tombstone
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.transfer import Pushed
from tests.store.conftest import again, blobs, files_below, fill
from tests.store.meddling import CONTENT, SMALL, Meddled, assert_whole, push, unmeddled

TEXT = {
    Digest.of(data): data for data in (b"%d the same words again and again\n" % n * 90 for n in range(50))
}


@pytest.fixture
def meddled(shelf: RemoteStore) -> Meddled:
    shelf.backend = Meddled(shelf.backend)
    return shelf.backend


@pytest.fixture
def full(local: LocalStore) -> LocalStore:
    fill(local, CONTENT)
    return local


def tiny_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small data fill many packs."""
    monkeypatch.setattr("tallystick.store.outgoing.PACK_SIZE", 500_000)


def test_what_is_too_much_for_one_root_record_stands_in_several(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.records.root.MOST_DIGESTS", 25)
    push(full, shelf)
    written = [root_record.parse(path.read_bytes()) for path in Path(shelf.url, "roots").iterdir()]
    assert sorted(len(root.digests) for root in written) == [12, 25, 25]
    assert {digest for root in written for digest in root.digests} == set(CONTENT)
    assert all(root.packs == written[0].packs for root in written)
    assert_whole(shelf, tmp_path)


def test_the_second_push_sends_nothing_in_a_handful_of_requests(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled
) -> None:
    sent = push(full, shelf)
    assert (sent.blobs, sent.size, sent.sent_blobs > 60) == (62, 6_060_000, True)
    meddled.requests.clear()
    second = push(full, shelf)
    assert (second.blobs, second.size, second.sent_blobs, second.sent_bytes, second.packs) == (
        62,
        6_060_000,
        0,
        0,
        0,
    )
    assert [request.partition("/")[0] for request in meddled.requests] == [
        "list index",
        "list packs",
        "put roots",
        "list tombstones",
        "list packs",
    ]


def test_pushing_nothing_writes_nothing(full: LocalStore, shelf: RemoteStore) -> None:
    before = files_below(Path(shelf.url))
    assert transfer.push(full, shelf, [], repository="r") == Pushed(0, 0, 0, 0, 0)
    assert files_below(Path(shelf.url)) == before


def test_writes_come_in_the_order_that_makes_them_a_transaction(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_packs(monkeypatch)
    push(full, shelf, jobs=4)
    written = [request[4:].partition("/")[0] for request in meddled.requests if request.startswith("put")]
    assert written == ["packs"] * (len(written) - 2) + ["index", "roots"]
    assert len(written) > 5


def test_a_small_change_in_a_large_file_sends_little(local: LocalStore, shelf: RemoteStore) -> None:
    (digest, data), *_ = blobs(1, 20_000_000).items()
    changed = data[:9_000_000] + b"!" + data[9_000_000:]
    with local.writer() as writer:
        writer.add(data)
        writer.add(changed)
    transfer.push(local, shelf, [digest], repository="r")
    pushed = transfer.push(local, shelf, [Digest.of(changed)], repository="r")
    assert pushed.size == 20_000_001
    assert pushed.sent_bytes < 1_000_000
    assert shelf.read(Digest.of(changed)) == changed


def test_text_is_sent_compressed_and_comes_back_whole(
    local: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    fill(local, TEXT)
    pushed = transfer.push(local, shelf, TEXT, repository="r")
    assert pushed.sent_bytes < pushed.size / 5
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([shelf], clone, TEXT)
    assert dict(clone.read_many(TEXT)) == TEXT


def test_a_full_pack_is_sent_as_it_is_but_for_its_nonce(
    full: LocalStore, shelf: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.store.outgoing.PACK_SIZE", 50_000)
    (kept,) = full.packs.glob("*.pack")
    transfer.push(full, shelf, SMALL, repository="r")
    (sent,) = Path(shelf.url).rglob("*.pack")
    assert sent.name != kept.name
    assert sent.stat().st_size == kept.stat().st_size
    assert sent.read_bytes()[:60_000] == kept.read_bytes()[:60_000]


def test_the_packs_of_many_small_adds_are_joined(local: LocalStore, shelf: RemoteStore) -> None:
    for digest, data in SMALL.items():
        fill(local, {digest: data})
    assert transfer.push(local, shelf, SMALL, repository="r").packs == 1


def test_part_of_a_pack_is_sent_without_the_rest(full: LocalStore, shelf: RemoteStore) -> None:
    some = set(list(SMALL)[::3])
    transfer.push(full, shelf, some, repository="r")
    assert shelf.missing(SMALL) == set(SMALL) - some
    transfer.push(full, shelf, SMALL, repository="r")
    assert shelf.missing(SMALL) == set()


def test_what_neither_side_has_is_named_in_full_before_anything_is_sent(
    full: LocalStore, shelf: RemoteStore
) -> None:
    before = files_below(Path(shelf.url))
    absent = set(blobs(3, seed=8))
    with pytest.raises(ObjectMissing) as caught:
        transfer.push(full, shelf, {*CONTENT, *absent}, repository="r")
    assert set(caught.value.digests) == absent
    assert shelf.url in caught.value.places
    assert files_below(Path(shelf.url)) == before


def test_what_only_the_remote_has_need_not_be_here(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    push(full, shelf)
    other = LocalStore(tmp_path / "other")
    fill(other, TEXT)
    assert transfer.push(other, shelf, {*CONTENT, *TEXT}, repository="r").sent_blobs == len(TEXT)


@pytest.mark.parametrize("damaged", ["small", "large"])
def test_a_damaged_blob_is_noticed_before_it_is_sent(
    full: LocalStore, shelf: RemoteStore, damaged: str
) -> None:
    pattern = "packs/*.pack" if damaged == "small" else "objects/*/*"
    path = next(iter(full.root.glob(pattern)))
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(ObjectCorrupt):
        push(full, shelf)
    assert not Path(shelf.url, "roots").exists()
    assert not Path(shelf.url, "index").exists()
    fill(again(full), CONTENT)
    push(full, unmeddled(shelf))
    assert unmeddled(shelf).missing(CONTENT) == set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_push_killed_at_any_write_is_finished_by_the_next(
    full: LocalStore,
    shelf: RemoteStore,
    meddled: Meddled,
    tmp_path: Path,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tallystick.store.outgoing.PACK_SIZE", 1_000_000)

    def kill(number: int, name: str) -> None:
        if number == deadly:
            raise KeyboardInterrupt

    setattr(meddled, when, kill)
    for deadly in range(1, 50):
        meddled.writes = 0
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        for name in ("packs", "index", "roots"):
            shutil.rmtree(Path(shelf.url, name), ignore_errors=True)
        try:
            push(full, shelf)
        except KeyboardInterrupt:
            resumed = push(full, unmeddled(shelf))
            assert_whole(shelf, tmp_path)
            # Sent again is at most the pack that was under way, and never what the journal knows to be there.
            assert resumed.sent_bytes < 6_100_000 - (deadly - 2) * 1_000_000
        else:
            break
    assert deadly > 7


def test_a_lost_answer_is_resolved_by_looking(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    def lose(number: int, name: str) -> None:
        raise RemoteUnreachable("the connection broke")

    meddled.after = lose
    push(full, shelf)
    assert_whole(shelf, tmp_path)


def test_a_write_that_did_not_happen_fails_the_push(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled
) -> None:
    def refuse(number: int, name: str) -> None:
        if name.startswith("index"):
            raise RemoteUnreachable("the connection broke")

    meddled.before = refuse
    with pytest.raises(RemoteUnreachable):
        push(full, shelf)
    assert not Path(shelf.url, "roots").exists()


def condemn(remote: RemoteStore, packs: set[Digest]) -> None:
    folder = Path(remote.url, "tombstones")
    folder.mkdir(exist_ok=True)
    text = tombstone_record.render(Tombstone("2026-01-01T00:00:00Z", tuple(packs)))
    (folder / f"{Digest.of(text).hex()}.json").write_bytes(text)


def test_condemned_packs_are_sent_again_under_new_names(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path
) -> None:
    push(full, shelf)
    condemned = set(shelf.pack_sizes())
    condemn(shelf, condemned)
    assert push(full, unmeddled(shelf)).packs == len(condemned)
    for pack in condemned:
        next(Path(shelf.url).rglob(f"{pack.hex()}.pack")).unlink()
    assert_whole(shelf, tmp_path)


def test_packs_deleted_while_a_push_relies_on_them_are_sent_again(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    push(full, shelf)

    def collect(number: int, name: str) -> None:
        if name.startswith("roots") and not collected:
            collected.append(name)
            shutil.rmtree(Path(shelf.url, "packs"))

    collected: list[str] = []
    meddled.before = collect
    push(full, shelf)
    assert collected
    assert_whole(shelf, tmp_path)


def test_a_store_that_deletes_everything_is_not_reported_as_success(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled
) -> None:
    meddled.before = lambda number, name: (
        shutil.rmtree(Path(shelf.url, "packs")) if name.startswith("roots") else None
    )
    with pytest.raises(RemoteUnreachable, match="deletes"):
        push(full, shelf)


def test_packs_that_were_noted_but_are_gone_are_sent_again(
    full: LocalStore, shelf: RemoteStore, meddled: Meddled, tmp_path: Path
) -> None:
    def kill(number: int, name: str) -> None:
        if name.startswith("index"):
            raise KeyboardInterrupt

    meddled.before = kill
    with pytest.raises(KeyboardInterrupt):
        push(full, shelf)
    assert len(shelf.journal.packs()) > 0
    shutil.rmtree(Path(shelf.url, "packs"))
    push(full, unmeddled(shelf))
    assert_whole(shelf, tmp_path)
    assert shelf.journal.packs() == []


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("pattern", ["*.pack", "*.idx"])
def test_cut_off_packs_or_indexes_are_healed_by_a_push(
    full: LocalStore, shelf: RemoteStore, tmp_path: Path, pattern: str, keeps: bool
) -> None:
    push(full, shelf)
    for path in Path(shelf.url).rglob(pattern):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[:-1])
    if not keeps:
        shutil.rmtree(tmp_path / "cache")
    assert push(full, unmeddled(shelf)).sent_blobs > 0
    assert_whole(shelf, tmp_path)


def test_several_pushes_at_once_lose_nothing(full: LocalStore, shelf: RemoteStore, tmp_path: Path) -> None:
    def one(number: int) -> None:
        transfer.push(again(full), unmeddled(shelf, tmp_path / f"cache-{number}"), CONTENT, repository="r")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_whole(shelf, tmp_path)
