"""Many single files in one stat cache."""

import os
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.worktree import Identity, Worktree
from tallystick.worktree.columns import Files, Found, Identities, StatCache
from tallystick.worktree.scan import Scan
from tallystick.worktree.singles import joined, part, scan

OLD = 1_000


def _found(name: str, time: int = 1) -> Found:
    return Found(name.encode(), "f", 1, time, time, ord(name[0]))


def _cache(names: str, stamp: int, young: str = "") -> StatCache:
    files = Files.of(_found(name, stamp if name in young else 1) for name in names)
    return StatCache(stamp, files, _identities(files))


def _identities(files: Files) -> Identities:
    return Identities.of(files, {path: Identity(Digest.of(path), path * 16) for path in files.paths})


def _seen(names: str, stamp: int) -> Scan:
    return Scan("files", "tree", Files.of(map(_found, names)), {}, stamp, b"/")


def _is_whole(cache: StatCache, names: str) -> bool:
    known = {path: identity.digest for path, identity in cache.identities.items()}
    wanted = {name.encode(): Digest.of(name.encode()) for name in names}
    return known == wanted and cache.files.paths == list(wanted)


def test_only_regular_files_are_seen_and_none_behind_a_link(tmp_path: Path) -> None:
    for name in ("a/x", "a/b/y", "a-z", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "c").chmod(0o755)
    (tmp_path / "link").symlink_to("c")
    (tmp_path / "folder").symlink_to("a")
    os.mkfifo(tmp_path / "pipe")
    asked = [b"c", b"a/x", b"a-z", b"a/b/y", b"a/x", b"a", b"link", b"folder/x", b"pipe", b"gone", b"c/below"]
    found = scan(tmp_path, asked, 7)
    assert [(each.path, each.mode) for each in found.files] == [
        (b"a-z", "f"),
        (b"a/b/y", "f"),
        (b"a/x", "f"),
        (b"c", "x"),
    ]
    assert found.place(b"a/x") == os.fsencode(tmp_path / "a/x")


def test_a_cache_of_many_tells_of_a_few(tmp_path: Path) -> None:
    assert _is_whole(part(_cache("abcdefg", OLD), _seen("bcf", OLD).files), "bcf")
    assert _is_whole(part(_cache("abc", OLD), _seen("xyz", OLD).files), "")


def test_what_a_look_found_joins_what_was_known_before() -> None:
    cases = (("abc", "xyz"), ("bdf", "aceg"), ("abc", "abc"), ("", "ab"), ("abcd", "bc"), ("b", "ab"))
    for before, seen in cases:
        look = _seen(seen, OLD + 1)
        cache = joined(_cache(before, OLD), look, _identities(look.files))
        assert _is_whole(cache, "".join(sorted({*before, *seen})))
        assert cache.stamp == OLD + 1


def test_what_was_as_young_as_the_former_look_is_not_kept() -> None:
    look = _seen("x", OLD + 1)
    assert _is_whole(joined(_cache("abc", OLD, young="b"), look, _identities(look.files)), "acx")


def test_a_file_whose_identity_is_unknown_is_not_kept() -> None:
    look = _seen("abc", OLD)
    identities = _identities(look.files)
    identities.known[1] = 0
    assert _is_whole(joined(_cache("", OLD), look, identities), "ac")


def test_a_cache_that_would_grow_too_large_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.worktree.singles.MOST", 3)
    look = _seen("x", OLD)
    assert _is_whole(joined(_cache("abc", OLD), look, _identities(look.files)), "x")


def test_files_are_known_again_until_they_change(tmp_path: Path) -> None:
    worktree = Worktree(tmp_path, tmp_path / "home", "main")
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1, 1))
    seen = worktree.scan_files(["a", "b"])
    assert list(worktree.known_files(seen).to_hash) == [0, 1]
    worktree.keep_files(seen, _identities(seen.files))
    (tmp_path / "b").write_text("longer")
    again = Worktree(tmp_path, tmp_path / "home", "main")
    assert list(again.known_files(again.scan_files(["a", "b"])).to_hash) == [1]
