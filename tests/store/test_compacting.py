"""Joining the local store's indexes, whoever else reads or writes meanwhile."""

import multiprocessing
import os
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.files import lock
from tallystick.store import LocalStore, compacting
from tests.store.conftest import again, blobs, fill

CONTENT = blobs(40, 200, seed=11)


def add_one_by_one(store: LocalStore, content: dict[Digest, bytes]) -> None:
    for digest, data in content.items():
        fill(again(store), {digest: data})


def indexes_in(store: LocalStore) -> list[Path]:
    return sorted(store.packs.glob("*.idx"))


def test_many_adds_leave_few_indexes_and_every_blob(local: LocalStore) -> None:
    add_one_by_one(local, CONTENT)
    assert len(indexes_in(local)) < 20
    assert len(list(local.packs.glob("*.pack"))) == 40, "packs stay as they are"
    assert dict(again(local).read_many(CONTENT)) == CONTENT


@pytest.mark.parametrize("step", range(8))
def test_a_crash_at_any_step_loses_nothing(
    local: LocalStore, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dict(list(CONTENT.items())[:15])
    add_one_by_one(local, few)
    assert len(indexes_in(local)) == 15
    done = []

    class Crash(BaseException):
        pass

    def stepped(act):  # type: ignore[no-untyped-def]
        def call(*words, **options):  # type: ignore[no-untyped-def]
            if len(done) == step:
                raise Crash
            done.append(act)
            return act(*words, **options)

        return call

    more = dict(list(CONTENT.items())[15:16])
    monkeypatch.setattr(compacting, "write_atomic", stepped(compacting.write_atomic))
    monkeypatch.setattr(Path, "unlink", stepped(Path.unlink))
    with pytest.raises(Crash):
        fill(again(local), more)
        compacting.compact(local.packs)
    monkeypatch.undo()
    assert dict(again(local).read_many(few | more)) == few | more
    compacting.compact(local.packs)
    assert dict(again(local).read_many(few | more)) == few | more


def test_a_reader_that_has_opened_the_old_indexes_goes_on(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.store.packs.compact", lambda folder: None)
    add_one_by_one(local, CONTENT)
    reader = again(local)
    assert reader.missing(CONTENT) == set()
    compacting.compact(local.packs)
    assert len(indexes_in(local)) == 1
    assert dict(reader.read_many(CONTENT)) == CONTENT


def test_an_index_that_vanishes_while_it_is_looked_for_is_no_loss(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.store.packs.compact", lambda folder: None)
    add_one_by_one(local, CONTENT)
    listdir, looks = os.listdir, []

    def meanwhile(folder):  # type: ignore[no-untyped-def]
        names = listdir(folder)
        looks.append(folder)
        if len(looks) == 2:
            compacting.compact(local.packs)
        return names

    monkeypatch.setattr(os, "listdir", meanwhile)
    assert again(local).missing(CONTENT) == set()
    assert len(indexes_in(local)) == 1, "nothing is indexed anew"


def test_only_one_joins_at_a_time(local: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.store.packs.compact", lambda folder: None)
    add_one_by_one(local, CONTENT)
    with lock(local.packs / "compacting.lock", what="the local store"):
        compacting.compact(local.packs)
        assert len(indexes_in(local)) == 40
    compacting.compact(local.packs)
    assert len(indexes_in(local)) == 1


def test_a_damaged_index_is_left_alone(local: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.store.packs.compact", lambda folder: None)
    add_one_by_one(local, CONTENT)
    damaged = indexes_in(local)[7]
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    compacting.compact(local.packs)
    assert damaged.exists()
    assert dict(again(local).read_many(CONTENT)) == CONTENT


def test_processes_that_add_at_the_same_time_lose_nothing(local: LocalStore) -> None:
    parts = [dict(list(CONTENT.items())[at::3]) for at in range(3)]
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=add_one_by_one, args=(local, part)) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(indexes_in(local)) < 25
    assert dict(again(local).read_many(CONTENT)) == CONTENT
