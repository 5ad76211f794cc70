"""The recipe of a run, all that its outs depend on in one digest, and which runs of the ledger had it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tallystick.digest import Digest
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records.receipt import Receipt
from tallystick.runs import ledger

WIDTH = 64
"""Bytes of one entry: a recipe and the run that had it."""

MAGIC = b"tally recipes 2\n"

SHORT = 1000 * WIDTH
"""Bytes of entries that are written anew for each run; what has grown further joins the others."""

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
        Digest(entries[start + 32 : start + WIDTH])
        for entries in _entries(project, progress)
        for start in _places(entries, wanted)
    ]
    return found[::-1]


def _places(entries: bytes, recipe: bytes) -> Iterator[int]:
    start = entries.find(recipe)
    while start >= 0:
        if start % WIDTH == 0:
            yield start
        start = entries.find(recipe, start + 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """Entries, the oldest first, of the runs between two commits of the ledger; the first one is none."""

    since: str
    upto: str
    entries: bytes


_NOTHING = _Part("", "", b"")


def _entries(project: Project, progress: Progress) -> list[bytes]:
    """All entries, the oldest first, from the cache as far as it goes, and the runs that came since.

    The cache names the commit of the ledger up to which it is complete; without that commit it counts as
    absent. It has two parts, so that a run adds to a short one. It is a hint all the same: whoever finds a
    run by it reads its receipt from the ledger.
    """
    tip = project.git.resolve_ref(ledger.REF)
    if tip is None:
        return []
    place, newer = project.home / "recipes", project.home / "recipes.new"
    old, new = _cached(place), _cached(newer)
    if new.since != old.upto:
        new = _Part(old.upto, old.upto, b"")
    if new.upto == tip:
        return [old.entries, new.entries]
    begun = bool(new.upto) and ledger.reaches(project, new.upto)
    if not begun:
        old, new = _NOTHING, _NOTHING
    news = ledger.run_ids(project, since=new.upto)
    if len(news) >= MANY:
        progress.say(f"reading the receipts of {len(news):,} runs, this once")
    new = _Part(new.since, tip, new.entries + b"".join(_read(project, news[::-1])))
    if not begun or len(new.entries) > SHORT:
        # Were it to end between these two, the short part would not go on from the long one, and be left out.
        _keep(place, _Part("", tip, old.entries + new.entries))
        _keep(newer, _Part(tip, tip, b""))
    else:
        _keep(newer, new)
    return [old.entries, new.entries]


def _keep(place: Path, part: _Part) -> None:
    write_atomic(place, MAGIC + f"{part.since} {part.upto}\n".encode() + part.entries)


def _cached(place: Path) -> _Part:
    """What a file of the cache holds; nothing when there is none that can be used."""
    try:
        data = place.read_bytes()
    except OSError:
        return _NOTHING
    head, _, entries = data.removeprefix(MAGIC).partition(b"\n")
    since, _, upto = head.decode("ascii", "replace").partition(" ")
    if not data.startswith(MAGIC) or len(entries) % WIDTH or not upto:
        return _NOTHING
    return _Part(since, upto, entries)


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
