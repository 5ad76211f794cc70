"""`tally bisect`: the commit that made a metric bad, by receipts where there are some, else by runs."""

from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Stages
from tests.sandbox import Ran

PIPELINE = """\
stages:
  score:
    cmd: sh score.sh
    deps: [score.sh, value]
    metrics: [m.json]
"""
SCORE = 'echo "{\\"a\\": $(cat value), \\"deep\\": {\\"b\\": 1}}" > m.json\n'


class History:
    """A history of a value, some commits of which were run."""

    def __init__(self, stages: Stages) -> None:
        self.stages, self.repo, self.tally = stages, stages.repo, stages.tally
        self.commits: list[str] = []

    def then(self, value: object, *, run: bool = False) -> str:
        """Commit a value, with its receipt if it was run."""
        self.repo.write("value", f"{value}\n")
        if run:
            self.tally("run", "-q")
        self.commits.append(self.repo.commit(f"Value {value}"))
        return self.commits[-1]

    def bisect(self, *args: str, code: int = 0, **where: Any) -> Ran:
        """Look for the first commit whose value is below 5."""
        return self.tally("bisect", "--metric", "a", "--below", "5", *args, code=code, **where)

    def found(self, *args: str, code: int = 0) -> Any:
        return self.bisect("--json", *args, code=code).json()


@pytest.fixture
def history(bare: Stages) -> History:
    bare.repo.write("score.sh", SCORE)
    bare.pipeline(PIPELINE)
    return History(bare)


def test_receipts_are_read_and_only_what_has_none_runs(history: History) -> None:
    for value, run in ((9, True), (8, False), (6, False), (4, False), (3, True), (2, True)):
        history.then(value, run=run)
    history.repo.write("value", "mine\n")
    before = history.repo.git("status", "--porcelain", "--branch", "--ignored")
    found = history.found(history.commits[0])
    first = found["first_bad"]
    assert (first["commit"]["subject"], first["value"], first["parent_value"]) == ("Value 4", 4, 6)
    committed = {"Value 9", "Value 3", "Value 2"}
    for step in found["steps"]:
        assert step["how"] == ("receipt" if step["subject"] in committed else "ran")
    assert ([each["path"] for each in first["differs"]["code"]], found["condition"]) == (["value"], "a < 5")
    assert history.repo.git("status", "--porcelain", "--branch", "--ignored") == before
    assert history.repo.read("value") == b"mine\n"
    assert len(history.repo.git("worktree", "list").splitlines()) == 1
    assert not history.repo.git("for-each-ref", "refs/bisect")
    _check_lines(history, history.bisect(history.commits[0], "HEAD").out.splitlines())


def _check_lines(history: History, lines: list[str]) -> None:
    """The same question asked again: what ran is taken from the ledger, and each step is a line."""
    short = [commit[:10] for commit in history.commits]
    assert lines[0].split() == ["good", short[0], "a", "9", "receipt", "Value", "9"]
    assert lines[2].strip() == "5 commits left, about 3 steps"
    assert ["good", short[2], "a", "6", "reused", "Value", "6"] in [line.split() for line in lines]
    assert f"First bad commit: {history.commits[3]}" in lines
    assert "  author   Ada Lovelace <ada@example.org>" in lines
    assert f"  a        4 (its parent {short[2]}: 6)" in lines
    assert "  changed  value  +1 -1" in lines


@pytest.mark.slow
def test_what_can_not_be_measured_is_skipped_and_said(history: History) -> None:
    for value in (9, 8, "8; exit 3", "8; exit 3", 7, 3, 2):
        history.repo.write("score.sh", "exit 3\n" if "exit" in str(value) else SCORE)
        history.then(value)
    found = history.found(history.commits[0])
    assert found["first_bad"]["commit"]["subject"] == "Value 3"
    skipped = [step for step in found["steps"] if step["judgement"] == "skip"]
    assert skipped
    assert "its command ended with exit code 3" in skipped[0]["why"]


def test_skipped_commits_that_leave_it_open_are_named_and_the_answer_is_no(history: History) -> None:
    for value in (9, 8, "broken", 3, 2):
        history.repo.write("score.sh", "exit 3\n" if value == "broken" else SCORE)
        history.then(value)
    ran = history.bisect(history.commits[0], code=1)
    assert "The first bad commit is one of these" in ran.out
    assert [line.split()[0] for line in ran.out.splitlines()[-2:]] == [
        history.commits[3][:10],
        history.commits[2][:10],
    ]


def test_a_receipt_of_other_code_that_nobody_declared_does_not_count(history: History) -> None:
    history.repo.write("lib.py", "VALUE = 9\n")
    history.repo.write("score.py", "import json, lib\njson.dump({'a': lib.VALUE}, open('m.json', 'w'))\n")
    history.stages.pipeline("stages: {score: {cmd: python score.py, deps: [score.py], metrics: [m.json]}}")
    first = history.then(0, run=True)
    history.repo.write("lib.py", "VALUE = 2\n")
    second = history.then(1)
    history.then(2)
    found = history.found(first)
    assert found["first_bad"]["commit"]["commit"] == second
    assert [step["value"] for step in found["steps"]] == [9, 2, 2]


@pytest.mark.slow
def test_data_is_that_of_the_commit_and_made_by_the_stages_before(history: History) -> None:
    history.stages.pipeline(
        "stages:\n"
        "  double: {cmd: 'echo $(($(cat data) * 2)) > value', deps: [data], outs: [value]}\n"
        "  score: {cmd: sh score.sh, deps: [score.sh, value], metrics: [m.json]}\n"
    )
    for number in (4, 3, 2, 1):
        history.repo.write("data", f"{number}\n")
        history.tally("add", "data")
        history.commits.append(history.repo.commit(f"Data {number}"))
    history.repo.write("data", "untracked edit\n")
    found = history.found(history.commits[0])
    assert found["first_bad"]["commit"]["subject"] == "Data 2"
    assert [each["path"] for each in found["first_bad"]["differs"]["deps"]] == ["value"]
    assert history.repo.read("data") == b"untracked edit\n"


@pytest.mark.slow
def test_merges_are_followed_or_only_what_was_merged_into(history: History) -> None:
    base = history.then(9)
    history.repo.git("checkout", "-q", "-b", "side")
    culprit = history.then(3)
    history.repo.git("checkout", "-q", "main")
    history.repo.write("other", "")
    history.repo.commit("Elsewhere")
    history.repo.git("merge", "-q", "--no-ff", "-m", "Merge side", "side")
    history.repo.write("other", "more")
    history.repo.commit("Later")
    assert history.found(base)["first_bad"]["commit"]["commit"] == culprit
    assert history.found("--first-parent", base)["first_bad"]["commit"]["subject"] == "Merge side"


def test_ends_that_are_not_what_they_are_said_to_be_are_refused(history: History) -> None:
    first, middle, last = (history.then(value, run=True) for value in (9, 7, 3))
    history.repo.git("checkout", "-q", "-b", "other", first)
    other = history.then(2, run=True)
    for args, said in (
        ((first, middle), f"`{middle}` is not bad: `a` is 7 there, which is not below 5"),
        ((last, other), "does not lead to"),
        ((last, first), "swap them and say `--above`"),
        ((first, first), "the same commit"),
        ((first, "nosuch"), "no commit `nosuch`"),
        (("--stage", "train", first, last), "no stage `train`"),
    ):
        assert said in history.bisect(*args, code=3).err
    assert (
        "is not good: `a` is 9"
        in history.tally("bisect", "--metric", "a", "--above", "5", first, last, code=3).err
    )
    assert (
        "did you mean"
        in history.tally("bisect", "--metric", "m.json:aa", "--below", "5", first, last, code=3).err
    )
    history.tally("bisect", "--metric", "a", first, code=2)


@pytest.mark.slow
def test_several_stages_with_the_metric_have_to_be_told_apart(history: History) -> None:
    more = (
        "  more: {cmd: 'sh score.sh && mv m.json n.json && sh score.sh', deps: [value], metrics: [n.json]}\n"
    )
    history.stages.pipeline(PIPELINE + more.replace(" && sh score.sh'", "'"))
    history.then(9, run=True)
    history.then(3, run=True)
    first = history.commits[0]
    assert "--stage" in history.bisect(first, code=3).err
    assert history.found("--stage", "more", first)["stage"] == "more"


@pytest.mark.slow
def test_a_command_that_takes_too_long_is_skipped(history: History) -> None:
    first = history.then(9, run=True)
    history.repo.write("score.sh", f"sleep 60\n{SCORE}")
    slow = history.then(8)
    history.repo.write("score.sh", SCORE)
    history.then(3, run=True)
    found = history.found("--timeout", "0.5", first, code=1)
    assert [each["commit"] for each in found["suspects"]] == [history.commits[2], slow]
    assert "did not end within 0.5 s" in found["steps"][-1]["why"]


def test_an_end_that_can_not_be_measured_keeps_its_own_exit_code(history: History) -> None:
    first = history.then(9)
    history.repo.write("score.sh", "exit 3\n")
    history.then(8)
    ran = history.bisect(first, code=18)
    assert "`HEAD` can't be measured: stage `score` failed" in ran.err


def test_a_clone_runs_nothing_unasked_and_a_shallow_one_says_what_it_lacks(
    history: History, tmp_path: Path
) -> None:
    first = history.then(9)
    history.then(3)
    clone = history.repo.clone(tmp_path / "clone")
    assert "--trust" in history.bisect(first, code=19, cwd=clone.path).err
    assert "First bad commit" in history.bisect("--trust", first, cwd=clone.path).out
    history.repo.git("clone", "-q", "--depth=1", f"file://{history.repo.path}", str(tmp_path / "shallow"))
    assert "git fetch --unshallow" in history.bisect(first, code=3, cwd=tmp_path / "shallow").err
