"""`tally log`: the runs as a table, with what tells them apart."""

import csv
import json
import re

import pytest

from tallystick.digest import Digest
from tallystick.runs import ledger
from tests.flows.conftest import Stages
from tests.project.house import opened
from tests.sandbox import Repo, Tally


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
    assert "There are more runs" in ran.out
    assert "more runs" not in varied.tally("log", "--all").out


def test_a_project_without_verdicts_says_so(done: Stages) -> None:
    assert done.tally("log", "--verdicts").out == "No reproductions.\n"


def rates(stages: Stages, *args: str) -> list[float | None]:
    found = stages.tally("log", "train", "--json", *args).json()["runs"]
    return [run["metrics"].get("accuracy") and run["params"]["params.json:rate"] for run in found]


def test_conditions_and_orders_are_about_the_whole_ledger(varied: Stages) -> None:
    assert rates(varied, "--where", "accuracy > 0.6") == [0.9]
    assert rates(varied, "-w", "rate < 0.95", "-w", "status = succeeded") == [0.9, 0.5]
    assert rates(varied, "-w", "accuracy = none") == [None]
    assert rates(varied, "-w", "exit_code = 4 or accuracy < 0.6") == [None, 0.5]
    run = varied.runs()[0]["run"].removeprefix("blake3:")
    assert len(varied.tally("log", "-w", f"run = {run[:8]}", "--json").json()["runs"]) == 1
    # An order is of all runs, too; what lacks the value stands last.
    assert rates(varied, "--sort", "accuracy") == [0.5, 0.9, None]
    assert rates(varied, "--sort", "-accuracy") == [0.9, 0.5, None]
    assert rates(varied, "--sort", "-metrics.json:accuracy", "-n", "1") == [0.9]
    assert rates(varied, "--sort", "-status", "--sort", "rate", "--all") == [0.5, 0.9, None]
    stages = [run["stage"] for run in varied.tally("log", "--sort", "stage", "--json").json()["runs"]]
    assert stages == sorted(stages)


def test_columns_are_those_that_were_chosen_or_asked_for(varied: Stages) -> None:
    assert varied.tally("log", "train", "--sort", "rows", "--json").json()["metrics"] == ["rows", "accuracy"]
    lines = varied.tally("log", "train", "--columns", "rate, stage,accuracy").out.splitlines()
    assert lines[0].split() == ["rate", "stage", "accuracy"]
    assert lines[1].split() == ["0.9", "train"]
    assert varied.tally("log", "--columns", "rate", "--json").json()["runs"][0]["values"] == {"rate": 0.9}
    assert "did you mean `accuracy`?" in varied.tally("log", "--columns", "run,acuracy").out


def test_a_csv_table_has_every_value_in_full(varied: Stages) -> None:
    rows = list(csv.DictReader(varied.tally("log", "train", "--csv").out.splitlines()))
    assert [row["status"] for row in rows] == ["failed", "succeeded", "succeeded"]
    assert [row["params.json:rate"] for row in rows] == ["0.9", "0.9", "0.5"]
    assert [bool(row["accuracy"]) for row in rows] == [False, True, True]
    assert len(rows[0]["run"]) == 64
    chosen = varied.tally("log", "train", "--csv", "--columns", "stage,rate").out
    assert chosen.splitlines() == ["stage,rate", "train,0.9", "train,0.9", "train,0.5"]


def test_a_name_that_no_run_has_is_an_error_that_knows_better(varied: Stages) -> None:
    for words in (("--where", "acuracy > 0.5"), ("--sort", "acuracy")):
        ran = varied.tally("log", *words, code=3)
        assert "no run has anything called `acuracy`" in ran.err
        assert "did you mean `accuracy`?" in ran.err
    varied.tally("log", "-w", "acuracy > 0.5 or stage = train", "-n", "1", code=3)
    assert "there are, for example" in varied.tally("log", "--where", "xyz > 0.5", code=3).err


def test_a_name_is_an_error_too_where_runs_have_no_values_at_all(bare: Stages) -> None:
    assert bare.tally("log", "--where", "accuracy > 0.5").out == "No runs.\n"
    bare.pipeline("stages: {make: {cmd: touch out, outs: [out]}}")
    bare.tally("run")
    assert "no run has anything called `accuracy`" in bare.tally("log", "--where", "accuracy > 1", code=3).err


def test_what_makes_no_sense_is_a_wrong_command_line(project: Repo, tally: Tally) -> None:
    for words in (
        ("--where", "accuracy >"),
        ("--csv", "--json"),
        ("--follow", "--csv"),
        ("--verdicts", "--sort", "x"),
        ("--columns", "a,,b"),
    ):
        tally("log", *words, code=2)


def test_an_edited_receipt_is_told_and_never_counts(varied: Stages) -> None:
    project = opened(varied.repo)
    run = varied.runs()[1]
    identity = Digest.parse(run["run"])
    (data,) = (text for _, text in ledger.texts(project, [identity]))
    edited = json.loads(data) | {"metrics": {"metrics.json": {"accuracy": 99.0}}}
    path = f"runs/{identity.hex()[:2]}/{identity.hex()}/receipt.json"
    blob = project.git.write_blob(json.dumps(edited).encode())
    project.git.fast_import(
        b"feature done\ncommit refs/tally/ledger\ncommitter A <a@b> 1800000000 +0000\ndata 4\nedit\n"
        b"from refs/tally/ledger^0\nM 100644 %s %s\ndone\n" % (blob.encode(), path.encode())
    )
    ran = varied.tally("log", "--where", "accuracy > 0.1", "--sort", "-accuracy")
    assert re.search(r"\b99\b", ran.out) is None
    assert f"note: run {identity.short}: its receipt in the ledger does not hash to its id" in ran.out


def test_runs_are_found_by_an_index_that_may_be_damaged_or_gone(varied: Stages) -> None:
    wanted = ("log", "--where", "rate > 0.1", "--json")
    found = varied.tally(*wanted).json()["runs"]
    assert found
    index = varied.repo.path / ".git/tally/values"
    newer = index.with_name("values.new")
    damages = (None, index.read_bytes()[:-1])
    for place, broken in [(place, broken) for place in (index, newer) for broken in damages]:
        place.unlink(missing_ok=True)
        if broken is not None:
            place.write_bytes(broken)
        assert varied.tally(*wanted).json()["runs"] == found
    varied.repo.write("params.json", '{"rate": 0.7}')
    varied.tally("run", code=18)
    assert [run["run"] for run in varied.tally(*wanted).json()["runs"]][1:] == [run["run"] for run in found]


def test_a_stage_that_never_ran_is_named(done: Stages) -> None:
    assert "No runs.\nnote: no run is of `trian`; without a name" in done.tally("log", "trian").out
    assert "note" not in done.tally("log", "--failed", "train").out
