"""The ledger: every run in a chain of commits, merged by union."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tallystick.digest import Digest
from tallystick.errors import BadRecord, GitFailed, Refused
from tallystick.git.plumbing import Git
from tallystick.process import Completed
from tallystick.project import Project, open_project
from tallystick.records.provenance import Code, EnvironmentRef, Hardware
from tallystick.records.receipt import Receipt
from tallystick.records.verdict import Verdict
from tallystick.runs import importing, ledger
from tallystick.runs.ledger import REF, Damaged, Run
from tests.sandbox import Repo


@pytest.fixture
def opened(project: Repo, tmp_path: Path) -> Project:
    return open_project(project.path, tmp_path / "settings")


def receipt_of(project: Project, number: int, stage: str = "train") -> Receipt:
    head = project.git.head()
    assert head is not None
    return Receipt(
        stage=stage,
        cmd="true",
        wdir=".",
        status="succeeded",
        exit_code=0,
        started=f"2026-01-01T00:00:{number:02}Z",
        seconds=float(number),
        code=Code(head, project.git.tree_of(head)),
        environment=EnvironmentRef(None, "none", "here"),
        hardware=Hardware("cpu", 1, 1),
        tool="tally 0",
        author="Ada <a@b.c>",
    )


def verdict_of(number: int) -> Verdict:
    return Verdict(
        "identical", "HEAD", None, (), f"2026-01-01T00:00:{number:02}Z", "3.11", "here", None, "tally 0"
    )


def test_a_receipt_too_large_for_the_importer_is_kept_like_any_other(
    opened: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = receipt_of(opened, 1), receipt_of(opened, 2)
    first = ledger.append(opened, small)
    monkeypatch.setattr(importing, "LARGE", 10)
    second = ledger.append(opened, large)
    assert list(ledger.runs(opened)) == [Run(second, large), Run(first, small)]


def ids(project: Project) -> list[Digest]:
    return [run.id for run in ledger.runs(project)]


def test_an_empty_ledger_has_no_runs(opened: Project) -> None:
    assert ids(opened) == []
    assert list(ledger.verdicts_of(opened)) == []


def test_runs_come_back_newest_first_with_their_receipts(opened: Project) -> None:
    kept = [ledger.append(opened, receipt_of(opened, number)) for number in range(3)]
    assert ids(opened) == kept[::-1]
    first = next(iter(ledger.runs(opened)))
    assert isinstance(first, Run)
    assert first.receipt == receipt_of(opened, 2)


def test_the_code_stands_beside_the_receipt(opened: Project, project: Repo) -> None:
    identity = ledger.append(opened, receipt_of(opened, 1))
    folder = f"{REF}:runs/{identity.hex()[:2]}/{identity.hex()}"
    assert project.git("ls-tree", "--name-only", folder).splitlines() == ["code", "receipt.json"]
    assert project.git("rev-parse", f"{folder}/code") == project.git("rev-parse", "HEAD^{tree}")


def test_the_ledger_touches_no_branch_and_no_index(opened: Project, project: Repo) -> None:
    before = project.git("status", "--porcelain"), project.git("branch", "--list")
    ledger.append(opened, receipt_of(opened, 1))
    assert (project.git("status", "--porcelain"), project.git("branch", "--list")) == before


def test_a_run_is_found_by_the_beginning_of_its_id(opened: Project) -> None:
    identity = ledger.append(opened, receipt_of(opened, 1))
    for prefix in (identity.hex(), identity.hex()[:8], str(identity), identity.hex()[:8].upper()):
        assert ledger.find(opened, prefix).id == identity


@pytest.mark.parametrize("prefix", ["", "ab", "0000000", "zzzz"])
def test_what_is_no_beginning_of_an_id_is_refused(opened: Project, prefix: str) -> None:
    ledger.append(opened, receipt_of(opened, 1))
    with pytest.raises(Refused, match="no run"):
        ledger.find(opened, prefix)


def test_a_receipt_that_was_forged_is_not_believed(opened: Project) -> None:
    identity = ledger.append(opened, receipt_of(opened, 1))
    path = f"runs/{identity.hex()[:2]}/{identity.hex()}/receipt.json"
    tip = opened.git.resolve_ref(REF)
    commit = f"commit {REF}\ncommitter x <x> 1 +0000\ndata 0\nfrom {tip}\n"
    change = f"M 100644 inline {path}\ndata 2\n{{}}\n"
    opened.git.fast_import((commit + change).encode())
    (damaged,) = ledger.runs(opened)
    assert isinstance(damaged, Damaged)
    with pytest.raises(BadRecord, match="does not hash"):
        ledger.find(opened, identity.hex())


def test_verdicts_are_kept_beside_runs(opened: Project) -> None:
    identity = ledger.append_verdict(opened, verdict_of(1))
    ledger.append(opened, receipt_of(opened, 1))
    assert list(ledger.verdicts_of(opened)) == [(identity, verdict_of(1))]
    assert len(ids(opened)) == 1
    assert ledger.find_verdict(opened, identity.hex()[:9]) == (identity, verdict_of(1))


@pytest.fixture
def two(opened: Project, project: Repo, tmp_path: Path) -> tuple[Project, Project]:
    """Two clones of one bare repository."""
    Repo(tmp_path).git("clone", "--quiet", "--bare", str(project.path), "bare")
    project.git("remote", "add", "origin", str(tmp_path / "bare"))
    other = Repo(tmp_path / "bare").clone(tmp_path / "other")
    return opened, open_project(other.path, tmp_path / "settings")


def test_two_clones_union_their_runs(two: tuple[Project, Project]) -> None:
    one, other = two
    mine, theirs = ledger.append(one, receipt_of(one, 1)), ledger.append(other, receipt_of(other, 2))
    verdict = ledger.append_verdict(other, verdict_of(3))
    assert ledger.exchange(one, "origin").sent
    exchanged = ledger.exchange(other, "origin")
    assert (exchanged.sent, exchanged.received) == (True, 1)
    assert ledger.exchange(one, "origin").received == 2
    assert set(ids(one)) == set(ids(other)) == {mine, theirs}
    assert [identity for identity, _ in ledger.verdicts_of(one)] == [verdict]
    assert one.git.resolve_ref(REF) == other.git.resolve_ref(REF)


def test_exchanging_again_and_again_comes_to_rest(two: tuple[Project, Project]) -> None:
    one, other = two
    for project, number in ((one, 1), (other, 2)):
        ledger.append(project, receipt_of(project, number))
    for project in (one, other, one, other):
        ledger.exchange(project, "origin")
    tip = one.git.resolve_ref(REF)
    assert not ledger.exchange(other, "origin").sent
    assert (other.git.resolve_ref(REF), len(ids(other))) == (tip, 2)


def test_a_chain_that_drops_a_run_takes_none_away_here(two: tuple[Project, Project]) -> None:
    one, other = two
    mine = ledger.append(one, receipt_of(one, 1))
    ledger.exchange(one, "origin")
    ledger.receive(other, "origin")
    tip, path = other.git.resolve_ref(REF), f"runs/{mine.hex()[:2]}/{mine.hex()}"
    text = f"commit {REF}\ncommitter x <x> 1 +0000\ndata 0\nfrom {tip}\nD {path}\n"
    other.git.fast_import(text.encode())
    other.git.push_ref("origin", f"{REF}:{REF}")
    ledger.receive(one, "origin")
    assert ids(one) == [mine]


def test_nothing_new_is_neither_sent_nor_merged(two: tuple[Project, Project]) -> None:
    one, _ = two
    ledger.append(one, receipt_of(one, 1))
    ledger.exchange(one, "origin")
    tip = one.git.resolve_ref(REF)
    exchanged = ledger.exchange(one, "origin")
    assert (exchanged.sent, exchanged.received, one.git.resolve_ref(REF)) == (False, 0, tip)


def test_a_remote_without_a_ledger_gives_nothing(two: tuple[Project, Project]) -> None:
    assert ledger.receive(two[0], "origin") == 0
    assert not ledger.exchange(two[0], "origin").sent


def test_code_that_was_never_committed_travels_with_its_run(two: tuple[Project, Project]) -> None:
    one, other = two
    (one.git.root / "new.py").write_text("x = 1\n")
    tree = one.git.snapshot().tree
    head = one.git.head()
    ledger.append(one, replace(receipt_of(one, 1), code=Code(head, tree, dirty=True)))
    ledger.exchange(one, "origin")
    ledger.receive(other, "origin")
    assert other.git.read_at(tree, ["new.py"]) == {"new.py": b"x = 1\n"}


def test_a_push_that_is_refused_for_another_reason_is_told(
    two: tuple[Project, Project], tmp_path: Path
) -> None:
    one, _ = two
    hook = tmp_path / "bare/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    ledger.append(one, receipt_of(one, 1))
    with pytest.raises(GitFailed):
        ledger.exchange(one, "origin")


@pytest.mark.parametrize(("news", "much"), [(1, False), (2, True)])
def test_much_that_is_new_is_sent_without_a_second_look_at_its_trees(
    two: tuple[Project, Project], monkeypatch: pytest.MonkeyPatch, news: int, much: bool
) -> None:
    one, other = two
    monkeypatch.setattr(ledger, "MUCH", 2)
    ledger.append(one, receipt_of(one, 1))
    ledger.exchange(one, "origin")
    ours = {ledger.append(one, receipt_of(one, 2 + number)) for number in range(news)}
    run, asked = type(one.git).run, []

    def heard(self: Git, *words: str, **options: Any) -> Completed:
        asked.extend([words] if "push" in words else [])
        return run(self, *words, **options)

    monkeypatch.setattr(Git, "run", heard)
    ledger.exchange(one, "origin")
    assert [words[:2] == ("-c", "pack.useSparse=false") for words in asked] == [much]
    ledger.receive(other, "origin")
    assert ours < set(ids(other))
