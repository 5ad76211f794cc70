"""What a receipt becomes in MLflow's terms."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.records.provenance import Code, EnvironmentRef, Feature, Hardware, Tracker
from tallystick.records.receipt import Artifact, Receipt, identity
from tallystick.records.secrets import Redactor
from tallystick.records.series import Step
from tallystick.trackers.content import Content, Metric
from tallystick.trackers.mlflow import LOGIN, MLflow
from tallystick.trackers.translation import content_of, data_of
from tallystick.trackers.web import Address, Server
from tests.records.strategies import receipts
from tests.trackers.strict import running

COMMIT, TREE = "a" * 40, "b" * 40
DATA, CODE, MODEL = (Digest.of(name) for name in (b"data", b"code", b"model"))
START = 1_769_860_800_000

RECEIPT = Receipt(
    stage="train",
    cmd=("python", "train.py", "a b"),
    wdir=".",
    status="succeeded",
    exit_code=0,
    started="2026-01-31T12:00:00Z",
    seconds=2.5,
    code=Code(COMMIT, TREE, dirty=True),
    environment=EnvironmentRef(DATA, "3.11.7", "linux-x86_64"),
    hardware=Hardware("cpu", 2, 1 << 30),
    tool="tally 0.1.0",
    author="Ada Lovelace <ada@example.org>",
    deps=(Artifact("data", "tree", DATA, 100), Artifact("train.py", "file", CODE, 10)),
    params={"params.yaml": {"train.lr": 0.1, "layers": [1, 2], "flag": True}, "other.json": {"lr": None}},
    metrics={"metrics.json": {"loss": 0.25, "rows": 100}},
    seed=42,
    features=(Feature("user_stats", "v3", DATA),),
    trackers=(Tracker("mlflow", "0123", "http://localhost"),),
)
HELD = ("train.py", "data.tally", "params.yaml")


def told(receipt: Receipt = RECEIPT, series: Sequence[Step] = (), held: Collection[str] = HELD) -> Content:
    return content_of(identity(receipt), receipt, series, held, Redactor())


def test_params_keep_their_names_and_show_as_python_shows_them() -> None:
    assert told().params == {
        "train.lr": "0.1",
        "layers": "[1, 2]",
        "flag": "True",
        "other.json:lr": "None",
    }


def test_times_name_and_end_are_the_runs() -> None:
    content = told()
    assert (content.started, content.ended) == (START, START + 2500)
    assert content.name == f"train {identity(RECEIPT).short}"
    ends = {status: told(replace(RECEIPT, status=status)).status for status in ("failed", "interrupted")}
    assert (content.status, ends) == ("FINISHED", {"failed": "FAILED", "interrupted": "KILLED"})


def test_tags_say_what_ran() -> None:
    tags = told().tags
    assert tags["tallystick.receipt"] == str(identity(RECEIPT))
    expected = {
        "tallystick.commit": COMMIT,
        "tallystick.tree": TREE,
        "tallystick.dirty": "true",
        "tallystick.stage": "train",
        "tallystick.status": "succeeded",
        "tallystick.command": "python train.py 'a b'",
        "tallystick.author": "Ada Lovelace <ada@example.org>",
        "tallystick.seed": "42",
        "tallystick.features": "user_stats@v3",
        "tallystick.trackers": "mlflow 0123 http://localhost",
        "mlflow.user": "Ada Lovelace",
        "mlflow.source.git.commit": COMMIT,
    }
    assert expected.items() <= tags.items()
    assert "tallystick.cause" not in tags


def test_each_step_of_a_series_is_a_point_and_the_last_metrics_count_as_latest() -> None:
    series = [
        Step(0, {"loss": 1.0, "lr": 0.1}, START / 1000 + 1),
        Step(5, {"loss": 0.5}, START / 1000 + 2),
    ]
    assert told(series=series).metrics == (
        Metric("loss", 1.0, START + 1000, 0),
        Metric("lr", 0.1, START + 1000, 0),
        Metric("loss", 0.5, START + 2000, 5),
        Metric("loss", 0.25, START + 2500, 5),
        Metric("rows", 100.0, START + 2500, 0),
    )


def test_a_series_that_ends_with_the_metric_itself_is_not_told_twice() -> None:
    points = told(series=[Step(3, {"loss": 0.25}, None)]).metrics
    assert [point for point in points if point.key == "loss"] == [Metric("loss", 0.25, START, 3)]


def test_data_are_inputs_and_code_that_git_has_is_not() -> None:
    (data,) = told().inputs
    assert (data.name, data.digest) == ("data", DATA.hex()[:36])
    assert json.loads(data.source) == {"path": "data", "kind": "tree", "digest": str(DATA)}
    assert json.loads(data.profile) == {"bytes": 100}
    assert data.tags == {"mlflow.data.context": "train", "tallystick.digest": str(DATA)}


@pytest.mark.parametrize(
    ("path", "kind", "held", "is_data"),
    [
        ("train.py", "file", ["train.py"], False),
        ("src", "tree", ["src/a.py", "src/b/c.py"], False),
        ("data", "tree", ["data.tally"], True),
        ("data/x.csv", "file", ["data/x.csv.tally", "data/README.md"], True),
        ("data", "tree", ["data/x.csv.tally", "data/README.md"], True),
        ("raw", "tree", ["train.py"], True),
        ("raw.csv", "file", [], True),
    ],
)
def test_what_git_has_tells_data_from_code(path: str, kind: Any, held: list[str], is_data: bool) -> None:
    receipt = replace(RECEIPT, deps=(Artifact(path, kind, DATA, 1),))
    assert bool(list(data_of(receipt, held))) is is_data


def test_what_another_run_made_is_data_and_names_that_run() -> None:
    maker = str(Digest.of(b"maker"))
    receipt = replace(RECEIPT, produced_by={"train.py": maker})
    made = next(each for each in told(receipt).inputs if each.name == "train.py")
    assert made.tags["tallystick.produced_by"] == maker


def test_a_value_that_is_too_long_is_cut_and_noted() -> None:
    content = told(replace(RECEIPT, params={"params.yaml": {"prompt": "x" * 10_000}}))
    assert len(content.params["prompt"]) == 6000
    assert content.notes == ("of the parameter `prompt` the first 6,000 characters were told",)


def test_secrets_of_the_present_environment_are_not_told() -> None:
    receipt = replace(
        RECEIPT,
        params={"params.yaml": {"url": "https://ana:hunter22@host/", "word": "open-sesame"}},
        cmd="python train.py open-sesame",
        deps=(Artifact("open-sesame", "file", DATA, 1),),
    )
    redactor = Redactor.of({"DEPLOY_PASSWORD": "open-sesame"})
    content = repr(content_of(identity(receipt), receipt, (), (), redactor))
    assert "open-sesame" not in content
    assert "hunter22" not in content
    assert str(identity(receipt)) in content


steps = st.lists(
    st.builds(
        Step,
        st.integers(-(2**62), 2**62),
        st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
        st.none() | st.floats(-1e11, 2e11),
    ),
    max_size=4,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(receipts, steps), min_size=1, max_size=3, unique_by=lambda pair: identity(pair[0])))
def test_a_strict_server_takes_whatever_receipts_may_say(runs: list[tuple[Receipt, list[Step]]]) -> None:
    with running() as strict:
        mlflow = MLflow(Server(Address(strict.url), "test", LOGIN))
        home = mlflow.experiment("all")
        for receipt, series in [*runs, *runs]:
            content = told(receipt, series)
            run = mlflow.find(home, content.tags["tallystick.receipt"]) or mlflow.create(home, content)
            mlflow.log_params(run, content.params)
            assert run.new or mlflow.log_metrics(run, content.metrics) == 0
            mlflow.log_metrics(run, content.metrics)
            mlflow.log_inputs(run, content.inputs)
            mlflow.log_tags(run, content.tags)
            mlflow.end(run, content)
            assert strict.runs[run.id].params == dict(content.params)
            assert strict.runs[run.id].tags == {**content.tags, "mlflow.runName": content.name}
        assert len(strict.runs) == len(runs)
