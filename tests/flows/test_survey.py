"""`tally repro --all-receipts`: how much of the ledger can still be rebuilt."""

import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tallystick.cli.survey import moment
from tallystick.errors import WrongUsage
from tallystick.project import Project
from tallystick.reproduction.past import Past, past_of_run
from tallystick.runs.ledger import Run
from tests.cli.test_page import whole
from tests.flows.conftest import Stages
from tests.sandbox import Repo, Tally


def surveyed(stages: Stages, *args: str, code: int = 0) -> Any:
    return stages.tally("repro", "--all-receipts", "--json", *args, code=code).json()


@pytest.fixture
def runs(bare: Stages, shelf: Path) -> Stages:
    """Several runs: three that come again, one that differs, one that failed then."""

    def make() -> None:
        bare.repo.write("say.sh", "cat n > out\n")
        for number in range(3):
            bare.repo.write("n", str(number))
            bare.tally("run", "-f", "-n", "say", "-d", "n", "-o", "out", "--", "sh say.sh")
            bare.repo.commit()
        bare.tally("run", "-n", "noisy", "-o", "noise", "--", "head -c 8 /dev/urandom > noise")
        bare.tally("run", "-n", "broken", "-o", "nothing", "--", "false", code=18)
        bare.repo.commit()

    bare.made_once(shelf / "runs", make)
    return bare


def test_every_successful_run_is_repeated_and_none_stops_the_others(runs: Stages) -> None:
    found = surveyed(runs, code=1)
    assert [(each["stage"], each["outcome"]) for each in found["runs"]] == [
        ("noisy", "different"),
        *[("say", "identical")] * 3,
    ]
    assert (found["outcomes"], found["causes"]) == ({"identical": 3, "different": 1}, {"results differ": 1})
    assert found["runs"][0]["differs"] == ["noise"]
    kept = runs.tally("log", "--verdicts", "--json").json()
    assert [each["verdict"] for each in kept] == [each["verdict"] for each in found["runs"]][::-1]


def test_the_exit_code_is_the_highest_and_the_report_says_why(runs: Stages) -> None:
    for pack in (runs.repo.path / ".git/tally/packs").iterdir():
        pack.unlink()
    ran = runs.tally("repro", "--all-receipts", "--junit", "r.xml", "--html", "r.html", code=13)
    lines = ran.out.splitlines()
    assert sum("could not be rebuilt" in line and "blob" in line for line in lines) == 4
    assert "0 of 4 runs reproduced" in lines
    assert "data is in none of the places" in ran.out
    (suite,) = ElementTree.fromstring(runs.repo.read("r.xml"))
    assert (suite.get("tests"), suite.get("errors")) == ("4", "4")
    assert "data is in none of the places" in whole(runs.repo.read("r.html").decode()).words


@pytest.mark.slow
def test_a_sample_is_decided_by_its_seed_and_said(runs: Stages) -> None:
    first, again = (surveyed(runs, "--sample", "1", "--seed", "7", "--stage", "say") for _ in range(2))
    assert [each["run"] for each in first["runs"]] == [each["run"] for each in again["runs"]]
    assert (first["chosen"], first["among"], first["seed"]) == (1, 5, 7)


def test_runs_are_chosen_by_when_they_began_and_by_the_history_of_a_commit(runs: Stages) -> None:
    assert len(surveyed(runs, "HEAD~3")["runs"]) == 1
    ran = runs.tally("repro", "--all-receipts", "--since", "1 hour", "--sample", "1", "--stage", "say")
    assert "1 of 1 run reproduced, a sample of 5 (seed " in ran.out
    assert "No successful run fits." in runs.tally("repro", "--all-receipts", "--since", "2999-01-01").out


@pytest.mark.slow
def test_code_that_git_lost_and_damaged_receipts_are_told_and_stop_nothing(runs: Stages) -> None:
    tree = runs.receipt("say")["code"]["tree"]
    (runs.repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    found = surveyed(runs, "--stage", "say", code=3)
    assert found["causes"] == {"the code is not in git": 1}
    assert found["outcomes"] == {"identical": 2, "could not be rebuilt": 1}


def test_nothing_runs_before_all_commands_are_allowed(runs: Stages, tmp_path: Path) -> None:
    clone = runs.repo.clone(tmp_path / "clone")
    assert "`tally pull` brings it" in runs.tally("repro", "--all-receipts", cwd=clone.path).out
    clone.git("fetch", "-q", "origin", "refs/tally/ledger:refs/tally/ledger")
    ran = runs.tally("repro", "--all-receipts", cwd=clone.path, code=19)
    assert ran.out == ""
    assert "--trust" in ran.err


def test_ctrl_c_keeps_and_reports_what_is_done(runs: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.repo.write("n", "3")
    runs.tally("run", "say")
    newest = runs.runs()[0]["run"].removeprefix("blake3:")[:12]

    def find(project: Project, target: str, run: Run) -> Past:
        if target != newest:
            raise KeyboardInterrupt
        return past_of_run(project, target, run)

    monkeypatch.setattr("tallystick.flows.survey.past_of_run", find)
    ran = runs.tally("repro", "--all-receipts", "--stage", "say", code=130)
    assert "1 of 1 run reproduced; interrupted, 3 left" in ran.out
    assert len(runs.tally("log", "--verdicts", "--json").json()) == 1


def test_options_that_do_not_go_together_are_refused(project: Repo, tally: Tally) -> None:
    for args, said in (
        (("--sample", "3"), "goes with `--all-receipts`"),
        (("--all-receipts", "--seed", "3"), "--sample"),
        (("--all-receipts", "--explain"), "for one target"),
        (("--all-receipts", "--since", "soon"), "no moment"),
    ):
        assert said in tally("repro", *args, code=2).err


def test_a_moment_is_a_date_or_a_span() -> None:
    assert moment("90d", 1e9) == moment("90 days ago", 1e9) == 1e9 - 90 * 86400
    assert moment("2 weeks", 1e9) == 1e9 - 14 * 86400
    assert moment("2026-01-31T12:00:00Z", 0) == 1769860800
    os.environ["TZ"] = "UTC"
    assert moment("2026-01-31", 0) == 1769817600
    with pytest.raises(WrongUsage):
        moment("-3d", 0)
