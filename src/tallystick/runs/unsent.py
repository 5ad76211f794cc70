"""What the ledger's runs made and read that a remote was not sent yet."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from tallystick.data.blobs import wanted_digests
from tallystick.data.tracked import Selected
from tallystick.digest import Digest
from tallystick.errors import TallyError
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.receipt import Artifact
from tallystick.runs import ledger
from tallystick.runs.indexes import MANY
from tallystick.runs.made import selected_of
from tallystick.store import RemoteStore


@dataclass(frozen=True, slots=True)
class Unsent:
    """What so many runs made and read, as far as it is here; and blobs that aren't, each with its run.

    These are all runs up to a commit of the ledger, `upto`, or some of them.
    """

    runs: int = 0
    selected: tuple[Selected, ...] = ()
    kept: Mapping[Digest, str] = field(default_factory=dict)
    absent: Mapping[Digest, Digest] = field(default_factory=dict)
    upto: str | None = None

    @property
    def roots(self) -> set[Digest]:
        """The blobs that the others are reached from."""
        return {one.tracked.pointer.digest for one in self.selected} | self.kept.keys()


@dataclass(frozen=True, slots=True)
class _Named:
    """Blobs and lists of files that receipts name, each with a run, and those among them that it made."""

    files: dict[Digest, Digest] = field(default_factory=dict)
    lists: dict[Digest, Digest] = field(default_factory=dict)
    locks: dict[Digest, Digest] = field(default_factory=dict)
    made: dict[Digest, Digest] = field(default_factory=dict)


def unsent_runs(project: Project, remote: RemoteStore) -> tuple[str | None, list[Digest]]:
    """The ledger's last commit, and the runs up to it whose blobs a remote was not sent from here yet."""
    tip, last = project.git.resolve_ref(ledger.REF), _last_sent(project, remote)
    if tip is None or tip == last:
        return tip, []
    return tip, ledger.run_ids(project, since=_existing(project, last))[::-1]


def look(project: Project, identities: Sequence[Digest], known: Collection[Digest] = ()) -> Unsent:
    """What some runs made and read, without what is `known` to be sent anyway."""
    named = _Named()
    for identity, data in ledger.texts(project, identities, MANY):
        # Read loosely, at a tenth of the cost: a receipt that can't be believed is told by `tally log`.
        with suppress(ValueError, RecursionError, KeyError, TypeError, AttributeError, TallyError):
            _name(named, json.loads(data), identity)
    files = {**_wheels(project, named.locks), **named.files}
    wanted = {digest: run for digest, run in files.items() if digest not in known}
    missing: set[bytes] = set(project.store.missing(wanted))
    kept = {digest: f"run {run.short}" for digest, run in wanted.items() if digest not in missing}
    selected = []
    for digest, run in named.lists.items():
        if digest not in known:
            one = selected_of(Artifact(f"run {run.short}", "tree", digest, 0))
            lack = _lacking(project, one)
            selected += [] if lack else [one]
            if lack and digest in named.made:
                named.made.update(dict.fromkeys(map(Digest, lack), run))
                missing |= lack
    # Of what it read, code is git's: it isn't in the store.
    absent = {digest: run for digest, run in named.made.items() if digest in missing}
    return Unsent(len(identities), tuple(selected), kept, absent)


def remember_sent(project: Project, remote: RemoteStore, tip: str) -> None:
    """Note up to which commit of the ledger all was sent; without the note all of it is looked at again."""
    if tip != _last_sent(project, remote):
        write_atomic(_note(project, remote), f"{tip} {_place(remote)}\n".encode(), lasting=False)


def _name(named: _Named, values: dict[str, Any], run: Digest) -> None:
    """Take down what a receipt names."""
    lock = values["environment"]["lock"]
    texts = [text for text in (values["log"], values.get("series"), lock) if text is not None]
    for artifact in (*values["outs"], *values["deps"]):
        group = named.lists if artifact["kind"] == "tree" else named.files
        group.setdefault(Digest.parse(artifact["digest"]), run)
    named.files.update((Digest.parse(text), run) for text in texts)
    named.made.update((Digest.parse(text), run) for text in texts)
    named.made.update((Digest.parse(artifact["digest"]), run) for artifact in values["outs"])
    if lock is not None:
        named.locks.setdefault(Digest.parse(lock), run)


def _lacking(project: Project, selected: Selected) -> set[bytes]:
    """What the local store lacks of a folder; its list alone where that isn't here, or can't be read."""
    try:
        return project.store.missing(wanted_digests(project, [selected]))
    except TallyError:
        return {selected.tracked.pointer.digest}


def _wheels(project: Project, locks: Mapping[Digest, Digest]) -> dict[Digest, Digest]:
    """The wheels that locks keep."""
    found: dict[Digest, Digest] = {}
    for lock, run in locks.items():
        with suppress(TallyError):
            packages = environments.parse(project.store.read(lock), str(lock)).packages
            found.update((package.wheel, run) for package in packages if package.wheel is not None)
    return found


def _last_sent(project: Project, remote: RemoteStore) -> str | None:
    """The commit of the ledger up to which a remote has what runs made; another remote of the name hasn't."""
    with suppress(OSError, UnicodeDecodeError, ValueError):
        commit, place = _note(project, remote).read_text().split()
        return commit if commit.isalnum() and place == _place(remote) else None
    return None


def _existing(project: Project, commit: str | None) -> str:
    """The same, if git still has it."""
    with suppress(TallyError):
        return "" if commit is None else project.git.resolve(commit)
    return ""


def _note(project: Project, remote: RemoteStore) -> Path:
    return project.home / "remotes" / remote.name / "runs"


def _place(remote: RemoteStore) -> str:
    return Digest.of(remote.url.encode()).hex()
