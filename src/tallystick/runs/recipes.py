"""The recipe of a run, all that its outs depend on in one digest, and which runs of the ledger had it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tallystick.digest import Digest
from tallystick.files import write_atomic
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records.receipt import Receipt
from tallystick.runs import ledger

WIDTH = 64
"""Bytes of one entry: a recipe and the run that had it."""

MAGIC = b"tally recipes 1\n"

MANY = 2000
"""So many runs are worth telling that they are being read."""

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
        "environment": {name: values["environment"].get(name) for name in _ENVIRONMENT},
        "outs": sorted(out["path"] for out in values["outs"]),
        "metrics": sorted(values["metrics"]),
    }
    # Not the canonical form, whose indentation costs five times as much: nobody else ever reads this one.
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Digest.of(text.encode())


def runs_of(project: Project, recipe: Digest, progress: Progress = silent) -> list[Digest]:
    """The successful runs of the ledger that had a recipe, the newest first."""
    entries = memoryview(_entries(project, progress))
    found = [entries[start + 32 : start + WIDTH] for start in _places(bytes(entries), bytes(recipe))]
    return [Digest(bytes(identity)) for identity in reversed(found)]


def _places(entries: bytes, recipe: bytes) -> Iterator[int]:
    start = entries.find(recipe)
    while start >= 0:
        if start % WIDTH == 0:
            yield start
        start = entries.find(recipe, start + 1)


def _entries(project: Project, progress: Progress) -> bytes:
    """All entries, the oldest first, from the cache as far as it goes, and the runs that came since.

    The cache names the commit of the ledger up to which it is complete; without that commit it counts as
    absent. It is a hint all the same: whoever finds a run by it reads its receipt from the ledger.
    """
    tip = project.git.resolve_ref(ledger.REF)
    if tip is None:
        return b""
    place = project.home / "recipes"
    upto, entries = _cached(place)
    if upto == tip:
        return entries
    if upto is None or not ledger.reaches(project, upto):
        upto, entries = "", b""
    news = ledger.run_ids(project, since=upto)
    if len(news) >= MANY:
        progress.say(f"reading the receipts of {len(news):,} runs, this once")
    entries += b"".join(_read(project, news[::-1]))
    write_atomic(place, MAGIC + tip.encode() + b"\n" + entries)
    return entries


def _cached(place: Path) -> tuple[str | None, bytes]:
    """The commit that the cache goes up to, and its entries; None when there is none that can be used."""
    try:
        data = place.read_bytes()
    except OSError:
        return None, b""
    if not data.startswith(MAGIC):
        return None, b""
    tip, _, entries = data[len(MAGIC) :].partition(b"\n")
    if len(entries) % WIDTH:
        return None, b""
    return tip.decode("ascii", "replace"), entries


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
