"""The runs of an MLflow server, by its REST interface."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO
from urllib.parse import quote, urlencode, urlsplit

from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.fields import Fields
from tallystick.trackers.content import (
    MOST_INPUTS,
    MOST_METRICS,
    MOST_TEXTS,
    Content,
    Input,
    Metric,
    batches,
    pairs,
)
from tallystick.trackers.web import Server

RECEIPT = "tallystick.receipt"
"""The tag by which a run is found again."""

LOGIN = "log in by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or by MLFLOW_TRACKING_TOKEN"

_API = "/api/2.0/mlflow"
_SERVED = "/api/2.0/mlflow-artifacts/artifacts"
_HANDED = "/ajax-api/2.0/mlflow/upload-artifact"
LARGEST_HANDED = 10 << 20
"""Bytes of a file that a server takes which doesn't serve artifacts."""

_PAGE = 10_000
_MOST_PAGES = 1000
_ID = regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
_PLAIN_PATH = regex(r"[^#%\\\x00-\x1f\x7f]+")
"""MLflow refuses some characters in an artifact's path, and takes others for escapes."""


@dataclass(frozen=True, slots=True)
class Known:
    """A run as the server knows it: what it was told of it so far, and where its artifacts go."""

    id: str
    artifacts: str
    params: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()
    inputs: frozenset[tuple[str, str]] = frozenset()
    new: bool = False


class MLflow:
    """A server; each method is one question, or tells as much as it takes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def experiment(self, name: str) -> str:
        """The id of an experiment, which is made where there is none of that name."""
        found = self._experiment(name)
        if found is None:
            made = self._post("experiments/create", {"name": name}, absent=("RESOURCE_ALREADY_EXISTS",))
            # Somebody else may have made it since.
            found = self._id(made, "experiment_id") if made.has("experiment_id") else self._experiment(name)
        if found is None:
            raise Refused(f"the experiment `{name}` can neither be found nor made")
        return found

    def _experiment(self, name: str) -> str | None:
        answer = self._get(
            "experiments/get-by-name", {"experiment_name": name}, absent=("RESOURCE_DOES_NOT_EXIST",)
        )
        with self._server.reading():
            if not answer.has("experiment"):
                return None
            experiment = answer.fields("experiment")
            if experiment.value.get("lifecycle_stage") == "deleted":
                raise Refused(
                    f"the experiment `{name}` was deleted",
                    hint="restore it there, or name another: --experiment",
                )
        return self._id(experiment, "experiment_id")

    def find(self, experiment: str, receipt: str) -> Known | None:
        """The run of an experiment that a receipt was written to."""
        body = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{RECEIPT}` = '{receipt}'",
            "order_by": ["attributes.start_time ASC"],
            "max_results": 1,
        }
        answer = self._post("runs/search", body)
        with self._server.reading():
            for run in answer.each("runs"):
                return self._known(run)
        return None

    def create(self, experiment: str, content: Content) -> Known:
        """Begin a run. It stays `RUNNING` until `end`, so an export that was broken off can be told."""
        tags = {RECEIPT: content.tags[RECEIPT], "mlflow.runName": content.name}
        body = {
            "experiment_id": experiment,
            "run_name": content.name,
            "start_time": content.started,
            "tags": pairs(tags),
        }
        answer = self._post("runs/create", body)
        with self._server.reading():
            return self._known(answer.fields("run"), new=True)

    def _known(self, run: Fields, new: bool = False) -> Known:
        info = run.fields("info")
        data = run.fields("data") if run.has("data") else Fields({})
        return Known(
            self._id(info, "run_id"),
            info.line("artifact_uri"),
            frozenset(each.text("key") for each in data.each("params")),
            frozenset(each.text("key") for each in data.each("metrics")),
            frozenset(_inputs(run)),
            new,
        )

    def log_params(self, run: Known, params: Mapping[str, str]) -> int:
        """Tell parameters that the run lacks, since none can be changed; say how many."""
        lacking = pairs({key: value for key, value in params.items() if key not in run.params})
        return self._log(run, "params", batches(lacking, MOST_TEXTS))

    def log_metrics(self, run: Known, metrics: Iterable[Metric]) -> int:
        """Tell points of metrics that the run lacks; say how many."""
        told = {key: self._points(run, key) for key in run.metrics}
        lacking = [
            metric.told()
            for metric in metrics
            if (metric.step, metric.timestamp) not in told.get(metric.key, ())
        ]
        return self._log(run, "metrics", batches(lacking, MOST_METRICS))

    def log_tags(self, run: Known, tags: Mapping[str, str]) -> int:
        """Tell tags; those of before are replaced."""
        return self._log(run, "tags", batches(pairs(tags), MOST_TEXTS))

    def _log(self, run: Known, what: str, portions: Iterable[list[dict[str, str]]]) -> int:
        count = 0
        for portion in portions:
            self._post("runs/log-batch", {"run_id": run.id, what: portion})
            count += len(portion)
        return count

    def _points(self, run: Known, key: str) -> set[tuple[int, int]]:
        """Step and timestamp of all that was told of one metric."""
        found: set[tuple[int, int]] = set()
        query = {"run_id": run.id, "metric_key": key, "max_results": str(_PAGE)}
        pages = {""}
        while True:
            answer = self._get("metrics/get-history", query)
            with self._server.reading():
                for each in answer.each("metrics"):
                    found.add((_whole(each, "step"), _whole(each, "timestamp")))
                page = answer.text("next_page_token") if answer.has("next_page_token") else ""
                if not page:
                    return found
                if page in pages or len(pages) > _MOST_PAGES:
                    answer.bad("the history of a metric has no end")
            pages.add(page)
            query["page_token"] = page

    def log_inputs(self, run: Known, inputs: Iterable[Input]) -> int:
        """Tell data that the run read and the server doesn't know of; say how many."""
        count = 0
        lacking = [each.told() for each in inputs if (each.name, each.digest) not in run.inputs]
        for portion in batches(lacking, MOST_INPUTS):
            self._post("runs/log-inputs", {"run_id": run.id, "datasets": portion})
            count += len(portion)
        return count

    def end(self, run: Known, content: Content) -> None:
        """Say how the run ended: the last word of an export."""
        self._post("runs/update", {"run_id": run.id, "status": content.status, "end_time": content.ended})

    def held(self, run: Known, folder: str) -> dict[str, int]:
        """The files that a folder of a run's artifacts holds, with their sizes."""
        query = {"run_id": run.id} | ({"path": folder} if folder else {})
        answer = self._get("artifacts/list", query)
        with self._server.reading():
            return {
                posixpath.basename(each.text("path")): _whole(each, "file_size")
                for each in answer.each("files")
                if not each.flag("is_dir")
            }

    def upload(self, run: Known, path: str, content: IO[bytes], size: int) -> str | None:
        """Send an artifact; where that can't be, say why."""
        if not _PLAIN_PATH.fullmatch(path):
            return "MLflow takes no such name"
        root = self._served_root(run)
        if root is not None:
            self._server.send("PUT", f"{_SERVED}/{quote(f'{root}/{path}')}", content, size)
            return None
        if not 0 < size <= LARGEST_HANDED:
            return "without `--serve-artifacts` the server takes no file that is empty or above 10 MiB"
        query = urlencode({"run_uuid": run.id, "path": path})
        self._server.send("POST", f"{_HANDED}?{query}", content, size)
        return None

    def _served_root(self, run: Known) -> str | None:
        """The path below which the server itself takes a run's artifacts; None where they lie elsewhere.

        Another host than ours may be named: it gets nothing, least of all our login.
        """
        parts, ours = urlsplit(run.artifacts), urlsplit(self._server.address.url)
        path = parts.path.strip("/")
        if parts.scheme == "mlflow-artifacts" and parts.netloc in ("", ours.netloc):
            return path
        prefix = f"{ours.path}{_SERVED}/".strip("/") + "/"
        if (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc) and path.startswith(prefix):
            return path.removeprefix(prefix)
        return None

    def _get(self, path: str, query: Mapping[str, str], absent: tuple[str, ...] = ()) -> Fields:
        return self._server.get(f"{_API}/{path}", query, absent)

    def _post(self, path: str, body: Mapping[str, object], absent: tuple[str, ...] = ()) -> Fields:
        return self._server.post(f"{_API}/{path}", body, absent)

    def _id(self, fields: Fields, key: str) -> str:
        """An id that the server gave, which may stand in a URL and on a terminal."""
        with self._server.reading():
            found = fields.line(key)
            if not _ID.fullmatch(found):
                fields.bad(f"`{key}` is no id")
        return found


def _inputs(run: Fields) -> Iterator[tuple[str, str]]:
    """Names and digests of the data sets that a run is known to have read."""
    for each in run.fields("inputs").each("dataset_inputs") if run.has("inputs") else ():
        dataset = each.fields("dataset")
        yield dataset.text("name"), dataset.text("digest")


def _whole(fields: Fields, key: str) -> int:
    """A whole number, which MLflow writes as a text; 0 where there is none."""
    value = fields.value.get(key) or 0
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        fields.bad(f"`{key}` must be a whole number", key)
    return value
