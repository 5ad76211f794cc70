"""What training code says and asks while a stage runs: parameters, the seed, a metric series."""

import contextlib
import csv
import operator
import os
import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from tallystick.errors import Refused
from tallystick.records import series as series_record
from tallystick.records import values

STAGE = "TALLY_STAGE"
SEED = "TALLY_SEED"
RECORD = "TALLY_RECORD"
"""The folder in which a run keeps what it logs while it goes on."""
_HIGHEST_SEED = 2**32


class Number(Protocol):
    """Whatever has a value as a float: numbers, NumPy's scalars, tensors of one element."""

    def __float__(self) -> float:
        """Return the value."""


def params(file: str | os.PathLike[str] = "params.yaml") -> dict[str, Any]:
    """Read a file of parameters (YAML, JSON or TOML) as `tally run` reads it."""
    path = Path(file)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"`{path}` can't be read: {error.strerror}") from error
    found = values.load(data, str(path))
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refused(f"`{path}` holds no mapping of names to values")
    return found


def seed_everything(seed: int | None = None) -> int:
    """Seed Python's, NumPy's and PyTorch's generators, where installed, and return the seed.

    Inside of a run the stage's `seed` counts; outside, and for a stage without one, `seed` must be given.
    """
    recorded = os.environ.get(SEED)
    chosen = int(recorded) if recorded else seed
    if chosen is None:
        raise Refused("there is no seed", hint="give the stage a `seed:`, or call `seed_everything(42)`")
    random.seed(chosen)
    if find_spec("numpy"):
        import_module("numpy").random.seed(chosen % _HIGHEST_SEED)
    if find_spec("torch"):
        import_module("torch").manual_seed(chosen)
    return chosen


class Series:
    """A CSV file that grows by a row a step; a metric that comes late gets its column then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: list[str] = ["step"]
        self._rows: list[dict[str, str]] = []

    @property
    def steps(self) -> int:
        """How many steps were logged."""
        return len(self._rows)

    def append(self, row: Mapping[str, str]) -> None:
        """Add a row, readable by others as soon as this returns."""
        new = [name for name in row if name not in self._columns]
        self._columns += new
        self._rows.append(dict(row))
        if new:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._write("w", self._rows)
        else:
            self._write("a", self._rows[-1:])

    def _write(self, mode: str, rows: list[dict[str, str]]) -> None:
        with self._path.open(mode, newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, lineterminator="\n")
            if mode == "w":
                writer.writeheader()
            writer.writerows(rows)


_series: dict[Path, Series] = {}


def log(*, step: int | None = None, file: str | os.PathLike[str] | None = None, **metrics: Number) -> None:
    """Add a step to the stage's metric series and print it; outside of a run, do nothing.

    The run keeps every step, and `tally log --follow` shows it at once.

    The series is `plots/<stage>.csv` below the stage's folder unless `file` names another: declare it under
    `plots` to keep it. Steps count from 0 where `step` is not given. NaN and infinity are kept as they are.
    Only the first process of a distributed training (`RANK` 0) writes.
    """
    stage = os.environ.get(STAGE)
    if not stage or os.environ.get("RANK", "0") != "0":
        return
    path = Path(file) if file is not None else Path("plots", f"{_name(stage)}.csv")
    series = _series.setdefault(path.absolute(), Series(path.absolute()))
    floats = {name: _float(value) for name, value in metrics.items()}
    numbers = {name: repr(value) for name, value in floats.items()}
    number = series.steps if step is None else operator.index(step)
    series.append({"step": str(number), **numbers})
    _keep(number, numbers)
    line = ", ".join(f"{name} {value:.6g}" for name, value in floats.items())
    sys.stdout.write(f"step {number}: {line}\n")
    sys.stdout.flush()


def _float(value: Number) -> float:
    """A value as a float; PyTorch warns where a tensor still belongs to a graph of gradients."""
    detach = getattr(value, "detach", None)
    return float(value if detach is None else detach())


def _name(stage: str) -> str:
    """`train@cnn` of `sub/dir:train@cnn`; what stands behind the `@` may hold anything."""
    head, at, item = stage.partition("@")
    return head.rpartition(":")[2] + at + item


def _keep(step: int, numbers: Mapping[str, str]) -> None:
    """Add a line to the run's own series, whole or not at all; a training never fails for it."""
    folder = os.environ.get(RECORD)
    if folder:
        line = series_record.line(step, numbers, datetime.now(UTC))
        with contextlib.suppress(OSError):
            descriptor = os.open(Path(folder, "series.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
