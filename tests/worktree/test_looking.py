"""Looking at many files by several processes: the same answer as one by one."""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tallystick import crew, sight
from tallystick.digest import SMALL, Digest
from tallystick.errors import Refused, TallyError
from tallystick.progress import Progress, Silent
from tallystick.worktree import Known, Scan, StatCache, Worktree, looking, scan, statcache
from tallystick.worktree.looking import Looking, Told
from tallystick.worktree.walking import Run
from tests.worktree.house import make
from tests.worktree.test_statcache import POINTER, settle

FILES = {f"{folder}/f{number:02}": b"%d" % number * number for folder in "abc" for number in range(20)}
EVERY = FILES | {
    "a/x/deep": b"1",
    "large": bytes(SMALL),
    "larger": bytes(17 << 20),
    "link": "large",
    "none": b"",
}


class Counted(Silent):
    """Progress that adds up what it hears of."""

    def __init__(self) -> None:
        self.begun = (0, 0)
        self.steps: list[tuple[int, int]] = []

    def begin(self, _what: str, *, files: int = 0, size: int = 0) -> None:
        self.begun = (files, size)

    def advance(self, files: int = 0, size: int = 0) -> None:
        self.steps.append((files, size))


@pytest.fixture(params=["alone", "helped", "in vain"])
def helpers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this process alone, with two helpers, with two that do not start."""
    monkeypatch.setattr(looking, "ENOUGH", 100_000 if request.param == "alone" else 1)
    monkeypatch.setattr(looking, "_TASK_FILES", 7)
    monkeypatch.setattr(crew, "helpers", lambda: 2)
    if request.param == "in vain":
        monkeypatch.setattr(looking, "_MODULE", "tallystick.nowhere")


@pytest.fixture
def touched(worktree: Worktree) -> Path:
    """A folder that is remembered, and all its files touched since."""
    data = worktree.root / "data"
    make(data, EVERY)
    settle(worktree)
    for name, content in EVERY.items():
        if isinstance(content, bytes):
            os.utime(data / name)
    return data


def look(worktree: Worktree, progress: Progress | None = None) -> Known:
    cache, progress = worktree.load(POINTER), progress or Silent()
    found = worktree.scan("data", cache, progress)
    assert found is not None
    return worktree.known(found, cache, progress)


@pytest.mark.usefixtures("helpers", "touched")
def test_touched_files_keep_their_digests(worktree: Worktree) -> None:
    known = look(worktree)
    assert (list(known.to_hash), known.stale) == ([], True)
    found = {path: identity.digest for path, identity in known.identities.items()}
    assert found == {name.encode(): Digest.of(os.fsencode(content)) for name, content in EVERY.items()}


@pytest.mark.usefixtures("helpers")
def test_changed_files_are_to_be_hashed(worktree: Worktree, touched: Path) -> None:
    for name in ("a/f03", "b/f00", "large", "larger"):
        before = touched / name
        size = before.stat().st_size
        before.write_bytes(os.urandom(size) if size else b"new")
    known = look(worktree)
    changed = sorted(known.identities.files.paths[row] for row in known.to_hash)
    assert changed == [b"a/f03", b"b/f00", b"large", b"larger"]


def test_what_can_not_be_read_any_more_is_to_be_hashed_by_whoever_says_why(
    worktree: Worktree, touched: Path
) -> None:
    scan, cache = worktree.scan("data"), worktree.load(POINTER)
    assert scan is not None
    (touched / "none").unlink()
    (touched / "none").mkdir()
    (touched / "a/f05").unlink()
    (touched / "a/x/deep").unlink()
    (touched / "a/x").rmdir()
    known = worktree.known(scan, cache)
    gone = sorted(scan.files.paths[row] for row in known.to_hash)
    assert gone == [b"a/f05", b"a/x/deep", b"none"]


def test_the_whole_is_known_without_its_list_if_nothing_but_times_changed(
    worktree: Worktree, touched: Path
) -> None:
    scan = worktree.scan("data")
    assert scan is not None
    cache = replace(worktree.load(POINTER), digest=Digest.of(b"the list of all"))
    assert worktree.known(scan, cache).digest == cache.digest
    (touched / "a/f01").write_bytes(b"2")
    assert worktree.known(scan, cache).digest is None


@pytest.mark.parametrize("change", ["mode", "link", "new", "gone"])
def test_the_whole_is_another_if_more_than_times_changed(
    worktree: Worktree, touched: Path, change: str
) -> None:
    cache = replace(worktree.load(POINTER), digest=Digest.of(b"the list of all"))
    if change == "mode":
        (touched / "a/f01").chmod(0o755)
    elif change == "link":
        (touched / "link").unlink()
        (touched / "link").symlink_to("a/f01")
    elif change == "new":
        (touched / "new").write_bytes(b"")
    else:
        (touched / "a/f01").unlink()
    scan = worktree.scan("data")
    assert scan is not None
    assert worktree.known(scan, cache).digest is None


def test_progress_counts_every_file_and_byte_and_moves_within_large_files(
    worktree: Worktree, touched: Path
) -> None:
    found, progress = worktree.scan("data"), Counted()
    assert found is not None
    worktree.known(found, worktree.load(POINTER), progress)
    files = [path for path in touched.rglob("*") if path.is_file() and not path.is_symlink()]
    total = sum(path.stat().st_size for path in files)
    assert progress.begun == (len(files), total)
    assert sum(count for count, _ in progress.steps) == len(files)
    assert total - len(files) <= sum(size for _, size in progress.steps) <= total
    assert max(size for _, size in progress.steps) <= 1 << 20


@pytest.mark.usefixtures("helpers", "touched")
def test_progress_of_a_shared_look_counts_every_file_that_is_remembered(worktree: Worktree) -> None:
    progress, cache = Counted(), worktree.load(POINTER)
    worktree.scan("data", cache, progress)
    expected = len(cache.files) if looking.pays(cache) else 0
    assert progress.begun == (expected, 0)
    assert sum(count for count, _ in progress.steps) == expected


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is remembered is shared out, in small tasks, to helpers that do not start."""

    def refuse(_module: str, _inherited: Iterable[int]) -> None:
        raise TallyError("no helper today")

    monkeypatch.setattr(looking, "ENOUGH", 1)
    monkeypatch.setattr(looking, "_TASK_FILES", 5)
    monkeypatch.setattr(crew, "helpers", lambda: 1)
    monkeypatch.setattr(crew, "Helper", refuse)


def both(worktree: Worktree, cache: StatCache) -> tuple[Scan | None, Scan | None]:
    """A look that is shared, and one that is not."""
    assert looking.pays(cache)
    stamp = worktree.clock.now(worktree.cache, os.fspath(worktree.root))
    one = scan.scan(worktree.root, "data", stamp, worktree.ours, cache)
    return one, scan.scan(worktree.root, "data", stamp, worktree.ours)


def grown(random: Random, depth: int = 0) -> Iterator[tuple[str, bytes | str | None]]:
    """Names that sort differently as folders and as files, and what stands there."""
    for name in random.sample(["a", "a.b", "a0", "b", "b-", "c", "d", "e f"], random.randint(1, 7)):
        kind = random.random()
        if kind < 0.35 and depth < 3:
            yield from ((f"{name}/{below}", content) for below, content in grown(random, depth + 1))
        elif kind < 0.4:
            yield name, None
        elif kind < 0.45:
            yield name, "a"
        else:
            yield name, random.randbytes(SMALL if kind > 0.98 else random.randint(0, 9))


def change(random: Random, place: Path) -> None:
    """Something that may have happened to a file, a link or an empty folder since the last look."""
    kind = random.choice(["touch", "rewrite", "grow", "mode", "gone", "folder", "none", "link", "beside"])
    if kind in ("touch", "rewrite", "grow", "mode") and (place.is_symlink() or not place.is_file()):
        return
    if kind == "touch":
        os.utime(place)
    elif kind in ("rewrite", "grow"):
        place.write_bytes(random.randbytes(place.stat().st_size + (kind == "grow")))
    elif kind == "mode":
        place.chmod(0o755)
    elif kind == "beside":
        make(place.with_name(f"{place.name}-{random.random()}"), dict(grown(random, 2)))
        place.with_name(f"{place.name}+").write_bytes(b"1")
    else:
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        if kind == "link":
            place.symlink_to("a")
        elif kind != "gone":
            make(place, {"below": b"1", "a/b": b"2"} if kind == "folder" else {})


def told_of(found: Scan, cache: StatCache) -> tuple[object, ...]:
    known = statcache.known(found, cache, Silent())
    return sorted(known.to_hash), known.stale, known.digest, dict(known.identities), known.base


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("seed", range(60))
def test_whatever_happened_a_shared_look_finds_the_same_as_a_single_one(
    worktree: Worktree, seed: int
) -> None:
    random, data = Random(seed), worktree.root / "data"
    make(data, {"x/y/z": b"", **dict(grown(random))})
    settle(worktree)
    cache = replace(worktree.load(POINTER), digest=Digest.of(b"the list of all"))
    if seed % 3 == 0:
        # As if all of it had been written while it was looked at.
        cache = replace(cache, stamp=0)
    for path in [*cache.files.paths]:
        place = data / os.fsdecode(path)
        if random.random() < seed % 4 * 0.1 and os.path.lexists(place):
            change(random, place)
    one, other = both(worktree, cache)
    assert one is not None
    assert other is not None
    assert one == other
    assert told_of(one, cache) == told_of(other, cache)


@pytest.mark.usefixtures("shared")
def test_what_is_unchanged_is_told_to_be_what_is_remembered(worktree: Worktree) -> None:
    make(worktree.root / "data", {name: content for name, content in EVERY.items() if name != "a/x/deep"})
    settle(worktree)
    cache = replace(worktree.load(POINTER), digest=Digest.of(b"the list of all"))
    one, other = both(worktree, cache)
    assert one is not None
    assert one == other
    assert one.files.paths is cache.files.paths
    assert statcache.known(one, cache, Silent()).base is cache


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("name", ["a/new.tally", "a/.git", "a/pipe", "a/f03", "away"])
def test_a_shared_look_refuses_what_a_single_one_refuses(
    worktree: Worktree, touched: Path, name: str
) -> None:
    place = touched / name
    place.unlink(missing_ok=True)
    if name == "away":
        place.symlink_to("../../elsewhere")
    elif name in ("a/pipe", "a/f03"):
        os.mkfifo(place)
    else:
        place.write_bytes(b"")
    said = []
    for cache in (worktree.load(POINTER), statcache.NOTHING):
        with pytest.raises(Refused) as refused:
            worktree.scan("data", cache)
        said.append((refused.value.message, refused.value.hint))
    assert said[0] == said[1]


@pytest.mark.usefixtures("shared")
def test_files_that_vanish_while_they_are_looked_at_are_left_out(
    worktree: Worktree, touched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Looking.told

    def too_late(looking: Looking, wanted: Iterable[Run], progress: Progress) -> Told:
        (touched / "a/f03").unlink()
        (touched / "a/x/deep").unlink()
        shutil.rmtree(touched / "b")
        (touched / "c/f07").unlink()
        make(touched / "c/f07", {"below": b"1"})
        return told(looking, wanted, progress)

    monkeypatch.setattr(Looking, "told", too_late)
    one, other = both(worktree, worktree.load(POINTER))
    assert one == other
    assert one is not None
    assert {b"a/x", b"c/f07/below"} < set(one.files.paths)


@pytest.mark.usefixtures("shared", "touched")
def test_what_nobody_could_look_at_is_looked_at_by_the_walk(
    worktree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight, "_entered", lambda _top, _path: os.open("/nowhere", os.O_RDONLY))
    cache = worktree.load(POINTER)
    one, other = both(worktree, cache)
    assert one == other
    assert one is not None
    assert one.told is not None
    assert not any(one.told.seen)


@pytest.mark.usefixtures("shared", "touched")
def test_what_was_seen_counts_only_for_the_cache_that_was_looked_for(worktree: Worktree) -> None:
    cache = worktree.load(POINTER)
    one, _ = both(worktree, cache)
    assert one is not None
    assert one.told is not None
    assert any(one.told.of(cache))
    assert not any(one.told.of(worktree.load(POINTER)))


@pytest.mark.usefixtures("shared")
def test_a_look_does_not_count_as_a_read(worktree: Worktree, touched: Path) -> None:
    for path in touched.glob("a/f*"):
        os.utime(path, ns=(1, path.stat().st_mtime_ns))
    assert not look(worktree).to_hash
    assert {path.stat().st_atime_ns for path in touched.glob("a/f*")} == {1}


def test_no_link_leads_a_shared_look_out_of_the_folder(worktree: Worktree, touched: Path) -> None:
    outside = worktree.root / "outside"
    make(outside, {f"f{number:02}": b"%d" % number * number for number in range(20)})
    shutil.rmtree(touched / "a")
    (touched / "a").symlink_to(outside)
    top = os.open(touched, os.O_RDONLY)
    assert set(sight._looks(top, [b"a/f01", b"a/f02"])) == {sight.NOTHING}
    os.close(top)
