"""What the ledger's runs made is at the remote before git's remote hears of them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallystick.digest import Digest
from tallystick.errors import RemoteUnreachable
from tallystick.flows.push import Pushed, push
from tallystick.project import open_remote
from tallystick.records import tree
from tallystick.records.provenance import Code, EnvironmentRef, Hardware
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.tree import Entry
from tallystick.runs import ledger
from tallystick.runs.ahead import Ahead
from tests.project.house import opened
from tests.sandbox import Repo, Tally

STAGE = """\
stages:
  one:
    cmd: cat data/in && test "$(cat data/in)" != bad && mkdir -p out && cp data/in out/copy
    deps: [data]
    outs: [out]
    trace: none
"""


@pytest.fixture
def runs(project: Repo, remote: Path, tally: Tally, tmp_path: Path) -> Repo:
    """Return a project that git's remote and a remote of ours know, with a stage that has not run yet."""
    project.git("init", "--quiet", "--bare", str(tmp_path / "git"))
    project.git("remote", "add", "origin", str(tmp_path / "git"))
    project.write("tally.yaml", STAGE)
    project.write("data/in", "at first")
    tally("add", "data")
    project.commit()
    project.git("push", "--quiet", "origin", "HEAD:main")
    return project


@pytest.fixture
def run(runs: Repo) -> Callable[[str], Digest]:
    """Return what keeps blobs and a receipt as a run does whose out is a folder with a file of this text."""

    def kept(text: str) -> Digest:
        project, head = opened(runs), runs.git("rev-parse", "HEAD").strip()
        data, log = text.encode(), f"made {text}".encode()
        listed = tree.render([Entry("f", Digest.of(data), len(data), b"copy")])
        with project.store.writer() as writer:
            for blob in (data, log, listed):
                writer.put(Digest.of(blob), blob)
        receipt = Receipt(
            stage="one",
            cmd="true",
            wdir=".",
            status="succeeded",
            exit_code=0,
            started="2026-01-01T00:00:00Z",
            seconds=1.0,
            code=Code(head, project.git.tree_of(head)),
            environment=EnvironmentRef(None, "none", "here"),
            hardware=Hardware("cpu", 1, 1),
            tool="tally 0",
            author="Ada <a@b.c>",
            deps=(Artifact("code.py", "file", Digest.of(b"git has it"), 10),),
            outs=(Artifact("out", "tree", Digest.of(listed), len(data)),),
            log=Digest.of(log),
        )
        return ledger.append(project, receipt)

    return kept


def pushed(repo: Repo, *targets: str, **options: Any) -> Pushed:
    return push(opened(repo), targets, **options)


def is_there(repo: Repo, *texts: str) -> bool:
    """Whether the remote has blobs of these texts."""
    return not open_remote(opened(repo)).missing([Digest.of(text.encode()) for text in texts])


def shared(repo: Repo) -> str | None:
    """The ledger that git's remote has."""
    return repo.git("ls-remote", "origin", ledger.REF).partition("\t")[0] or None


def test_a_colleague_reuses_a_run_that_no_commit_names(runs: Repo, tally: Tally, tmp_path: Path) -> None:
    for text, code in (("bad", 18), ("tried", 0)):
        runs.write("data/in", text)
        tally("add", "data")
        tally("run", code=code)
    runs.git("reset", "--quiet", "--hard")
    tally("checkout", "--force")
    assert pushed(runs, dry_run=True).runs == 2
    assert pushed(runs).runs == 2
    assert is_there(runs, "bad", "tried")
    other = runs.clone(tmp_path / "other")
    tally("pull", cwd=other.path)
    other.write("data/in", "tried")
    tally("add", "data", cwd=other.path)
    told = tally("run", "--json", "--trust", cwd=other.path).json()
    assert [stage["status"] for stage in told["stages"]] == ["reused"]
    assert other.read("out/copy") == b"tried"


def test_the_second_push_has_nothing_to_do(
    runs: Repo, run: Callable[[str], Digest], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tried")
    pushed(runs)

    def sent(*_words: object, **_options: object) -> None:
        raise AssertionError("the push goes the long way")

    monkeypatch.setattr("tallystick.store.transfer.push", sent)
    monkeypatch.setattr("tallystick.runs.ahead.look", sent)
    again = pushed(runs)
    assert (again.runs, again.sent_blobs) == (0, 0)


def test_what_is_gone_from_here_is_told_once_and_the_rest_goes(
    runs: Repo, run: Callable[[str], Digest], tally: Tally
) -> None:
    identity = run("tried")
    shutil.rmtree(runs.path / ".git/tally/packs")
    tally("add", "data")
    result = pushed(runs)
    (note,) = result.notes
    assert result.runs == 0
    assert "neither here nor on `origin`" in note
    assert identity.short in note
    assert shared(runs) is not None
    assert pushed(runs).notes == ()


def test_what_a_colleague_made_or_a_worker_sent_is_not_missed_here(
    runs: Repo, run: Callable[[str], Digest], tally: Tally, tmp_path: Path
) -> None:
    run("tried")
    pushed(runs)
    other = runs.clone(tmp_path / "other")
    tally("pull", cwd=other.path)
    assert pushed(other).notes == ()


def test_a_run_whose_results_are_at_the_remote_only_is_not_missed(
    runs: Repo, run: Callable[[str], Digest], tally: Tally
) -> None:
    run("tried")
    ahead = Ahead(opened(runs), open_remote(opened(runs)), "origin")
    ahead.send()
    # As after a sweep on a cluster: the workers have sent it all, and here are only receipts.
    shutil.rmtree(runs.path / ".git/tally/packs")
    (runs.path / ".git/tally/remotes/origin/runs").unlink()
    tally("add", "data")
    assert pushed(runs).notes == ()
    assert shared(runs) is not None


def test_targets_go_alone(runs: Repo, run: Callable[[str], Digest]) -> None:
    run("tried")
    result = pushed(runs, "data")
    assert (result.ledger, result.runs, shared(runs)) == (None, 0, None)
    assert not is_there(runs, "tried")


def test_the_ledger_can_go_alone_and_what_its_runs_made_later(
    runs: Repo, run: Callable[[str], Digest]
) -> None:
    run("tried")
    assert pushed(runs, with_runs=False).runs == 0
    assert shared(runs) is not None
    assert not is_there(runs, "tried")
    assert pushed(runs).runs == 1
    assert is_there(runs, "tried")


def test_the_ledger_stays_where_the_remote_fails(
    runs: Repo, run: Callable[[str], Digest], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tried")

    def failed(*_words: object, **_options: object) -> None:
        raise RemoteUnreachable("gone")

    monkeypatch.setattr("tallystick.store.remote.RemoteStore.put_root", failed)
    with pytest.raises(RemoteUnreachable):
        pushed(runs)
    assert shared(runs) is None


def test_a_run_that_ends_while_the_push_goes_on_is_not_left_behind(
    runs: Repo, run: Callable[[str], Digest], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tried")
    receive = ledger.receive

    def interrupted(*words: Any) -> int:
        if not is_there(runs, "meanwhile"):
            run("meanwhile")
        return receive(*words)

    monkeypatch.setattr("tallystick.runs.ledger.receive", interrupted)
    assert pushed(runs).runs == 2
    assert is_there(runs, "tried", "meanwhile")
    assert shared(runs) == opened(runs).git.resolve_ref(ledger.REF)


def test_very_many_runs_go_in_portions_before_the_ledger(
    runs: Repo, run: Callable[[str], Digest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.runs.ahead.PORTION", 1)
    run("tried")
    run("again")
    result = pushed(runs)
    assert (result.runs, is_there(runs, "tried", "again")) == (2, True)
    roots = Path(opened(runs).config.remotes["origin"].url) / "roots"
    assert len(list(roots.iterdir())) == 3


def test_another_remote_gets_all_of_it_too(
    runs: Repo, run: Callable[[str], Digest], tally: Tally, tmp_path: Path
) -> None:
    run("tried")
    pushed(runs)
    tally("remote", "add", "--force", "origin", str(tmp_path / "new"))
    assert pushed(runs).runs == 1
    assert is_there(runs, "tried")


@pytest.mark.parametrize("text", [b"--all x", b"\xff"])
def test_a_note_that_is_torn_has_all_looked_at_again(
    runs: Repo, run: Callable[[str], Digest], text: bytes
) -> None:
    run("tried")
    pushed(runs)
    (runs.path / ".git/tally/remotes/origin/runs").write_bytes(text)
    again = pushed(runs)
    assert (again.runs, again.sent_blobs) == (1, 0)


def test_a_receipt_that_cannot_be_read_stops_nothing(runs: Repo, run: Callable[[str], Digest]) -> None:
    run("tried")
    project = opened(runs)
    for number, data in enumerate(("[]", "{", '{"outs": [{"kind": 1}]}', '{"outs": 3}')):
        name = Digest.of(data.encode() + bytes([number])).hex()
        text = f"commit {ledger.REF}\ncommitter x <x> 1 +0000\ndata 68\nrun {name}\n"
        start = f"from {project.git.resolve_ref(ledger.REF)}\n"
        file = f"M 100644 inline runs/{name[:2]}/{name}/receipt.json\ndata {len(data)}\n{data}\n"
        project.git.fast_import((text + start + file).encode())
    assert pushed(runs).runs == 5
    assert is_there(runs, "tried")
