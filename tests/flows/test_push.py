"""Make blobs durable at a remote."""

import json
import shutil
from pathlib import Path

import pytest

from tallystick.data import blobs
from tallystick.data.tracked import blobs_of, tracked_at
from tallystick.digest import Digest
from tallystick.errors import ObjectMissing, Refused, RemoteUnreachable
from tallystick.flows.push import Pushed, push
from tallystick.project import open_remote
from tallystick.records import tombstone
from tallystick.store.remote import pack_path
from tests.project.house import opened
from tests.sandbox import Repo, Tally


@pytest.fixture
def data(project: Repo, remote: Path, tally: Tally) -> Repo:
    project.write("data/1", "one")
    project.write("labels", "a")
    tally("add", "data", "labels")
    project.commit()
    return project


def pushed(repo: Repo, *targets: str, **options: object) -> Pushed:
    return push(opened(repo), targets, **options)  # type: ignore[arg-type]


def lacking(repo: Repo, commit: str = "HEAD") -> set[Digest]:
    """What the remote lacks of a commit."""
    project = opened(repo)
    needed = (blobs_of(project, one) for one in tracked_at(project, project.git.resolve(commit)))
    return open_remote(project).missing(set().union(*needed))


def test_everything_of_head_is_on_the_remote_afterwards(data: Repo) -> None:
    result = pushed(data)
    assert (result.remote, result.paths, result.blobs, result.sent_blobs) == ("origin", 2, 3, 3)
    assert lacking(data) == set()


def test_a_push_of_what_is_there_sends_nothing(data: Repo) -> None:
    pushed(data)
    again = pushed(data)
    assert (again.blobs, again.sent_blobs, again.packs) == (3, 0, 0)


def test_what_is_added_but_not_committed_is_pushed_too(data: Repo, tally: Tally) -> None:
    data.write("labels", "b")
    tally("add", "labels")
    pushed(data)
    assert not open_remote(opened(data)).missing([Digest.of(b"a"), Digest.of(b"b")])


def test_commits_since_the_last_push_are_pushed_even_after_git_push(
    data: Repo, tally: Tally, tmp_path: Path
) -> None:
    first = data.git("rev-parse", "HEAD")
    data.write("labels", "b")
    tally("add", "labels")
    data.commit()
    data.git("init", "--quiet", "--bare", str(tmp_path / "git"))
    data.git("remote", "add", "origin", str(tmp_path / "git"))
    data.git("push", "--quiet", "origin", "main")
    pushed(data)
    assert lacking(data, first) == set()


def test_history_that_was_pushed_is_not_looked_at_again(data: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(data)
    note = data.path / ".git/tally/remotes/origin/pushed"
    assert note.read_text().strip() == data.git("rev-parse", "HEAD")
    note.write_text("garbage")
    assert pushed(data).sent_blobs == 0


def test_after_a_push_of_history_the_next_one_is_over_at_once(
    data: Repo, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("b", "c"):
        data.write("labels", text)
        tally("add", "labels")
        data.commit()
    assert pushed(data).sent_blobs == 5

    def sent(*_words: object, **_options: object) -> None:
        raise AssertionError("the push goes the long way")

    monkeypatch.setattr("tallystick.flows.push.transfer.push", sent)
    assert pushed(data).sent_blobs == 0


@pytest.mark.parametrize("text", [b"", bytes(41), b"\xff", b"--all"])
def test_notes_that_a_power_cut_has_torn_cost_a_longer_push_and_nothing_else(data: Repo, text: bytes) -> None:
    pushed(data)
    notes = data.path / ".git/tally/remotes/origin"
    assert {"pushed", "settled"} <= {path.name for path in notes.iterdir()}
    for path in [notes / "pushed", notes / "settled", *notes.glob("index/*")]:
        path.write_bytes(text)
    again = pushed(data)
    assert (again.blobs, again.sent_blobs, lacking(data)) == (3, 0, set())


def test_old_blobs_that_are_gone_do_not_stop_a_push(data: Repo, tally: Tally) -> None:
    data.write("labels", "b")
    tally("add", "labels")
    data.commit()
    shutil.rmtree(data.path / ".git/tally/packs")
    tally("add", "labels", "data")
    pushed(data)
    assert lacking(data) == set()


def test_a_target_alone_is_pushed_alone(data: Repo) -> None:
    assert pushed(data, "labels").blobs == 1
    assert Digest.of(b"one") in lacking(data)


def test_a_part_of_a_folder_means_the_whole_folder(data: Repo) -> None:
    assert pushed(data, "data/1").blobs == 2


def test_a_blob_that_is_nowhere_is_named_with_its_path_and_nothing_is_claimed(data: Repo) -> None:
    shutil.rmtree(data.path / ".git/tally/packs")
    with pytest.raises(ObjectMissing, match="`labels`"):
        pushed(data, "labels")
    assert not list((Path(opened(data).config.remotes["origin"].url) / "roots").rglob("*.json"))


def test_in_a_fresh_clone_a_push_needs_only_the_lists(data: Repo, tmp_path: Path) -> None:
    pushed(data)
    assert pushed(data.clone(tmp_path / "clone"), with_ledger=False).sent_blobs == 0


def test_a_dry_run_counts_and_sends_nothing(data: Repo) -> None:
    plan = pushed(data, dry_run=True)
    assert (plan.dry_run, plan.sent_blobs) == (True, 3)
    assert pushed(data).sent_blobs == 3


def test_several_remotes_are_pushed_to_by_name(data: Repo, tally: Tally, tmp_path: Path) -> None:
    tally("remote", "add", "backup", str(tmp_path / "backup"))
    assert pushed(data, remote="backup").remote == "backup"
    with pytest.raises(Refused, match="no remote `nope`"):
        pushed(data, remote="nope")


def test_without_a_remote_the_hint_says_how_to_name_one(project: Repo) -> None:
    with pytest.raises(Refused) as refused:
        pushed(project)
    assert "tally remote add" in (refused.value.hint or "")


def test_a_folder_that_is_no_store_is_not_written_to(data: Repo, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    data.git("config", "--file", ".tallyconfig", "remote.stranger.url", str(stranger))
    with pytest.raises(Refused, match="no Tallystick store"):
        pushed(data, remote="stranger")
    assert not list(stranger.iterdir())


def test_that_the_ledger_did_not_arrive_is_an_error_after_the_data(data: Repo, tally: Tally) -> None:
    data.write("tally.yaml", "stages:\n  one:\n    cmd: echo hi > out\n    outs: [out]\n")
    tally("run")
    data.commit()
    data.git("remote", "add", "origin", "/nowhere/at/all")
    with pytest.raises(RemoteUnreachable, match="data is pushed, but the ledger is not"):
        pushed(data)
    assert lacking(data) == set()
    assert pushed(data, with_ledger=False).ledger is None


def test_logs_and_locks_of_receipts_are_pushed(data: Repo, tally: Tally) -> None:
    data.write("tally.yaml", "stages:\n  one:\n    cmd: echo hi | tee out\n    outs: [out]\n")
    tally("run")
    data.commit()
    pushed(data)
    assert not open_remote(opened(data)).missing([Digest.of(b"hi\n")])
    data.write("receipts/one.json", "{broken")
    assert "receipts/one.json" in pushed(data).notes[0]


@pytest.fixture
def grown(data: Repo, tally: Tally) -> Repo:
    """A pushed project whose folder has changed since: one file is new, one another, one is gone."""
    pushed(data)
    for name in ("2", "3", "4"):
        data.write(f"data/{name}", name * 9)
    tally("add", "data")
    data.commit()
    pushed(data)
    data.write("data/2", "another")
    data.write("data/5", "five")
    (data.path / "data/3").unlink()
    tally("add", "data")
    data.commit()
    return data


def note(repo: Repo) -> Path:
    return repo.path / ".git/tally/remotes/origin/settled"


def looks_all_up(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Push; say whether every blob was looked up."""
    looked: list[object] = []

    def noticed(*arguments: object) -> set[bytes]:
        looked.append(arguments)
        return blobs.wanted_digests(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("tallystick.flows.push.wanted_digests", noticed)
    pushed(repo)
    return bool(looked)


def test_a_push_looks_up_only_what_lists_name_beyond_those_of_the_last(
    grown: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not looks_all_up(grown, monkeypatch)
    assert lacking(grown) == set()
    again = pushed(grown)
    assert (again.sent_blobs, again.packs) == (0, 0)


def test_without_the_note_of_the_last_push_the_next_one_does_and_says_the_same(
    grown: Repo, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(grown.path, other, symlinks=True)
    shelf = Path(open_remote(opened(grown)).url)
    shutil.copytree(shelf, tmp_path / "shelf")
    with_note = pushed(grown)
    shutil.rmtree(shelf)
    shutil.copytree(tmp_path / "shelf", shelf)
    without = Repo(other)
    note(without).unlink()
    assert pushed(without) == with_note
    assert lacking(without) == set()


@pytest.mark.parametrize("folder", ["packs", "index"])
def test_if_the_remote_lost_something_since_the_last_push_all_is_looked_up(
    grown: Repo, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    shelf = Path(open_remote(opened(grown)).url, folder)
    next(path for path in shelf.rglob("*") if path.is_file()).unlink()
    assert looks_all_up(grown, monkeypatch)
    assert lacking(grown) == set()


def test_if_a_collection_condemned_a_pack_since_the_last_push_its_blobs_are_sent_anew(
    grown: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_remote(opened(grown))
    condemned = tuple(store.pack_sizes())
    store.backend.put_new(
        "tombstones/one.json",
        tombstone.render(tombstone.Tombstone("2026-01-01T00:00:00.000000Z", condemned)),
    )
    assert looks_all_up(grown, monkeypatch)
    for pack in condemned:
        store.backend.delete(pack_path(pack))
    assert lacking(grown) == set()


@pytest.mark.parametrize("text", [b"", b"{}", b'{"lists": 1}', b"\xff"])
def test_a_torn_note_of_the_last_push_counts_for_nothing(
    grown: Repo, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    note(grown).write_bytes(text)
    assert looks_all_up(grown, monkeypatch)
    assert lacking(grown) == set()


def test_a_day_after_all_was_looked_up_it_is_again(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    text = note(grown).read_text()
    looked = json.loads(text)["looked"]
    note(grown).write_text(
        text.replace(f'"looked": "{looked}"', '"looked": "roots/20200101T000000000000Z-a"')
    )
    assert looks_all_up(grown, monkeypatch)


def test_blobs_that_are_named_twice_are_counted_once(grown: Repo, tally: Tally) -> None:
    pushed(grown)
    grown.write("data/6", "five")
    grown.write("data/7", "seven")
    grown.write("data/8", "seven")
    tally("add", "data")
    result = pushed(grown)
    assert lacking(grown) == set()
    note(grown).unlink()
    assert pushed(grown).blobs == result.blobs
    assert result.sent_blobs == 2


def test_what_else_has_changed_since_the_last_push_is_sent(grown: Repo, tally: Tally) -> None:
    grown.write("labels", "c")
    grown.write("more/1", "more")
    tally("add", "labels", "more")
    grown.commit()
    pushed(grown)
    assert lacking(grown) == set()


def test_a_new_blob_that_is_nowhere_is_named_with_its_path(grown: Repo) -> None:
    project = opened(grown)
    (tracked,) = [one for one in tracked_at(project, grown.git("rev-parse", "HEAD")) if one.path == "data"]
    kept = project.store.read(tracked.pointer.digest)
    before = project.store.read(Digest.parse(json.loads(note(grown).read_text())["lists"]["data"]))
    shutil.rmtree(project.store.packs)
    with opened(grown).store.writer() as writer:
        for text in (kept, before):
            writer.put(Digest.of(text), text)
    with pytest.raises(ObjectMissing, match="`data/"):
        pushed(grown)
