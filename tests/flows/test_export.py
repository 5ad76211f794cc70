"""`tally export mlflow`: a run, told to a server that refuses what MLflow would refuse."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallystick.digest import Digest
from tests.flows.conftest import Stages
from tests.sandbox import Tally
from tests.servers import free_ports
from tests.trackers.strict import Refusal, Strict, running

LOG = """\
import json, os
folder = os.environ["TALLY_RECORD"]
with open(os.path.join(folder, "series.jsonl"), "w") as file:
    for step in range(3):
        moment = f"2026-01-31T12:00:0{step}.000Z"
        file.write(json.dumps({"step": step, "@time": moment, "accuracy": step / 4}) + "\\n")
"""


@pytest.fixture
def server() -> Iterator[Strict]:
    with running() as strict:
        yield strict


@pytest.fixture
def logged(stages: Stages) -> Stages:
    """Two stages that have run; the second one logged a series."""
    stages.repo.write("train.py", LOG + stages.repo.read("train.py").decode())
    stages.repo.commit("Log a series")
    stages.tally("run")
    stages.repo.commit("Run")
    return stages


def export(stages: Stages, server: Strict, *args: str) -> dict[str, Any]:
    (one,) = stages.tally("export", "mlflow", "--json", "--uri", server.url, *args).json()
    return dict(one)


def test_a_run_is_told_whole(logged: Stages, server: Strict) -> None:
    done = export(logged, server, "train")
    run, receipt = server.only, logged.receipt("train")
    assert server.experiments == {"1": logged.repo.path.name}
    assert run.name.startswith("train ")
    assert run.status == "FINISHED"
    assert run.ended == run.started + round(receipt["seconds"] * 1000)
    assert run.params == {"params.json:rate": "0.5"}
    assert run.tags["tallystick.receipt"] == done["run"]
    assert run.tags["tallystick.commit"] == receipt["code"]["commit"]
    assert [(step, value) for step, _, value in run.metrics["accuracy"]] == [
        (0, 0.0),
        (1, 0.25),
        (2, 0.5),
        (2, receipt["metrics"]["metrics.json"]["accuracy"]),
    ]
    assert run.metrics["rows"] == [(0, run.ended, 100.0)]
    (clean,) = receipt["deps"][:1] if receipt["deps"][0]["path"] == "clean" else receipt["deps"][1:]
    assert list(run.inputs) == [("clean", clean["digest"].removeprefix("blake3:")[:36])]
    assert run.artifacts["receipt.json"] == logged.repo.read("receipts/train.json")
    assert str(Digest.of(run.artifacts["receipt.json"])) == done["run"]
    assert run.artifacts["output.log"] == b"trained with 0.5\n"
    assert run.artifacts["environment.lock"] == logged.repo.read("environment.lock")
    assert sorted(run.artifacts) == ["environment.lock", "output.log", "receipt.json"]
    assert done["page"] == f"{server.url}/#/experiments/1/runs/{run.id}"
    assert (done["new"], done["params"], done["metrics"], done["inputs"]) == (True, 1, 5, 1)


def test_it_says_what_it_did_and_where_to_look(logged: Stages, server: Strict) -> None:
    shown = logged.tally("export", "mlflow", "train", "prepare", "--uri", server.url).out
    assert "train: run " in shown
    assert "sent 1 param, 5 points of metrics, 1 data input, 3 artifacts" in shown
    assert f"{server.url}/#/experiments/1/runs/" in shown
    assert len(server.runs) == 2


def test_a_second_time_nothing_is_doubled(logged: Stages, server: Strict) -> None:
    first = export(logged, server, "train")
    before = repr(server.only)
    again = export(logged, server, "train")
    assert repr(server.only) == before
    assert again["id"] == first["id"]
    assert again["new"] is False
    assert [again[what] for what in ("params", "metrics", "inputs", "artifacts")] == [0, 0, 0, []]
    shown = logged.tally("export", "mlflow", "train", "--uri", server.url).out
    assert "was there already as" in shown


def test_an_export_that_breaks_off_is_finished_by_the_next(logged: Stages, server: Strict) -> None:
    whole = len((export(logged, server, "train"), server.asked)[1])
    expected = repr(server.only)
    for after in range(5, whole + 1):
        server.experiments.clear()
        server.runs.clear()
        server.asked.clear()

        def cut(_method: str, _path: str, after: int = after) -> None:
            if len(server.asked) == after:
                raise Refusal("gone", 502, "X")

        server.broken = cut
        broken = logged.tally("export", "mlflow", "train", "--uri", server.url, code=15)
        assert "failed: gone" in broken.err
        assert server.only.status == "RUNNING"
        server.broken = None
        export(logged, server, "train")
        assert repr(server.only) == expected
    assert whole == 12, "the last one is the word that it has ended"


def test_results_of_a_modest_size_go_along_when_asked_for(logged: Stages, server: Strict) -> None:
    done = export(logged, server, "prepare")
    assert done["artifacts"] == ["receipt.json", "environment.lock", "output.log"]
    done = export(logged, server, "prepare", "--artifacts", "10KiB")
    assert done["artifacts"] == ["outs/clean/squares.csv"]
    assert server.only.artifacts["outs/clean/squares.csv"] == logged.repo.read("clean/squares.csv")
    done = export(logged, server, "train", "--artifacts", "900")
    assert done["notes"] == ["`model.bin` is larger and stays here"]
    assert "outs/metrics.json" in done["artifacts"]
    logged.tally("export", "mlflow", "train", "--artifacts", "much", code=2)


def test_a_run_of_the_ledger_is_told_with_how_it_failed(logged: Stages, server: Strict) -> None:
    logged.repo.write("train.py", "import sys\nsys.exit('no memory')\n")
    logged.tally("run", code=18)
    run = logged.runs()[0]["run"].removeprefix("blake3:")
    export(logged, server, run[:10])
    assert server.only.status == "FAILED"
    assert "exit code 1" in server.only.tags["tallystick.cause"]
    assert b"no memory" in server.only.artifacts["output.log"]


def test_the_experiment_is_the_one_that_is_named(
    logged: Stages, server: Strict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "from the environment")
    export(logged, server, "train")
    export(logged, server, "train", "--experiment", "given")
    assert sorted(server.experiments.values()) == ["from the environment", "given"]


def test_the_server_is_the_one_of_the_user(
    logged: Stages, server: Strict, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = logged.tally("export", "mlflow", "train", code=3)
    assert "no MLflow server is named" in none.err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    logged.tally("export", "mlflow", "train")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    logged.tally("config", "--local", "mlflow.uri", server.url)
    logged.tally("export", "mlflow", "train")
    assert len(server.runs) == 1
    assert logged.tally("config", "mlflow.uri").out == f"{server.url}\n"


def test_a_server_that_the_repository_names_is_refused(logged: Stages, server: Strict) -> None:
    refused = logged.tally("config", "mlflow.uri", server.url, code=12)
    assert "only from the user's own settings" in refused.err
    for section in ("[mlflow]", '[mlflow "x"]', "[MLflow]"):
        logged.repo.write(".tallyconfig", f"{section}\n\turi = {server.url}\n")
        logged.tally("export", "mlflow", "train", code=12)
    assert server.asked == []


def test_a_login_is_used_and_never_shown(
    logged: Stages, server: Strict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-of-mine")
    done = export(logged, server, "train")
    assert {headers["authorization"] for headers in server.headers} == {"Bearer t0ken-of-mine"}
    assert "t0ken" not in json.dumps(done)
    secret = server.url.replace("http://", "http://ana:hunter22@")
    for words in ((), ("--json",)):
        shown = logged.tally("export", "mlflow", "train", *words, "--uri", secret)
        assert "hunter22" not in shown.out + shown.err
    down = f"http://ana:hunter22@127.0.0.1:{free_ports(1)[0]}"
    for words in ((), ("--json",), ("-v",)):
        failed = logged.tally("export", "mlflow", "train", *words, "--uri", down, code=15)
        assert "hunter22" not in failed.out + failed.err
        assert "127.0.0.1" in failed.err


def test_a_server_that_is_down_ends_with_15_and_a_hint(logged: Stages) -> None:
    uri = f"http://127.0.0.1:{free_ports(1)[0]}"
    failed = logged.tally("export", "mlflow", "train", "--uri", uri, code=15)
    assert f"error: `{uri}` does not answer" in failed.err
    assert "hint:" in failed.err


def test_what_is_no_run_is_said_so(stages: Stages, server: Strict) -> None:
    for target in ("none", "0123abcd", "data"):
        refused = stages.tally("export", "mlflow", target, "--uri", server.url, code=3)
        assert target in refused.err
    never = stages.tally("export", "mlflow", "train", "--uri", server.url, code=3)
    assert "stage `train` has no receipt" in never.err
    assert server.asked == []


def test_secrets_of_the_present_environment_stay_here(
    logged: Stages, server: Strict, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was no secret when it ran is one now.
    word = "trained"
    monkeypatch.setenv("NEW_PASSWORD", word + " with 0.5")
    monkeypatch.setenv("OTHER_PASSWORD", "Ada Lovelace")
    done = export(logged, server, "train")
    assert server.only.artifacts["output.log"] == b"[secret]\n"
    assert "Ada" not in json.dumps(server.only.tags)
    assert "receipt.json" not in server.only.artifacts
    assert any("`receipt.json` was not sent" in note for note in done["notes"])


def test_what_no_store_has_is_noted_and_fetched_where_a_remote_has_it(
    logged: Stages, server: Strict, tmp_path: Path
) -> None:
    folder = tmp_path / "remote"
    folder.mkdir()
    logged.tally("remote", "add", "origin", str(folder))
    logged.tally("push")
    logged.repo.commit("Name a remote")
    clone = logged.repo.clone(tmp_path / "clone")
    other = Stages(clone, Tally(clone.path))
    other.tally("remote", "remove", "origin")
    lonely = export(other, server, "train", "--experiment", "lonely")
    assert lonely["artifacts"] == ["receipt.json"]
    assert "its metric series is in no store at hand; its last metrics were told" in lonely["notes"]
    other.tally("remote", "add", "origin", str(folder))
    found = export(other, server, "train", "--experiment", "lonely")
    assert found["artifacts"] == ["environment.lock", "output.log"]
    # Three steps, and the last metric once more: it counts as later than all of them.
    assert found["metrics"] == 4
