"""Make blobs durable at a remote."""

import shutil
from pathlib import Path

import pytest

from tallystick.data.tracked import blobs_of, tracked_at
from tallystick.digest import Digest
from tallystick.errors import ObjectMissing, Refused, RemoteUnreachable
from tallystick.flows.push import Pushed, push
from tallystick.project import open_remote
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
