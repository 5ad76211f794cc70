"""The recipe of a run, all that its outs depend on in one digest, and which runs of the ledger had it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tallystick.digest import Digest
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records.receipt import Receipt
from tallystick.runs import ledger
from tallystick.runs.indexes import MANY, Index, entries

WIDTH = 64
"""Bytes of one entry: a recipe and the run that had it."""

SHORT = 1000 * WIDTH

_INPUTS = ("stage", "cmd", "wdir", "params", "seed", "variables", "features")
_ENVIRONMENT = ("digest", "platform", "container")


def recipe_of(receipt: Receipt) -> Digest:
    """The recipe of a run, or of one to be: of its outs only the paths count."""
    return _recipe(receipts.as_values(receipt))


def _recipe(values: dict[str, Any]) -> Digest:
    """The digest of everything that decides on a run's outs, as its receipt's JSON says it."""
    made_from = {
        **{name: values.get(name) for name in _INPUTS},
        "deps": sorted(
            [dep["path"], dep["kind"], dep["digest"], dep.get("executable", False)] for dep in values["deps"]
        ),
        "environment": {name: _identity(values["environment"].get(name)) for name in _ENVIRONMENT},
        "outs": sorted(out["path"] for out in values["outs"]),
        "metrics": sorted(values["metrics"]),
    }
    # Not the canonical form, whose indentation costs five times as much: nobody else ever reads this one.
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Digest.of(text.encode())


def _identity(value: Any) -> Any:
    """Of a container the image alone counts, not how its stage calls it, nor who ran it."""
    return value["config"] if isinstance(value, dict) else value


def runs_of(project: Project, recipe: Digest, progress: Progress = silent) -> list[Digest]:
    """The successful runs of the ledger that had a recipe, the newest first."""
    wanted = bytes(recipe)
    found = [
        Digest(part[start + 32 : start + WIDTH])
        for part in entries(project, INDEX, progress)
        for start in _places(part, wanted)
    ]
    return found[::-1]


def _places(part: bytes, recipe: bytes) -> Iterator[int]:
    start = part.find(recipe)
    while start >= 0:
        if start % WIDTH == 0:
            yield start
        start = part.find(recipe, start + 1)


def _read(project: Project, identities: Sequence[Digest]) -> Iterator[bytes]:
    """The entries of those runs whose outs could be taken over."""
    for identity, data in ledger.texts(project, identities, MANY):
        try:
            # Read loosely, at a tenth of the cost: whoever takes the run over reads its receipt strictly.
            values = json.loads(data)
            if values["status"] == "succeeded" and Digest.of(data) == identity:
                yield bytes(_recipe(values)) + bytes(identity)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            continue  # a receipt that can't be read is told by `tally log`; its outs are of no use here


INDEX = Index("recipes", b"tally recipes 3\n", SHORT, _read)
