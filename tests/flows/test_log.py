"""`tally log`: the runs as a table, with what tells them apart."""

import pytest

from tests.flows.conftest import Stages


@pytest.fixture
def varied(done: Stages) -> Stages:
    """Two runs of `train` with other parameters, then one that failed."""
    done.tally("run", "-S", "params.json:rate=0.9")
    done.repo.write("train.py", "raise SystemExit(4)")
    done.tally("run", code=18)
    return done


def test_a_project_without_runs_says_so(bare: Stages) -> None:
    assert bare.tally("log").out == "No runs.\n"


def test_only_params_and_metrics_that_differ_are_columns(varied: Stages) -> None:
    found = varied.tally("log", "--json").json()
    assert found["params"] == ["params.json:rate"]
    assert found["metrics"] == ["accuracy"]
    heading = varied.tally("log").out.splitlines()[0].split()
    assert heading == ["run", "started", "stage", "status", "commit", "took", "params.json:rate", "accuracy"]


def test_runs_on_uncommitted_changes_are_marked(varied: Stages) -> None:
    lines = varied.tally("log", "prepare").out.splitlines()
    assert "*" not in lines[1]
    assert "*" in varied.tally("log", "train").out.splitlines()[1]


def test_stages_failures_and_a_limit_choose(varied: Stages) -> None:
    assert [run["stage"] for run in varied.tally("log", "prepare", "--json").json()["runs"]] == ["prepare"]
    assert [run["status"] for run in varied.tally("log", "--failed", "--json").json()["runs"]] == ["failed"]
    ran = varied.tally("log", "-n", "2")
    assert "There are older runs" in ran.out
    assert "older runs" not in varied.tally("log", "--all").out


def test_a_project_without_verdicts_says_so(done: Stages) -> None:
    assert done.tally("log", "--verdicts").out == "No reproductions.\n"
