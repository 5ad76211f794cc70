"""Say in MLflow's terms what a receipt says; without secrets, and nothing that the receipt doesn't hold."""

import json
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tallystick.digest import Digest
from tallystick.records.pointer import SUFFIX
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.secrets import Redactor
from tallystick.records.series import Step
from tallystick.records.stage import PARAMS
from tallystick.trackers.content import (
    LONGEST_DIGEST,
    LONGEST_NAME,
    LONGEST_PARAM,
    LONGEST_TAG,
    Content,
    Input,
    Metric,
    bounded,
    keys_for,
)
from tallystick.trackers.mlflow import RECEIPT

METRICS = "metrics.json"

_STATUSES = {"succeeded": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_LONGEST_INPUT_TAG = 500


def content_of(
    run: Digest, receipt: Receipt, series: Sequence[Step], held: Collection[str], redactor: Redactor
) -> Content:
    """All of a run. `held` are the files that git has of its code: what else it read was data."""
    # Earlier than 1970, as on a machine that has lost its clock, is no time for MLflow.
    started = max(0, _milliseconds(datetime.fromisoformat(receipt.started).timestamp()))
    ended = started + _milliseconds(receipt.seconds)
    params = _named(receipt.params, PARAMS)
    clean = {name: redactor.text(str(value)) for name, value in params.items()}
    keys = keys_for(params)
    return Content(
        name=bounded(redactor.text(f"{receipt.stage} {run.short}"), LONGEST_TAG),
        started=started,
        ended=ended,
        status=_STATUSES[receipt.status],
        params={keys[name]: bounded(value, LONGEST_PARAM) for name, value in clean.items()},
        metrics=tuple(_metrics(receipt, series, started, ended)),
        tags=_tags(run, receipt, redactor),
        inputs=tuple(_input(dep, receipt, redactor) for dep in data_of(receipt, held)),
        notes=tuple(
            f"of the parameter `{name}` the first {LONGEST_PARAM:,} characters were told"
            for name, value in clean.items()
            if len(value) > LONGEST_PARAM
        ),
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _named(files: Mapping[str, Mapping[str, Any]], usual: str) -> dict[str, Any]:
    """The values of several files under one name each; those of the usual file by their keys alone."""
    return {
        key if file == usual else f"{file}:{key}": value
        for file, values in sorted(files.items(), key=lambda each: (each[0] != usual, each[0]))
        for key, value in values.items()
    }


def _metrics(receipt: Receipt, series: Sequence[Step], started: int, ended: int) -> Iterator[Metric]:
    """The points of all series, then the metrics that the run ended with, which count as the latest."""
    final = _named(receipt.metrics, METRICS)
    keys = keys_for(dict.fromkeys([*final, *(name for step in series for name in step.values)]))
    last: dict[str, tuple[int, float]] = {}
    for step in series:
        # A step without a moment was written by a version that noted none.
        moment = max(started, _milliseconds(step.time)) if step.time is not None else started
        for name, value in step.values.items():
            if name not in last or step.step >= last[name][0]:
                last[name] = step.step, value
            yield Metric(keys[name], value, moment, step.step)
    for name, number in final.items():
        before = last.get(name)
        if before is None or before[1] != number:
            yield Metric(keys[name], float(number), ended, 0 if before is None else before[0])


def _tags(run: Digest, receipt: Receipt, redactor: Redactor) -> dict[str, str]:
    """What the run was, by our names, and by those under which MLflow shows it itself."""
    told = {key: redactor.text(value) for key, value in (*_facts(receipt), *_shown(receipt)) if value}
    return {RECEIPT: str(run), **{key: bounded(value, LONGEST_TAG) for key, value in told.items()}}


def _facts(receipt: Receipt) -> Iterator[tuple[str, str]]:
    code = receipt.code
    yield "tallystick.stage", receipt.stage
    yield "tallystick.status", receipt.status
    yield "tallystick.cause", receipt.cause or ""
    yield "tallystick.exit_code", str(receipt.exit_code)
    yield "tallystick.command", _command(receipt)
    yield "tallystick.commit", code.commit or ""
    yield "tallystick.tree", code.tree
    yield "tallystick.dirty", "true" if code.dirty else "false"
    yield "tallystick.author", receipt.author
    yield "tallystick.tool", receipt.tool
    yield "tallystick.seed", "" if receipt.seed is None else str(receipt.seed)
    yield "tallystick.environment", str(receipt.environment.digest or "")
    yield "tallystick.python", receipt.environment.python
    yield "tallystick.platform", receipt.environment.platform
    container = receipt.environment.container
    yield "tallystick.image", "" if container is None else f"{container.image} {container.config}"
    yield "tallystick.features", ", ".join(f"{each.view}@{each.version}" for each in receipt.features)
    yield "tallystick.trackers", ", ".join(f"{each.kind} {each.id} {each.uri}" for each in receipt.trackers)


def _shown(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "mlflow.user", receipt.author.partition(" <")[0]
    yield "mlflow.source.type", "LOCAL"
    yield "mlflow.source.name", _command(receipt)
    yield "mlflow.source.git.commit", receipt.code.commit or ""


def _command(receipt: Receipt) -> str:
    return receipt.cmd if isinstance(receipt.cmd, str) else shlex.join(receipt.cmd)


def data_of(receipt: Receipt, held: Collection[str]) -> Iterator[Artifact]:
    """The deps that are data: made by another run, or named by a pointer, or not in git."""
    files = set(held)
    folders = {folder for file in files for folder in _above(file)}
    pointed = {folder for file in files if file.endswith(SUFFIX) for folder in _above(file)}
    for dep in receipt.deps:
        known = dep.path in receipt.produced_by or dep.path + SUFFIX in files or dep.path in pointed
        if known or (dep.path not in files and dep.path not in folders):
            yield dep


def _above(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _input(dep: Artifact, receipt: Receipt, redactor: Redactor) -> Input:
    """A dep as a data set. Its source says nothing of this run: MLflow keeps that of the first run only."""
    path = redactor.text(dep.path)
    context = bounded(redactor.text(receipt.stage), _LONGEST_INPUT_TAG)
    tags = {"mlflow.data.context": context, "tallystick.digest": str(dep.digest)}
    if dep.path in receipt.produced_by:
        tags["tallystick.produced_by"] = receipt.produced_by[dep.path]
    return Input(
        name=bounded(path, LONGEST_NAME),
        digest=dep.digest.hex()[:LONGEST_DIGEST],
        source=_json({"path": path, "kind": dep.kind, "digest": str(dep.digest)}),
        profile=_json({"bytes": dep.size}),
        tags=tags,
    )


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
