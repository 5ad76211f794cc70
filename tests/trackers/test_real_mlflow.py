"""A run as a real MLflow server shows it, and a run of MLflow's own that a receipt names."""

import json
import urllib.parse
import urllib.request
from typing import Any

import pytest

from tests.sandbox import Repo, Tally
from tests.trackers.conftest import QUIET, RealServer

pytestmark = pytest.mark.slow

TRAIN = """\
import json, mlflow, tallystick_log as tally
rate = json.load(open("params.json"))["rate"]
numbers = open("data/numbers.txt").read().split()
with mlflow.start_run():
    mlflow.log_param("rate", rate)
for step in range(5):
    tally.log(step, loss=1 / (1 + step))
tally.log(5, loss=float("nan"))
json.dump({"loss": 0.125, "rows": len(numbers)}, open("metrics.json", "w"))
open("model.bin", "wb").write(bytes(range(200)))
print("trained")
"""

# The environment of the stage has MLflow, and not this program: it writes what `tallystick.log` would.
LOG = """\
import datetime, json, os
def log(step, **numbers):
    moment = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    values = {name: value if value == value else "nan" for name, value in numbers.items()}
    with open(os.path.join(os.environ["TALLY_RECORD"], "series.jsonl"), "a") as file:
        file.write(json.dumps({"step": step, "@time": moment.replace("+00:00", "Z"), **values}) + "\\n")
"""

PIPELINE = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py, tallystick_log.py, data]
    params: [{params.json: [rate]}]
    outs: [model.bin]
    metrics: [metrics.json]
    variables: [MLFLOW_EXPERIMENT_NAME]
"""


def asked(server: RealServer, question: str, **query: str) -> Any:
    url = f"{server.url}/api/2.0/mlflow/{question}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture
def ran(project: Repo, tally: Tally, real: RealServer, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A stage that has run in the environment of MLflow, with a run of MLflow's own."""
    monkeypatch.setenv("PATH", f"{real.bin}:/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", real.url)
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    files = {
        "train.py": TRAIN,
        "tallystick_log.py": LOG,
        "params.json": '{"rate": 0.5}',
        "tally.yaml": PIPELINE,
    }
    for name, text in files.items():
        project.write(name, text)
    project.write("data/numbers.txt", "1\n2\n3\n")
    tally("add", "data")
    project.commit("A stage")
    tally("run")
    return project


def test_a_real_server_shows_the_run_and_a_second_export_changes_nothing(
    ran: Repo, tally: Tally, real: RealServer
) -> None:
    receipt = json.loads(ran.read("receipts/train.json"))
    words = ("export", "mlflow", "train", "--experiment", "exported", "--artifacts", "1MiB", "--json")
    (done,) = tally(*words).json()
    shown = asked(real, "runs/get", run_id=done["id"])["run"]
    (again,) = tally(*words).json()
    assert (again["id"], again["new"], again["metrics"], again["artifacts"]) == (done["id"], False, 0, [])
    assert asked(real, "runs/get", run_id=done["id"])["run"] == shown
    info, data = shown["info"], shown["data"]
    assert (info["status"], info["run_name"]) == ("FINISHED", f"train {done['run'][7:19]}")
    assert info["end_time"] - info["start_time"] == round(receipt["seconds"] * 1000)
    assert data["params"] == [{"key": "params.json:rate", "value": "0.5"}]
    tags = {tag["key"]: tag["value"] for tag in data["tags"]}
    assert tags["tallystick.receipt"] == done["run"]
    assert tags["mlflow.source.git.commit"] == ran.git("rev-parse", "HEAD")
    history = asked(real, "metrics/get-history", run_id=done["id"], metric_key="loss")["metrics"]
    points = [(point.get("step", 0), point["value"]) for point in history]
    assert points == [*((step, 1 / (1 + step)) for step in range(5)), (5, "NaN"), (5, 0.125)]
    assert [point["timestamp"] for point in history] == sorted(point["timestamp"] for point in history)
    latest = {metric["key"]: metric["value"] for metric in data["metrics"]}
    assert latest == {"loss": 0.125, "rows": 3.0}
    (given,) = shown["inputs"]["dataset_inputs"]
    digest = next(dep["digest"] for dep in receipt["deps"] if dep["path"] == "data")
    assert (given["dataset"]["name"], given["dataset"]["digest"]) == ("data", digest[7:43])
    assert {"key": "tallystick.digest", "value": digest} in given["tags"]
    files = asked(real, "artifacts/list", run_id=done["id"])["files"]
    names = {file["path"]: file.get("file_size") for file in files}
    assert sorted(names) == ["environment.lock", "output.log", "outs", "receipt.json"]
    assert names["receipt.json"] == len(ran.read("receipts/train.json"))
    outs = asked(real, "artifacts/list", run_id=done["id"], path="outs")["files"]
    assert sorted(file["path"] for file in outs) == ["outs/metrics.json", "outs/model.bin"]


def test_the_receipt_names_the_run_of_mlflow_itself(ran: Repo, real: RealServer) -> None:
    (tracker,) = json.loads(ran.read("receipts/train.json"))["trackers"]
    assert (tracker["kind"], tracker["uri"]) == ("mlflow", real.url)
    shown = asked(real, "runs/get", run_id=tracker["id"])["run"]
    assert shown["data"]["params"] == [{"key": "rate", "value": "0.5"}]
