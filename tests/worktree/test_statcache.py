"""Remembering files by what the system says of them."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.digest import Digest, fingerprint, hash_file
from tallystick.worktree import (
    Found,
    Identities,
    Identity,
    Known,
    Placed,
    Present,
    Scan,
    StatCache,
    Worktree,
    statcache,
)
from tallystick.worktree.columns import Files
from tests.worktree.house import identified, make

POINTER = "data.tally"


def settle(worktree: Worktree, path: str = "data") -> None:
    """Save the cache of a folder whose files are no longer young."""
    time.sleep(0.03)
    present = identified(worktree, path)
    assert present is not None
    worktree.save(f"{path}.tally", present.scan, Identities.of(present.scan.files, present.identities))


def look(worktree: Worktree) -> Known:
    scan = worktree.scan("data")
    assert scan is not None
    return worktree.known(scan, worktree.load(POINTER))


def to_hash(worktree: Worktree) -> list[bytes]:
    known = look(worktree)
    return [known.identities.files.paths[row] for row in known.to_hash]


@pytest.fixture
def settled(worktree: Worktree) -> Worktree:
    make(worktree.root / "data", {"a": b"one", "d/b": b"two", "l": "a", "e": None})
    settle(worktree)
    return worktree


def test_without_a_cache_every_file_is_to_be_hashed_but_neither_links_nor_folders(worktree: Worktree) -> None:
    make(worktree.root / "data", {"a": b"one", "l": "a", "e": None})
    known = look(worktree)
    assert [known.identities.files.paths[row] for row in known.to_hash] == [b"a"]
    assert known.identities.keys() == {b"l", b"e"}
    assert known.stale


def test_unchanged_files_are_known_without_reading_them(
    settled: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statcache, "fingerprint_file", None)
    known = look(settled)
    assert known.identities[b"d/b"] == Identity(Digest.of(b"two"), fingerprint(b"two"))
    assert (list(known.to_hash), known.stale) == ([], False)


@pytest.mark.parametrize("content", [b"ONE", b"longer than it was"])
def test_a_changed_file_is_to_be_hashed_again(settled: Worktree, content: bytes) -> None:
    (settled.root / "data/a").write_bytes(content)
    assert to_hash(settled) == [b"a"]


def test_a_touched_file_keeps_its_digest_and_the_cache_is_saved_anew(settled: Worktree) -> None:
    os.utime(settled.root / "data/a")
    known = look(settled)
    assert known.identities[b"a"].digest == Digest.of(b"one")
    assert (list(known.to_hash), known.stale) == ([], True)


def test_a_change_that_sets_the_time_back_is_noticed(settled: Worktree) -> None:
    place = settled.root / "data/a"
    before = place.stat()
    place.write_bytes(b"ONE")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert place.stat().st_mtime_ns == before.st_mtime_ns
    assert to_hash(settled) == [b"a"]


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_noticed(settled: Worktree) -> None:
    place = settled.root / "data/a"
    before = place.stat()
    other = settled.root / "other"
    other.write_bytes(b"ONE")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(place)
    assert to_hash(settled) == [b"a"]


def test_a_file_as_young_as_the_look_at_it_is_read_again(worktree: Worktree) -> None:
    """Write, look, write again: all within one tick of the file system's clock."""
    place = worktree.root / "data/a"
    place.parent.mkdir()
    noticed = 0
    for _ in range(20):
        place.write_bytes(b"one")
        present = identified(worktree, "data")
        assert present is not None
        worktree.save(POINTER, present.scan, Identities.of(present.scan.files, present.identities))
        place.write_bytes(b"two")
        noticed += to_hash(worktree) == [b"a"]
    assert noticed == 20


def test_an_entry_is_racy_when_its_time_is_not_older_than_the_stamp(settled: Worktree) -> None:
    scan = settled.scan("data")
    assert scan is not None
    cache = settled.load(POINTER)
    mtimes = [max(found.mtime, found.ctime) for found in scan.files]
    exact = replace(cache, stamp=max(mtimes))
    assert settled.known(scan, exact).stale
    later = replace(cache, stamp=max(mtimes) + 1)
    assert not settled.known(scan, later).stale


def test_a_deleted_file_makes_the_cache_stale(settled: Worktree) -> None:
    (settled.root / "data/a").unlink()
    (settled.root / "data/l").unlink()
    assert look(settled).stale


def test_a_file_that_can_not_be_read_is_left_to_whoever_hashes_it(
    settled: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(settled.root / "data/a")

    def failing(path: bytes, *_: object) -> bytes:
        raise PermissionError(path)

    monkeypatch.setattr(statcache, "fingerprint_file", failing)
    assert to_hash(settled) == [b"a"]


def test_large_touched_files_are_recognised_piece_by_piece(worktree: Worktree) -> None:
    make(worktree.root / "data", {"big": os.urandom(3_000_001)})
    settle(worktree)
    os.utime(worktree.root / "data/big")
    assert to_hash(worktree) == []
    with open(worktree.root / "data/big", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    assert to_hash(worktree) == [b"big"]


def test_a_single_file_is_remembered_too(worktree: Worktree) -> None:
    (worktree.root / "data").write_bytes(b"one")
    settle(worktree)
    known = look(worktree)
    assert (known.identities[b""].digest, known.stale) == (Digest.of(b"one"), False)


def test_deleting_or_damaging_the_cache_costs_only_time(settled: Worktree) -> None:
    file = settled.cache / POINTER
    whole = file.read_bytes()
    damaged = [b"", b"x", whole[:-1], whole + b"x", bytes([whole[0] ^ 1]) + whole[1:]]
    damaged += [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(0, len(whole), 7)]
    for data in damaged:
        file.write_bytes(data)
        assert not settled.load(POINTER).files
    file.unlink()
    assert to_hash(settled) == [b"a", b"d/b"]


def test_a_cache_that_can_not_be_written_is_no_error(settled: Worktree) -> None:
    present = identified(settled, "data")
    assert present is not None
    (settled.cache / "blocked").write_text("a file where a folder is needed")
    settled.save("blocked/data.tally", present.scan, Identities.of(present.scan.files, present.identities))
    assert sorted(os.listdir(settled.cache)) == ["blocked", POINTER]


def test_worktrees_keep_their_own_caches(settled: Worktree) -> None:
    other = Worktree(settled.root, settled.home, "other")
    assert not other.load(POINTER).files


FOUND = st.builds(
    Found,
    st.binary(max_size=20).filter(lambda path: b"\0" not in path),
    st.sampled_from("fxld"),
    st.integers(0, 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1),
)
IDENTITY = st.builds(
    Identity, st.binary(min_size=32, max_size=32).map(Digest), st.binary(min_size=16, max_size=16)
)


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.tuples(FOUND, IDENTITY), unique_by=lambda row: row[0].path),
    st.none() | st.binary(min_size=32, max_size=32).filter(any).map(Digest),
)
def test_what_is_written_is_read(
    stamp: int, rows: list[tuple[Found, Identity]], digest: Digest | None
) -> None:
    rows.sort()
    files = Files.of(found for found, _ in rows)
    identities = Identities.of(files, {found.path: identity for found, identity in rows})
    cache = statcache.parse(b"".join(statcache.render(statcache.StatCache(stamp, files, identities, digest))))
    assert (cache.stamp, cache.digest) == (stamp, digest)
    assert list(cache.files) == [found for found, _ in rows]
    assert [cache.identities[found.path] for found, _ in rows] == [identity for _, identity in rows]


@given(st.binary(max_size=300))
def test_any_other_bytes_are_an_empty_cache(data: bytes) -> None:
    assert statcache.parse(data) is statcache.NOTHING


def test_a_checksum_does_not_make_a_wrong_head_right(settled: Worktree) -> None:
    whole = (settled.cache / POINTER).read_bytes()[:-16]
    for at in range(32):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        cache = statcache.parse(changed + fingerprint(changed))
        assert not cache.files or 8 <= at < 16, "only the stamp may differ"


def test_the_fingerprint_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    for size in (0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 2_500_000):
        data = os.urandom(size)
        place = tmp_path / "file"
        place.write_bytes(data)
        assert statcache.fingerprint_file(os.fsencode(place)) == fingerprint(data)
        assert hash_file(os.fsencode(place)).fingerprint == fingerprint(data)


@given(
    st.sets(st.sampled_from("abcdefgh")),
    st.sets(st.sampled_from("bdfhik")),
    st.sets(st.sampled_from("acegi")),
)
def test_rows_merged_into_a_cache_are_as_if_they_had_been_saved_with_it(
    kept: set[str], gone: set[str], came: set[str]
) -> None:
    def row(name: str, size: int) -> tuple[Found, Identity]:
        return Found(name.encode(), "f", size, 2, 3, 4), Identity(Digest.of(name.encode()), bytes(16))

    def cache(rows: dict[str, tuple[Found, Identity]]) -> StatCache:
        files = Files.of(rows[name][0] for name in sorted(rows))
        told = {found.path: identity for found, identity in rows.values()}
        return StatCache(9, files, Identities.of(files, told))

    before = {name: row(name, 1) for name in kept | gone}
    after = {name: row(name, 1) for name in kept - gone - came} | {name: row(name, 2) for name in came}
    touched = sorted((gone | came) & before.keys())
    files = Files.of(before[name][0] for name in touched)
    present = Present(Scan("data", "tree", files, {}, 9, b""), {})
    placed = Placed(arrived={name.encode(): after[name] for name in came})
    merged = statcache.merged(cache(before), present, placed)
    assert statcache.render(merged) == statcache.render(cache(after))
