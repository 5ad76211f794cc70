"""An MLflow server in the test's own process, stricter than the real one."""

import json
import posixpath
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

API = "/api/2.0/mlflow/"
SERVED = "/api/2.0/mlflow-artifacts/artifacts/"
KEY = re.compile(r"[/\w.\- :]*")
FILTER = re.compile(r"tags\.`([\w.]+)` = '([\w:]+)'")
STATUSES = {"RUNNING", "FINISHED", "FAILED", "KILLED"}


class Refusal(Exception):
    """A no: HTTP's status, MLflow's code, and words."""

    def __init__(self, message: str, status: int = 400, code: str = "INVALID_PARAMETER_VALUE") -> None:
        super().__init__(message)
        self.status, self.code = status, code


def demand(condition: object, message: str) -> None:
    if not condition:
        raise Refusal(message)


@dataclass(slots=True)
class Run:
    """What the server was told of a run."""

    id: str
    experiment: str
    name: str
    started: int
    artifact_uri: str
    status: str = "RUNNING"
    ended: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, int, Any]]] = field(default_factory=dict)
    """Key -> (step, timestamp, value)."""
    inputs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        info = {
            "run_id": self.id,
            "run_uuid": self.id,
            "experiment_id": self.experiment,
            "status": self.status,
            "start_time": self.started,
            "artifact_uri": self.artifact_uri,
            "lifecycle_stage": "active",
        }
        latest = []
        for key, points in self.metrics.items():
            step, moment, value = max(points, key=lambda point: point[:2])
            latest.append({"key": key, "value": value, "timestamp": str(moment), "step": str(step)})
        data = {"metrics": latest, "params": listed(self.params), "tags": listed(self.tags)}
        inputs = {"dataset_inputs": list(self.inputs.values())} if self.inputs else {}
        return {
            "info": info,
            "data": {name: value for name, value in data.items() if value},
            "inputs": inputs,
        }


def listed(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


@dataclass
class Strict:
    """The server's memory. `broken` may raise in its place; `page` points of a history come at once."""

    url: str = ""
    artifact_root: str = "mlflow-artifacts:/"
    experiments: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    runs: dict[str, Run] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    broken: Callable[[str, str], None] | None = None
    page: int = 7

    @property
    def only(self) -> Run:
        """The one run that there is."""
        (run,) = self.runs.values()
        return run

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        parts = urlsplit(path)
        self.asked.append((method, parts.path))
        self.headers.append(headers)
        if self.broken is not None:
            self.broken(method, parts.path)
        query = {name: value for name, (value,) in parse_qs(parts.query).items()}
        if parts.path.startswith(SERVED):
            demand(method == "PUT", "artifacts are PUT")
            return self.put(unquote(parts.path.removeprefix(SERVED)), body)
        if parts.path == "/ajax-api/2.0/mlflow/upload-artifact":
            demand(method == "POST" and 0 < len(body) <= 10 << 20, "no such upload")
            return self.keep(self.run(query["run_uuid"]), query["path"], body)
        name = parts.path.removeprefix(API).replace("/", "_").replace("-", "_")
        verb = getattr(self, f"{method.lower()}_{name}", None)
        if verb is None:
            raise Refusal("no such endpoint", 404, "ENDPOINT_NOT_FOUND")
        if method == "GET":
            return dict(verb(**query))
        demand(headers.get("content-type") == "application/json", "JSON is wanted")
        demand(len(body) <= 1_000_000, "a request may have a million bytes")
        return dict(
            verb(**json.loads(body.decode("utf-8"), parse_constant=lambda _: demand(False, "strict JSON")))
        )

    def run(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise Refusal(f"Run '{run_id}' not found", 404, "RESOURCE_DOES_NOT_EXIST")
        return self.runs[run_id]

    def get_experiments_get_by_name(self, experiment_name: str) -> dict[str, Any]:
        for identity, name in self.experiments.items():
            if name == experiment_name:
                stage = "deleted" if identity in self.deleted else "active"
                return {"experiment": {"experiment_id": identity, "name": name, "lifecycle_stage": stage}}
        raise Refusal("Could not find experiment", 404, "RESOURCE_DOES_NOT_EXIST")

    def post_experiments_create(self, name: str) -> dict[str, Any]:
        demand(0 < len(name) <= 500, "no such name")
        if name in self.experiments.values():
            raise Refusal("Experiment already exists", 400, "RESOURCE_ALREADY_EXISTS")
        identity = str(len(self.experiments) + 1)
        self.experiments[identity] = name
        return {"experiment_id": identity}

    def post_runs_search(
        self, experiment_ids: list[str], order_by: list[str], max_results: int, **words: str
    ) -> dict[str, Any]:
        match = FILTER.fullmatch(words["filter"])
        demand(match and order_by == ["attributes.start_time ASC"] and max_results == 1, "no such search")
        assert match is not None
        found = [
            run.shown()
            for run in self.runs.values()
            if run.experiment in experiment_ids and run.tags.get(match[1]) == match[2]
        ]
        return {"runs": found[:1]} if found else {}

    def post_runs_create(
        self, experiment_id: str, run_name: str, start_time: int, tags: list[dict[str, str]]
    ) -> dict[str, Any]:
        demand(experiment_id in self.experiments and type(start_time) is int, "no such run")
        identity = f"{len(self.runs):032x}"
        root = f"{self.artifact_root}{experiment_id}/{identity}/artifacts"
        run = Run(identity, experiment_id, run_name, start_time, root)
        run.tags = texts(tags, 8000)
        self.runs[identity] = run
        return {"run": run.shown()}

    def post_runs_update(self, run_id: str, status: str, end_time: int) -> dict[str, Any]:
        run = self.run(run_id)
        demand(status in STATUSES and type(end_time) is int and end_time >= run.started, "no such end")
        run.status, run.ended = status, end_time
        return {"run_info": run.shown()["info"]}

    def post_runs_log_batch(
        self,
        run_id: str,
        params: list[dict[str, str]] | None = None,
        metrics: list[dict[str, Any]] | None = None,
        tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        run = self.run(run_id)
        demand(max(len(params or ()), len(tags or ())) <= 100, "too many")
        demand(len(metrics or ()) <= 1000, "too many metrics")
        for key, value in texts(params or [], 6000).items():
            demand(run.params.get(key, value) == value, "Changing param values is not allowed")
            run.params[key] = value
        run.tags |= texts(tags or [], 8000)
        for metric in metrics or []:
            demand(set(metric) == {"key", "value", "timestamp", "step"}, "no such metric")
            key, value, moment, step = (metric[name] for name in ("key", "value", "timestamp", "step"))
            check_key(key)
            demand(value in ("NaN", "Infinity", "-Infinity") or type(value) in (int, float), "no number")
            demand(
                type(moment) is int and moment >= 0 and type(step) is int and abs(step) < 2**63, "no moment"
            )
            points = run.metrics.setdefault(key, [])
            points += [(step, moment, value)] if (step, moment, value) not in points else []
        return {}

    def post_runs_log_inputs(self, run_id: str, datasets: list[dict[str, Any]]) -> dict[str, Any]:
        run = self.run(run_id)
        demand(0 < len(datasets) <= 1000, "too many inputs")
        for each in datasets:
            data = each["dataset"]
            demand(set(data) == {"name", "digest", "source_type", "source", "profile"}, "no such data set")
            demand(0 < len(data["name"]) <= 500 and 0 < len(data["digest"]) <= 36, "name or digest too long")
            demand(len(data["source"]) <= 65535 and len(data["profile"]) <= 16777215, "source too long")
            for tag in each["tags"]:
                demand(set(tag) == {"key", "value"}, "no such tag")
                demand(len(tag["key"]) <= 255 and len(tag["value"]) <= 500, "tag too long")
            run.inputs.setdefault((data["name"], data["digest"]), each)
        return {}

    def get_metrics_get_history(
        self, run_id: str, metric_key: str, max_results: str, page_token: str = "0"
    ) -> dict[str, Any]:
        points = self.run(run_id).metrics[metric_key]
        start, most = int(page_token), min(int(max_results), self.page)
        shown = [
            {"key": metric_key, "value": value, "timestamp": str(moment), "step": str(step)}
            for step, moment, value in points[start : start + most]
        ]
        more = {"next_page_token": str(start + most)} if start + most < len(points) else {}
        return {"metrics": shown, **more}

    def get_artifacts_list(self, run_id: str, path: str = "") -> dict[str, Any]:
        inside = f"{path}/" if path else ""
        files: dict[str, dict[str, Any]] = {}
        for name, data in self.run(run_id).artifacts.items():
            first, slash, _ = name.removeprefix(inside).partition("/")
            if name.startswith(inside):
                files[first] = {"path": inside + first, "is_dir": bool(slash)}
                files[first] |= {} if slash else {"file_size": str(len(data))}
        return {"files": list(files.values())} if files else {}

    def put(self, path: str, body: bytes) -> dict[str, Any]:
        experiment, identity, folder, *rest = path.split("/")
        demand(
            folder == "artifacts" and self.run(identity).experiment == experiment and rest, "no such place"
        )
        return self.keep(self.run(identity), "/".join(rest), body)

    def keep(self, run: Run, path: str, body: bytes) -> dict[str, Any]:
        demand(posixpath.normpath(path) == path and "#" not in path and "%" not in path, "Invalid path")
        demand(not path.startswith(("/", "..")), "Invalid path")
        run.artifacts[path] = body
        return {}


def texts(items: list[dict[str, str]], longest: int) -> dict[str, str]:
    for item in items:
        demand(set(item) == {"key", "value"} and type(item["value"]) is str, "a key and a text are wanted")
        check_key(item["key"])
        demand(len(item["value"]) <= longest and "\0" not in item["value"], "a value is too long")
    found = {item["key"]: item["value"] for item in items}
    demand(len(found) == len(items), "a key stands twice")
    return found


def check_key(key: str) -> None:
    demand(KEY.fullmatch(key) and 0 < len(key) <= 250, f"Invalid name {key!r}")
    demand(
        posixpath.normpath(key) == key and key != "." and not key.startswith(("..", "/")), f"Invalid {key!r}"
    )


@contextmanager
def running() -> Iterator[Strict]:
    """The server, on a free port of this machine. The test fails if it was told what it refuses."""
    strict = Strict()
    with serving(lambda *asked: respond(strict, *asked)) as strict.url:
        yield strict
    assert strict.refused == []


Answer = tuple[int, dict[str, str], bytes]
Respond = Callable[[str, str, dict[str, str], bytes], Answer]


def respond(strict: Strict, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    try:
        answer = strict.answer(method, path, headers, body)
    except Refusal as refusal:
        if refusal.code == "INVALID_PARAMETER_VALUE":
            strict.refused.append(f"{method} {path}: {refusal}")
        told = {"error_code": refusal.code, "message": str(refusal)}
        return refusal.status, {"Content-Type": "application/json"}, json.dumps(told).encode()
    except Exception as error:
        strict.refused.append(f"{method} {path}: {type(error).__name__}: {error}")
        return 500, {}, b""
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


class _Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Ask nobody for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """An HTTP server that answers as a function says; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told, data = respond(self.command, self.path, headers, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **told}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
