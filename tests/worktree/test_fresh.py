"""Building a whole tree out of files of the store, by several processes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tallystick import crew
from tallystick.errors import ObjectCorrupt
from tallystick.process import Helper
from tallystick.records.tree import Entry
from tallystick.worktree import SPOT, Content, Lying, Worktree, block, filling, fresh
from tallystick.worktree.block import Block, Plan
from tests.worktree.house import Files, Source, entries, seen

MANY: Files = {
    f"{folder}/f{number}{'*' * (number % 3 == 0)}": b"%d" % (number % 11) * number
    for folder in ("a", "a/b", "c")
    for number in range(12)
} | {"top": b"", "l": "top", "e": None}


@pytest.fixture
def packed(tmp_path: Path) -> Lying:
    """All of MANY's bytes in two files."""
    spots, sources = {}, [tmp_path / "one", tmp_path / "two"]
    datas = [bytearray(b"head"), bytearray(b"other head")]
    for number, content in enumerate(content for content in MANY.values() if isinstance(content, bytes)):
        data = datas[number % 2]
        (entry,) = entries({"x": content})
        spots[entry.digest] = SPOT.pack(len(data), len(content), number % 2)
        data += content
    for source, data in zip(sources, datas, strict=True):
        source.write_bytes(data)
    return Lying(sources, spots)


@pytest.fixture(params=["alone", "helped", "in vain"])
def helpers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tasks for this process alone, with two helpers, with two that do not start."""
    monkeypatch.setattr(block, "TASK_FILES", 4)
    monkeypatch.setattr(crew, "helpers", lambda: 2)
    monkeypatch.setattr(fresh, "ENOUGH", 100_000 if request.param == "alone" else 1)
    if request.param == "in vain":
        monkeypatch.setattr(fresh, "_MODULE", "tallystick.nowhere")


@pytest.mark.usefixtures("helpers")
def test_only_what_lies_nowhere_is_asked_for(worktree: Worktree, packed: Lying) -> None:
    source = Source(MANY)
    (lost,) = entries({"x": MANY["c/f7"]})
    spots = {digest: spot for digest, spot in packed.spots.items() if digest != lost.digest}
    worktree.place("data", "tree", entries(MANY), source, lying=lambda: Lying(packed.sources, spots))
    assert seen(worktree, "data") == entries(MANY)
    assert sorted(source.asked) == [b"a/b/f7", b"a/f7", b"c/f7", b"l"]


@pytest.mark.usefixtures("helpers")
def test_helpers_start_while_it_is_found_out_where_all_lies(
    worktree: Worktree, packed: Lying, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(fresh, "ENOUGH", 1)
    monkeypatch.setattr(crew, "helpers", lambda: 1)

    def start(module: str, inherited: Sequence[int]) -> Helper:
        started.append(module)
        return Helper(module, inherited)

    monkeypatch.setattr(crew, "Helper", start)

    def lying() -> Lying:
        assert started == [fresh._MODULE]
        return packed

    worktree.place("data", "tree", entries(MANY), Source(MANY), lying=lying)
    assert seen(worktree, "data") == entries(MANY)


def test_no_helper_is_left_when_nobody_knows_where_all_lies(
    worktree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Helper] = []
    monkeypatch.setattr(fresh, "ENOUGH", 1)
    monkeypatch.setattr(crew, "helpers", lambda: 1)

    def start(module: str, inherited: Sequence[int]) -> Helper:
        started.append(Helper(module, inherited))
        return started[0]

    monkeypatch.setattr(crew, "Helper", start)

    def lying() -> Lying:
        raise ObjectCorrupt("the index is damaged")

    with pytest.raises(ObjectCorrupt, match="the index"):
        worktree.place("data", "tree", entries(MANY), Source(MANY), lying=lying)
    assert started[0]._child.returncode is not None
    assert not (worktree.root / "data" / "a").exists()


def test_no_byte_that_was_altered_where_it_lies_is_placed(worktree: Worktree, packed: Lying) -> None:
    data = bytearray(packed.sources[0].read_bytes())
    data[-1] ^= 1
    packed.sources[0].write_bytes(data)
    source = Source(MANY)
    worktree.place("data", "tree", entries(MANY), source, lying=lambda: packed)
    assert seen(worktree, "data") == entries(MANY)
    assert b"l" in source.asked
    assert 1 < len(source.asked) < 6


def test_what_is_damaged_everywhere_is_an_error_and_the_rest_is_kept(
    worktree: Worktree, packed: Lying
) -> None:
    packed.sources[1].write_bytes(b"")

    def damaged(needed: Sequence[Entry]) -> Iterator[tuple[Entry, Content]]:
        yield needed[0], b"wrong bytes"

    with pytest.raises(ObjectCorrupt):
        worktree.place("data", "tree", entries(MANY), damaged, lying=lambda: packed)
    found = seen(worktree, "data")
    assert found
    assert set(found) < set(entries(MANY))


def test_a_helper_writes_all_tasks_that_it_draws(tmp_path: Path, packed: Lying) -> None:
    files = [entry for entry in entries(MANY) if entry.mode in "fx"]
    plan = Plan(files, packed)
    for folder in ("a/b", "c"):
        (tmp_path / "stage/tree" / folder).mkdir(parents=True)
    stage = os.open(tmp_path / "stage", os.O_RDONLY)
    pipe, entry = os.pipe()
    with open(entry, "wb") as file:
        file.write(b"".join(task.to_bytes(4, "little") for task in plan.order))
    with crew.shared_memory(plan.size) as (descriptor, memory):
        made = plan.write(memory)
        assert Helper("tallystick.worktree.filling", (pipe, descriptor, stage)).wait() == 0
        assert made.done == b"\1" * len(files)
        stats = made.columns[0]
    status = (tmp_path / "stage/tree" / os.fsdecode(files[0].path)).stat()
    row = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    assert block.STAT.unpack(stats[: block.STAT.size]) == row
    for one in files:
        mode = (tmp_path / "stage/tree" / os.fsdecode(one.path)).stat().st_mode
        assert bool(mode & 0o100) == (one.mode == "x")
    os.close(pipe)
    os.close(stage)


def test_what_a_killed_helper_left_of_a_file_is_written_again(
    worktree: Worktree, packed: Lying, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(filler: filling.Filler, task: int) -> tuple[int, int]:
        for run in filler._block.runs(task):
            folder = filler._staged.at(b"tree/" + run.folder if run.folder else b"tree")
            os.close(os.open(run.names[0], os.O_WRONLY | os.O_CREAT, dir_fd=folder))
        return 0, 0

    monkeypatch.setattr(filling.Filler, "fill", torn)
    worktree.place("data", "tree", entries(MANY), Source(MANY), lying=lambda: packed)
    assert seen(worktree, "data") == entries(MANY)


def test_the_cache_knows_what_was_placed(worktree: Worktree, packed: Lying) -> None:
    placed = worktree.place("data", "tree", entries(MANY), Source(MANY), lying=lambda: packed)
    worktree.remember("data.tally", "data", None, placed)
    scan = worktree.scan("data")
    assert scan is not None
    known = worktree.known(scan, worktree.load("data.tally"))
    assert not known.to_hash
    assert scan.entries(known.identities) == entries(MANY)


def test_a_block_of_no_files_has_no_tasks() -> None:
    plan = Plan([], Lying())
    with crew.shared_memory(plan.size) as (_, memory):
        assert plan.order == []
        assert Block(memory).done == plan.write(memory).done == b""
