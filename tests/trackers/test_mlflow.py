"""Runs of an MLflow server: made once, found again, told only what they lack."""

import io
from collections.abc import Iterator

import pytest

from tallystick.errors import AccessDenied, Refused, RemoteUnreachable
from tallystick.trackers.content import Content, Metric
from tallystick.trackers.mlflow import LOGIN, RECEIPT, Known, MLflow
from tallystick.trackers.web import Address, Server
from tests.trackers.strict import Refusal, Strict, running, serving

ID = "blake3:0123"


def content(**given: object) -> Content:
    whole = {
        "name": "train 0123",
        "started": 1000,
        "ended": 2000,
        "status": "FINISHED",
        "params": {},
        "metrics": (),
        "tags": {RECEIPT: ID},
        "inputs": (),
    }
    return Content(**whole | given)  # type: ignore[arg-type]


@pytest.fixture
def strict() -> Iterator[Strict]:
    with running() as server:
        yield server


@pytest.fixture
def mlflow(strict: Strict) -> MLflow:
    return MLflow(Server(Address(strict.url), "test", LOGIN))


@pytest.fixture
def run(mlflow: MLflow) -> Known:
    return mlflow.create(mlflow.experiment("digits"), content())


def test_an_experiment_is_made_once(mlflow: MLflow, strict: Strict) -> None:
    assert mlflow.experiment("a") == mlflow.experiment("a") == "1"
    assert mlflow.experiment("b") == "2"
    assert strict.experiments == {"1": "a", "2": "b"}


def test_an_experiment_that_somebody_makes_at_the_same_time_is_taken(mlflow: MLflow, strict: Strict) -> None:
    def overtake(_method: str, path: str) -> None:
        if path.endswith("experiments/create"):
            strict.experiments.setdefault("7", "a")

    strict.broken = overtake
    assert mlflow.experiment("a") == "7"


def test_a_deleted_experiment_is_said_to_be_so(mlflow: MLflow, strict: Strict) -> None:
    strict.deleted.add(mlflow.experiment("a"))
    with pytest.raises(Refused, match="was deleted"):
        mlflow.experiment("a")


def test_a_run_is_found_by_its_receipt_in_its_experiment(mlflow: MLflow, run: Known) -> None:
    found = mlflow.find("1", ID)
    assert found is not None
    assert (found.id, found.new, run.new) == (run.id, False, True)
    assert mlflow.find("1", "blake3:4567") is None
    assert mlflow.find(mlflow.experiment("other"), ID) is None


def test_a_run_is_running_until_its_end_is_told(mlflow: MLflow, run: Known, strict: Strict) -> None:
    assert (strict.only.status, strict.only.started) == ("RUNNING", 1000)
    mlflow.end(run, content(status="KILLED"))
    assert (strict.only.status, strict.only.ended) == ("KILLED", 2000)


def test_many_values_go_in_portions(mlflow: MLflow, run: Known, strict: Strict) -> None:
    params = {f"p{number}": "x" * 6000 for number in range(250)}
    metrics = [Metric("loss", number / 7, 1000 + number, number) for number in range(2500)]
    assert mlflow.log_params(run, params) == 250
    assert mlflow.log_metrics(run, metrics) == 2500
    assert strict.only.params == params
    assert len(strict.only.metrics["loss"]) == 2500
    assert [path for _, path in strict.asked].count("/api/2.0/mlflow/runs/log-batch") == 6


def test_wide_letters_count_as_the_bytes_that_they_are(mlflow: MLflow, run: Known, strict: Strict) -> None:
    params = {f"p{number}": "\U0001f600" * 6000 for number in range(100)}
    assert mlflow.log_params(run, params) == 100
    assert strict.only.params == params


def test_what_the_server_has_is_not_told_again(mlflow: MLflow, run: Known, strict: Strict) -> None:
    metrics = [Metric("loss", float("nan"), 1000 + number, number) for number in range(20)]
    mlflow.log_params(run, {"a": "1"})
    mlflow.log_metrics(run, metrics[:15])
    found = mlflow.find("1", ID)
    assert found is not None
    assert mlflow.log_params(found, {"a": "other", "b": "2"}) == 1
    assert mlflow.log_metrics(found, [*metrics, Metric("new", 1, 1, 1)]) == 6
    assert strict.only.params == {"a": "1", "b": "2"}
    assert len(strict.only.metrics["loss"]) == 20


def test_artifacts_go_to_a_server_that_serves_them(mlflow: MLflow, run: Known, strict: Strict) -> None:
    for path in ("receipt.json", "outs/a b/ö&?.txt"):
        assert mlflow.upload(run, path, io.BytesIO(b"123"), 3) is None
    assert strict.only.artifacts == {"receipt.json": b"123", "outs/a b/ö&?.txt": b"123"}
    assert mlflow.held(run, "") == {"receipt.json": 3}
    assert mlflow.held(run, "outs/a b") == {"ö&?.txt": 3}
    assert mlflow.held(run, "none") == {}


def test_names_that_mlflow_would_refuse_or_change_are_not_sent(mlflow: MLflow, run: Known) -> None:
    for path in ("a#b", "a%20b", "a\\b", "a\nb"):
        assert mlflow.upload(run, path, io.BytesIO(b"1"), 1) == "MLflow takes no such name"


@pytest.mark.parametrize("root", ["file:///srv/mlruns/", "s3://bucket/mlruns/", "/srv/mlruns/"])
def test_a_server_that_serves_none_is_handed_small_ones(mlflow: MLflow, strict: Strict, root: str) -> None:
    strict.artifact_root = root
    run = mlflow.create(mlflow.experiment("digits"), content())
    assert mlflow.upload(run, "a b/c.txt", io.BytesIO(b"123"), 3) is None
    assert strict.only.artifacts == {"a b/c.txt": b"123"}
    for size in (0, (10 << 20) + 1):
        assert "above 10 MiB" in str(mlflow.upload(run, "x", io.BytesIO(), size))


@pytest.mark.parametrize(
    "root",
    ["mlflow-artifacts://other.example.org/", "http://127.0.0.1:1/api/2.0/mlflow-artifacts/artifacts/"],
)
def test_another_host_that_the_server_names_gets_nothing(mlflow: MLflow, strict: Strict, root: str) -> None:
    strict.artifact_root = root
    run = mlflow.create(mlflow.experiment("digits"), content())
    assert mlflow.upload(run, "c.txt", io.BytesIO(b"123"), 3) is None
    assert strict.asked[-1] == ("POST", "/ajax-api/2.0/mlflow/upload-artifact")


def test_its_own_address_in_full_is_the_server_itself(mlflow: MLflow, strict: Strict) -> None:
    strict.artifact_root = f"{strict.url}/api/2.0/mlflow-artifacts/artifacts/"
    run = mlflow.create(mlflow.experiment("digits"), content())
    assert mlflow.upload(run, "c.txt", io.BytesIO(b"123"), 3) is None
    assert strict.asked[-1][0] == "PUT"


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"run": 1}',
        b'{"run": {"info": {"run_id": "../../x", "artifact_uri": "x"}}}',
        b'{"run": {"info": {"run_id": "a\\u001b[2J", "artifact_uri": "x"}}}',
        b'{"run": {"info": {"run_id": 5, "artifact_uri": "x"}}}',
        b'{"run": {"info": {"run_id": "abc"}}}',
    ],
)
def test_an_answer_that_makes_no_sense_is_no_run(answer: bytes) -> None:
    with serving(lambda *_asked: (200, {}, answer)) as url:
        mlflow = MLflow(Server(Address(url), "test", LOGIN))
        with pytest.raises(RemoteUnreachable, match="does not answer as such a server does"):
            mlflow.create("1", content())


def test_a_history_without_end_is_given_up() -> None:
    endless = b'{"metrics": [{"key": "a", "step": "1", "timestamp": "2"}], "next_page_token": "again"}'
    asked: list[str] = []

    def answer(method: str, path: str, *_rest: object) -> tuple[int, dict[str, str], bytes]:
        asked.append(path)
        return 200, {}, endless if "get-history" in path else b"{}"

    with serving(answer) as url:
        mlflow = MLflow(Server(Address(url), "test", LOGIN))
        known = Known("abc", "", metrics=frozenset({"a"}))
        with pytest.raises(RemoteUnreachable):
            mlflow.log_metrics(known, [])
    assert len(asked) < 10


def test_who_is_not_let_in_learns_how(mlflow: MLflow, strict: Strict) -> None:
    def deny(*_asked: str) -> None:
        raise Refusal("You are not authenticated", 401, "PERMISSION_DENIED")

    strict.broken = deny
    with pytest.raises(AccessDenied, match="not authenticated") as caught:
        mlflow.experiment("a")
    assert "MLFLOW_TRACKING_TOKEN" in str(caught.value.hint)
