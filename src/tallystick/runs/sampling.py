"""Which successful runs of the ledger are looked at again: all, or a sample that a seed decides on."""

import json
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.runs import ledger

PORTIONS = (50, 500)
"""Receipts that are read at first for a sample: most often enough of them fit."""

RECEIPTS = ("receipts/*.json", "*/receipts/*.json")


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which runs are meant: of some stages, begun since a moment, in the receipts of a commit's history.

    Of those `most` at most, whichever the seed decides on; None means all.
    """

    stages: Sequence[str] = ()
    since: float | None = None
    until: str | None = None
    most: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Sampled:
    """One run that was chosen; of a damaged receipt nothing but the id is known."""

    run: Digest
    stage: str | None = None
    started: str | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """The chosen runs, the newest first, and among how many they were looked for; remarks."""

    chosen: tuple[Sampled, ...]
    among: int
    notes: tuple[str, ...] = ()


def choose(project: Project, wanted: Sampling) -> Sample:
    """Choose runs; of a sample only about as many receipts are read as are wanted."""
    identities, notes = _candidates(project, wanted)
    if wanted.most is None:
        found = tuple(_fitting(project, identities, wanted, ledger.LARGER))
        return Sample(found, len(identities), notes)
    shuffled = sorted(identities, key=_shuffling(wanted.seed))
    chosen: list[Sampled] = []
    for some in _portions(shuffled):
        chosen += _fitting(project, some, wanted, len(some))
        if len(chosen) >= wanted.most:
            break
    newest_first = sorted(chosen[: wanted.most], key=_began, reverse=True)
    return Sample(tuple(newest_first), len(identities), notes)


def moment(started: str) -> float:
    """A receipt's moment in seconds."""
    return datetime.fromisoformat(started).timestamp()


def _candidates(project: Project, wanted: Sampling) -> tuple[list[Digest], tuple[str, ...]]:
    """The ids among which is chosen, newest first, none of whose receipts was read."""
    if wanted.since is None:
        identities = ledger.run_ids(project)
    else:
        # A run comes into the ledger once it has ended, never before it began.
        identities = [identity for _time, identity in ledger.dated(project, wanted.since)]
    if project.git.resolve_ref(ledger.REF) is None:
        return [], ("this clone has no ledger of runs: `tally pull` brings it",)
    if wanted.until is None:
        return identities, ()
    committed = _committed(project, wanted.until)
    absent = len(ledger.missing(project, list(committed))) if committed else 0
    missed = f"{absent:,} receipts of `{wanted.until}` are in no ledger here: `tally pull` brings it"
    return [each for each in identities if each in committed], (missed,) if absent else ()


def _committed(project: Project, until: str) -> Collection[Digest]:
    """The receipts that a commit and all before it held."""
    states = project.git.list_history(project.git.resolve(until), None, RECEIPTS)
    return {Digest.of(data) for data in project.git.read_blobs(state.oid for state in states).values()}


def _shuffling(seed: int) -> Callable[[Digest], bytes]:
    """An order that depends on nothing but the seed and the runs' own ids."""

    def place(identity: Digest) -> bytes:
        return bytes(Digest.of(b"%d %s" % (seed, identity.hex().encode())))

    return place


def _portions(identities: Sequence[Digest]) -> Iterator[Sequence[Digest]]:
    """Few at first, then more, then all the rest."""
    start = 0
    for size in (*PORTIONS, len(identities)):
        yield identities[start : start + size]
        start += size


def _fitting(
    project: Project, identities: Sequence[Digest], wanted: Sampling, portion: int
) -> Iterator[Sampled]:
    for identity, data in ledger.texts(project, identities, max(portion, 1)) if identities else ():
        sampled = _read(identity, data)
        if sampled is not None and _is_meant(sampled, wanted):
            yield sampled


def _read(identity: Digest, data: bytes) -> Sampled | None:
    """What is needed of a receipt, read loosely at a tenth of the cost; None for a run without success."""
    try:
        values = json.loads(data)
        if Digest.of(data) != identity:
            return Sampled(identity)
        if values["status"] != "succeeded":
            return None
        moment(values["started"])
        return Sampled(identity, str(values["stage"]), values["started"], _command(values["cmd"]))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return Sampled(identity)


def _command(cmd: Any) -> str:
    return cmd if isinstance(cmd, str) else shlex.join(cmd)


def _is_meant(sampled: Sampled, wanted: Sampling) -> bool:
    """Whether a run fits; a damaged one is among all, but of no stage."""
    if sampled.stage is None or sampled.started is None:
        return not wanted.stages
    if wanted.stages and sampled.stage not in wanted.stages:
        return False
    return wanted.since is None or moment(sampled.started) >= wanted.since


def _began(sampled: Sampled) -> float:
    return 0.0 if sampled.started is None else moment(sampled.started)
