"""Making a path hold what is wanted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectCorrupt, Refused, TallyError, WouldLoseChanges
from tallystick.records.tree import Entry
from tallystick.worktree import Content, Placed, Worktree, staging
from tests.worktree.house import Files, Source, entries, expected, identified, make, seen

ONE: Files = {"a": b"1", "run*": b"2", "d/e/f": b"3", "l": "d/e/f", "empty/inner": None, "same": b"same"}
TWO: Files = {"a": b"one", "run": b"2", "d/g": b"4", "l": "d/g", "other": None, "same": b"same"}


def place(
    worktree: Worktree, wanted: Files, before: Files | None = None, *, force: bool = False
) -> tuple[Placed, Source]:
    """Place a tree at `data` whose present files may be those of `before`."""
    source = Source(wanted)
    placed = worktree.place(
        "data",
        "tree",
        entries(wanted),
        source,
        present=identified(worktree, "data"),
        expected=expected(before or {}),
        force=force,
    )
    return placed, source


def leftovers(worktree: Worktree) -> list[str]:
    home = worktree.home / "placing"
    return os.listdir(home) if home.exists() else []


def test_a_tree_is_placed_where_nothing_was(worktree: Worktree) -> None:
    placed, _ = place(worktree, ONE)
    assert seen(worktree, "data") == entries(ONE)
    assert placed == Placed(written=6, size=12)
    assert leftovers(worktree) == []


def test_folders_above_are_made(worktree: Worktree) -> None:
    worktree.place("deep/er/data", "tree", entries(ONE), Source(ONE))
    assert seen(worktree, "deep/er/data") == entries(ONE)


def test_an_empty_tree_is_a_folder(worktree: Worktree) -> None:
    place(worktree, {})
    assert (worktree.root / "data").is_dir()


def test_only_what_differs_is_touched(worktree: Worktree) -> None:
    place(worktree, ONE)
    before = (worktree.root / "data/same").stat().st_ctime_ns
    run = (worktree.root / "data/run").stat()
    placed, source = place(worktree, TWO, ONE)
    assert seen(worktree, "data") == entries(TWO)
    assert (worktree.root / "data/same").stat().st_ctime_ns == before
    assert (worktree.root / "data/run").stat().st_ino == run.st_ino
    assert sorted(source.asked) == [b"a", b"d/g", b"l"]
    assert (placed.written, placed.removed, placed.changed_modes) == (4, 2, 1)
    assert not (worktree.root / "data/empty").exists()
    assert not (worktree.root / "data/d/e").exists()


def test_nothing_to_do_touches_nothing(worktree: Worktree) -> None:
    place(worktree, ONE)
    files = sorted((worktree.root / "data").rglob("*"))
    before = [(path, path.lstat().st_ino, path.lstat().st_ctime_ns) for path in files]
    placed, source = place(worktree, ONE)
    assert (placed, source.asked) == (Placed(), [])
    assert [(path, path.lstat().st_ino, path.lstat().st_ctime_ns) for path in files] == before


def test_missing_files_are_put_back_beside_the_others(worktree: Worktree) -> None:
    place(worktree, ONE)
    (worktree.root / "data/d/e/f").unlink()
    (worktree.root / "data/l").unlink()
    placed, source = place(worktree, ONE)
    assert sorted(source.asked) == [b"d/e/f", b"l"]
    assert seen(worktree, "data") == entries(ONE)
    assert placed.written == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"x": b"1"}, {"x/y": b"2"}),
        ({"x/y": b"1"}, {"x": b"2"}),
        ({"x/y/z": b"1", "x/w": None}, {"x": b"2"}),
        ({"x": None}, {"x": b"2"}),
        ({"x": None}, {"x/y": b"1"}),
        ({"x": b"1"}, {"x": None}),
        ({"x": "y", "y": b"1"}, {"x/z": b"1", "y": b"1"}),
        ({"x/z": b"1", "y": b"1"}, {"x": "y", "y": b"1"}),
        ({"x": "y", "y": b"y"}, {"x": b"y", "y": b"y"}),
        ({"x": b"y", "y": b"y"}, {"x": "y", "y": b"y"}),
        ({"x": b"1"}, {}),
        ({}, {"x": b"1"}),
    ],
)
def test_files_folders_and_links_take_each_others_places(
    worktree: Worktree, before: Files, after: Files
) -> None:
    place(worktree, before)
    place(worktree, after, before)
    assert seen(worktree, "data") == entries(after)


NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "b/c/d", "b/c", "c d", "\udcff"])
CONTENTS = st.one_of(st.none(), st.sampled_from([b"", b"1", b"2"]), st.sampled_from(["a", "b"]))
TREES = st.dictionaries(NAMES, CONTENTS, max_size=6).filter(
    lambda files: not any(one.startswith(other + "/") for one in files for other in files)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES, TREES)
def test_any_tree_turns_into_any_other(
    tmp_path_factory: pytest.TempPathFactory, one: Files, two: Files
) -> None:
    root = tmp_path_factory.mktemp("any")
    worktree = Worktree(root, root / ".git/tally", "main")
    place(worktree, one)
    assert seen(worktree, "data") == entries(one)
    place(worktree, two, one)
    assert seen(worktree, "data") == entries(two)
    assert leftovers(worktree) == []


def test_a_single_file_is_placed_and_replaced(worktree: Worktree) -> None:
    for content, name in ((b"1", ""), (b"2", "*")):
        wanted = entries({name: content})
        present = identified(worktree, "f")
        known = {b"": Digest.of(b"1")}
        worktree.place("f", "file", wanted, Source({"": content}), present=present, expected=known)
        assert seen(worktree, "f") == wanted


def test_a_file_becomes_a_folder_and_back(worktree: Worktree) -> None:
    (worktree.root / "data").write_bytes(b"0")
    place(worktree, ONE, {"": b"0"})
    assert seen(worktree, "data") == entries(ONE)
    file = entries({"": b"0"})
    present = identified(worktree, "data")
    worktree.place("data", "file", file, Source({"": b"0"}), present=present, expected=expected(ONE))
    assert seen(worktree, "data") == file


def test_a_large_file_is_copied_from_a_file_and_stays_writable(worktree: Worktree, tmp_path: Path) -> None:
    stored = tmp_path / "object"
    stored.write_bytes(os.urandom(2_000_000))
    stored.chmod(0o444)
    digest = Digest.of(stored.read_bytes())
    entry = Entry("f", digest, 2_000_000, b"big")
    worktree.place("data", "tree", [entry], lambda _: [(entry, stored)])
    place_ = worktree.root / "data/big"
    assert Digest.of(place_.read_bytes()) == digest
    assert place_.stat().st_ino != stored.stat().st_ino
    assert place_.stat().st_mode & 0o200


@pytest.mark.parametrize("name", ["a", "run", "d/e/f", "l"])
@pytest.mark.parametrize("wanted", [TWO, {}])
def test_changes_of_the_user_are_never_lost(worktree: Worktree, name: str, wanted: Files) -> None:
    place(worktree, ONE)
    file = worktree.root / "data" / name
    file.unlink()
    file.write_bytes(b"mine")
    before = seen(worktree, "data")
    if name == "run" and wanted:
        wanted = {**wanted, "run": b"3"}
    with pytest.raises(WouldLoseChanges) as caught:
        place(worktree, wanted, ONE)
    assert caught.value.paths == (f"data/{name}",)
    assert seen(worktree, "data") == before, "nothing at all was touched"
    place(worktree, wanted, ONE, force=True)
    assert seen(worktree, "data") == entries(wanted)


def test_new_files_of_the_user_are_not_removed(worktree: Worktree) -> None:
    place(worktree, ONE)
    (worktree.root / "data/mine").write_bytes(b"mine")
    with pytest.raises(WouldLoseChanges, match="data/mine"):
        place(worktree, TWO, ONE)


def test_a_change_of_the_user_that_is_already_wanted_is_no_loss(worktree: Worktree) -> None:
    place(worktree, ONE)
    (worktree.root / "data/a").write_bytes(b"one")
    place(worktree, {**ONE, "a": b"one"}, ONE)


def test_a_change_made_after_the_look_is_not_overwritten(worktree: Worktree) -> None:
    place(worktree, ONE)
    present = identified(worktree, "data")
    (worktree.root / "data/a").write_bytes(b"just now")
    with pytest.raises(WouldLoseChanges, match="data/a"):
        worktree.place("data", "tree", entries(TWO), Source(TWO), present=present, expected=expected(ONE))
    assert (worktree.root / "data/a").read_bytes() == b"just now"


def test_a_file_made_after_the_look_is_not_overwritten(worktree: Worktree) -> None:
    place(worktree, ONE)
    present = identified(worktree, "data")
    make(worktree.root / "data", {"d/g": b"just now"})
    with pytest.raises(WouldLoseChanges, match="data/d/g"):
        worktree.place("data", "tree", entries(TWO), Source(TWO), present=present, expected=expected(ONE))
    assert (worktree.root / "data/d/g").read_bytes() == b"just now"
    place(worktree, TWO, force=True)
    assert seen(worktree, "data") == entries(TWO)


def test_without_hard_links_a_name_is_still_never_taken_from_another(
    worktree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unable)
    place(worktree, {"same": b"same"})
    present = identified(worktree, "data")
    place(worktree, {"same": b"same", "new": b"1"})
    assert (worktree.root / "data/new").read_bytes() == b"1"
    with pytest.raises(WouldLoseChanges):
        worktree.place(
            "data",
            "tree",
            entries({"new": b"2"}),
            Source({"new": b"2"}),
            present=present,
            expected={b"same": Digest.of(b"same")},
        )
    assert (worktree.root / "data/new").read_bytes() == b"1"


HOSTILE = [
    b"../x",
    b"a/../../x",
    b"/etc/x",
    b"a//x",
    b".",
    b"..",
    b"",
    b".git/hooks/x",
    b"a/.GIT/config",
    b"a\0b",
]


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("fresh", [True, False])
def test_a_path_that_leads_out_is_refused(worktree: Worktree, path: bytes, fresh: bool) -> None:
    if not fresh:
        place(worktree, {"same": b"same"})
    wanted = [Entry("f", Digest.of(b"1"), 1, b"first"), Entry("f", Digest.of(b"1"), 1, path)]
    with pytest.raises(BadRecord):
        worktree.place("data", "tree", wanted, Source({"": b"1"}), present=identified(worktree, "data"))
    with pytest.raises(BadRecord):
        worktree.place("data", "tree", wanted[1:], Source({"": b"1"}), present=identified(worktree, "data"))
    assert not (worktree.root / "data/first").exists()


def test_a_tree_is_no_single_file(worktree: Worktree) -> None:
    for wanted in (entries({"a": b"1"}), entries({"": "link"}), entries({"": b"1", "b": b"1"}), []):
        with pytest.raises(BadRecord):
            worktree.place("f", "file", wanted, Source({"": b"1", "l": "link"}))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "x/../../outside"])
@pytest.mark.parametrize("fresh", [True, False])
def test_a_link_out_of_the_tree_is_refused(worktree: Worktree, target: str, fresh: bool) -> None:
    if not fresh:
        place(worktree, {"same": b"same"})
    with pytest.raises(Refused):
        place(worktree, {"same": b"same", "d/l": target})
    assert not os.path.lexists(worktree.root / "data/d/l")


def outside(tmp_path: Path) -> Path:
    make(tmp_path / "outside", {"precious": b"1"})
    return tmp_path / "outside"


def test_nothing_is_written_through_a_link_in_place_of_a_folder(worktree: Worktree, tmp_path: Path) -> None:
    target = outside(tmp_path)
    place(worktree, {"d/a": b"1", "same": b"same"})
    present = identified(worktree, "data")
    (worktree.root / "data/d/a").unlink()
    (worktree.root / "data/d").rmdir()
    (worktree.root / "data/d").symlink_to(target)
    with pytest.raises((Refused, WouldLoseChanges)):
        worktree.place(
            "data",
            "tree",
            entries({"d/a": b"2", "d/precious": b"evil"}),
            Source({"": b"2", "e": b"evil"}),
            present=present,
            force=True,
        )
    assert os.listdir(target) == ["precious"]
    assert (target / "precious").read_bytes() == b"1"


@pytest.mark.parametrize("force", [True, False])
def test_nothing_is_written_through_a_link_above(worktree: Worktree, tmp_path: Path, force: bool) -> None:
    target = outside(tmp_path)
    (worktree.root / "linked").symlink_to(target)
    with pytest.raises(Refused):
        worktree.place("linked/data", "tree", entries(ONE), Source(ONE), force=force)
    with pytest.raises(Refused):
        worktree.place("linked/precious", "file", entries({"": b"2"}), Source({"": b"2"}), force=force)
    assert os.listdir(target) == ["precious"]
    assert (target / "precious").read_bytes() == b"1"


def test_a_link_that_stands_at_the_path_is_not_followed(worktree: Worktree, tmp_path: Path) -> None:
    target = outside(tmp_path)
    (worktree.root / "f").symlink_to(target / "precious")
    with pytest.raises(WouldLoseChanges):
        worktree.place("f", "file", entries({"": b"2"}), Source({"": b"2"}))
    worktree.place("f", "file", entries({"": b"2"}), Source({"": b"2"}), force=True)
    assert (target / "precious").read_bytes() == b"1"
    assert (worktree.root / "f").read_bytes() == b"2"


def test_nothing_is_written_into_another_repository(worktree: Worktree) -> None:
    make(worktree.root / "sub", {".git/HEAD": b"ref"})
    with pytest.raises(Refused, match="another git repository"):
        worktree.place("sub/data", "tree", entries(ONE), Source(ONE))


@pytest.mark.parametrize("fresh", [True, False])
def test_wrong_bytes_are_never_placed(worktree: Worktree, tmp_path: Path, fresh: bool) -> None:
    if not fresh:
        place(worktree, {"same": b"same"})
    wrong = tmp_path / "object"
    wrong.write_bytes(b"wrong")
    contents: list[Content] = [b"wrong", wrong]
    for content in contents:
        source = Source({"a": b"right"})
        source.blobs[Digest.of(b"right")] = content
        with pytest.raises(ObjectCorrupt) as caught:
            worktree.place(
                "data",
                "tree",
                entries({"same": b"same", "a": b"right"}),
                source,
                present=identified(worktree, "data"),
            ) if not fresh else worktree.place("fresh", "tree", entries({"a": b"right"}), source)
        assert caught.value.digests == (Digest.of(b"right"),)
    assert not (worktree.root / "data/a").exists()
    assert not (worktree.root / "fresh/a").exists()


def test_a_wrong_link_is_never_placed(worktree: Worktree) -> None:
    source = Source({"l": "here"})
    source.blobs[Digest.of(b"here")] = b"there"
    with pytest.raises(ObjectCorrupt):
        worktree.place("data", "tree", entries({"l": "here"}), source)


class Interrupting(Source):
    """A source that breaks off after some files."""

    def __init__(self, error: type[BaseException], after: int, *every: Files) -> None:
        super().__init__(*every)
        self._error = error
        self._after = after

    def __call__(self, needed: Sequence[Entry]) -> Iterator[tuple[Entry, Content]]:
        for number, (entry, content) in enumerate(super().__call__(needed)):
            if number == self._after:
                raise self._error
            yield entry, content


MANY: Files = {f"d{number % 3}/f{number}": b"%d" % number for number in range(30)}


@pytest.mark.parametrize("after", [0, 1, 17, 29])
def test_an_interruption_keeps_whole_files_and_repeating_finishes(worktree: Worktree, after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        worktree.place("data", "tree", entries(MANY), Interrupting(KeyboardInterrupt, after, MANY))
    done = seen(worktree, "data")
    assert done is not None
    assert len([entry for entry in done if entry.mode == "f"]) == after
    assert set(done) <= set(entries(MANY))
    assert leftovers(worktree) == []
    _, source = place(worktree, MANY)
    assert len(source.asked) == 30 - after
    assert seen(worktree, "data") == entries(MANY)


def test_an_interrupted_switch_is_finished_by_repeating(worktree: Worktree) -> None:
    after = {name: content + b"new" for name, content in MANY.items() if content}
    place(worktree, MANY)
    with pytest.raises(KeyboardInterrupt):
        worktree.place(
            "data",
            "tree",
            entries(after),
            Interrupting(KeyboardInterrupt, 10, after),
            present=identified(worktree, "data"),
            expected=expected(MANY),
        )
    now = seen(worktree, "data")
    assert now is not None
    assert set(now) <= {*entries(MANY), *entries(after)}, "each file is the old or the new one"
    known = {entry.path: entry.digest for entry in now}
    worktree.place(
        "data", "tree", entries(after), Source(after), present=identified(worktree, "data"), expected=known
    )
    assert seen(worktree, "data") == entries(after)


KILLED = """
import os, sys, signal
from pathlib import Path
from tests.worktree.house import Source, entries, expected, identified
from tests.worktree.test_place import MANY
from tallystick.worktree import Worktree

class Killing(Source):
    def __call__(self, needed):
        for number, pair in enumerate(super().__call__(needed)):
            if number == 12:
                os.kill(os.getpid(), signal.SIGKILL)
            yield pair

root = Path(sys.argv[1])
worktree = Worktree(root, root / ".git/tally", "main")
after = {name: content + b"new" for name, content in MANY.items()}
worktree.place("data", "tree", entries(after), Killing(after), present=identified(worktree, "data"),
               expected=expected(MANY))
"""


@pytest.mark.parametrize("fresh", [True, False])
def test_a_kill_leaves_no_half_file_and_repeating_finishes(
    worktree: Worktree, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fresh:
        place(worktree, MANY)
    checkout = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", KILLED, str(worktree.root)], cwd=checkout, check=False)
    assert done.returncode == -signal.SIGKILL
    after = {
        name: (content or b"") + b"new" for name, content in MANY.items() if not isinstance(content, str)
    }
    now = seen(worktree, "data")
    assert (now is None) == fresh
    assert set(now or []) <= {*entries(MANY), *entries(after)}
    assert leftovers(worktree) != []
    monkeypatch.setattr(staging, "_YOUNG", -1.0)
    place(worktree, after, {**MANY, **after} if fresh else None, force=not fresh)
    assert seen(worktree, "data") == entries(after)
    assert leftovers(worktree) == []


def test_what_another_process_is_placing_is_left_alone(worktree: Worktree, tmp_path: Path) -> None:
    home = worktree.home / "placing"
    beside = os.open(worktree.root, os.O_RDONLY)
    with staging.staging(home, beside), pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "_YOUNG", -1.0)
        mine = os.listdir(home)
        place(worktree, ONE)
        assert os.listdir(home) == mine
    os.close(beside)


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no second file system")
def test_on_another_file_system_work_is_done_beside_the_destination(tmp_path: Path) -> None:
    home = Path("/dev/shm", f"tally-test-{os.getpid()}")
    worktree = Worktree(tmp_path, home, "main")
    try:
        place(worktree, ONE)
        place(worktree, TWO, ONE)
        assert seen(worktree, "data") == entries(TWO)
        moved = worktree.move_aside("data")
        assert moved is not None
        assert worktree.restore(moved)
        assert seen(worktree, "data") == entries(TWO)
        assert os.listdir(tmp_path) == ["data"]
        assert leftovers(worktree) == []
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)


def test_the_disk_being_full_leaves_no_half_file(worktree: Worktree, monkeypatch: pytest.MonkeyPatch) -> None:
    place(worktree, {"same": b"same"})
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if bytes(data) == b"too much":
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TallyError, match="no room"):
        place(worktree, {"same": b"same", "a": b"too much"})
    assert seen(worktree, "data") == entries({"same": b"same"})
    assert leftovers(worktree) == []


def test_progress_is_told_in_batches(worktree: Worktree) -> None:
    class Counting:
        calls = files = 0

        def begin(self, what: str, *, files: int = 0, size: int = 0) -> None: ...
        def end(self) -> None: ...
        def say(self, message: str) -> None: ...

        def advance(self, files: int = 0, size: int = 0) -> None:
            self.calls += 1
            self.files += files

    progress = Counting()
    many = {f"f{number}": b"" for number in range(1200)}
    worktree.place("data", "tree", entries(many), Source(many), progress=progress)
    assert (progress.files, progress.calls) == (1200, 3)


def test_removing_takes_the_folder_with_it(worktree: Worktree) -> None:
    place(worktree, ONE)
    present = identified(worktree, "data")
    assert present is not None
    (worktree.root / "data/a").write_bytes(b"mine")
    changed = identified(worktree, "data")
    assert changed is not None
    with pytest.raises(WouldLoseChanges):
        worktree.remove("data", changed, expected=expected(ONE))
    assert worktree.remove("data", changed, force=True).removed == 6
    assert not (worktree.root / "data").exists()


def test_removing_an_empty_folder_or_a_file_works(worktree: Worktree) -> None:
    for path, make_it in (("d", Path.mkdir), ("f", Path.touch)):
        make_it(worktree.root / path)
        present = identified(worktree, path)
        assert present is not None
        worktree.remove(path, present, expected={b"": Digest.of(b"")})
        assert not (worktree.root / path).exists()


def test_removing_leaves_files_that_came_later(worktree: Worktree) -> None:
    place(worktree, ONE)
    present = identified(worktree, "data")
    assert present is not None
    (worktree.root / "data/d/later").write_bytes(b"mine")
    with pytest.raises(WouldLoseChanges):
        worktree.remove("data", present, expected=expected(ONE))
    assert (worktree.root / "data/d/later").read_bytes() == b"mine"
