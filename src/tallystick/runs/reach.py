"""What a state of the project reaches: its tracked paths, and what its receipts and locks keep besides."""

import contextlib
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from tallystick.data.blobs import wanted_digests
from tallystick.data.tracked import (
    PATTERN,
    CommittedPointers,
    Selected,
    WorktreePointers,
    pointers_of,
    read_pointer,
    select,
)
from tallystick.digest import Digest
from tallystick.errors import BadRecord, TallyError
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records import receipt as receipts
from tallystick.records import vault as vaults
from tallystick.records.environment import FILE as LOCK
from tallystick.records.pointer import SUFFIX
from tallystick.records.vault import FILE as VAULT
from tallystick.runs.pipelines import read_file

RECORDS = ("receipts/*.json", "*/receipts/*.json", LOCK, f"*/{LOCK}", VAULT, f"*/{VAULT}")
"""How git names all receipts, locks and vaults: its `*` crosses folders."""

SMALL = 1 << 20
"""Bytes of an out that is sent even where no pointer tracks it."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Tracked paths that are meant; logs, locks and wheels that records keep, each with its record."""

    selected: tuple[Selected, ...]
    kept: Mapping[Digest, str]
    notes: tuple[str, ...] = ()

    @property
    def at_once(self) -> set[Digest]:
        """What records keep, without the wheels of vaults: large, and of use only where there is no index."""
        return {digest for digest, path in self.kept.items() if posixpath.basename(path) != VAULT}

    @property
    def wheels(self) -> dict[Digest, str]:
        """The wheels that locks and vaults name."""
        return {
            digest: path for digest, path in self.kept.items() if posixpath.basename(path) in (LOCK, VAULT)
        }

    def __or__(self, other: "Reached") -> "Reached":
        """Both, what they share only once."""
        known = {(one.tracked.path, one.tracked.pointer.digest) for one in self.selected}
        more = (one for one in other.selected if (one.tracked.path, one.tracked.pointer.digest) not in known)
        notes = dict.fromkeys((*self.notes, *other.notes))
        return Reached((*self.selected, *more), {**self.kept, **other.kept}, tuple(notes))


def reached(project: Project, targets: Sequence[str] = (), commit: str | None = None) -> Reached:
    """What targets mean in the worktree, or at a commit; without targets all, and what records keep.

    Raises Refused for a target that means nothing, BadRecord for a malformed pointer that is meant.
    """
    if targets:
        return Reached(tuple(select(pointers_of(project, commit), targets)), {})
    # Starting git takes longer than what it does here: ask once for pointers and records together.
    if commit is None:
        listed = project.git.list_files([PATTERN, *RECORDS])
        selected = select(WorktreePointers(project, listed), ())
        return _with_records(tuple(selected), _records(project, listed))
    paths = [file.path for file in project.git.list_tree(commit, [PATTERN, *RECORDS])]
    texts = project.git.read_at(commit, paths)
    records = {path: text for path, text in texts.items() if _is_record(path)}
    return _with_records(tuple(select(CommittedPointers(project, commit, texts), ())), records)


def history(project: Project, remote: str, head: str | None, known: Reached) -> Reached:
    """What else the commits since the last push to a remote reach, as far as the local store has it whole.

    What HEAD itself needs must be there; of older commits we send what we can, without being stopped.
    """
    last = _last_pushed(project, remote)
    if head is None or head == last:
        return Reached((), {})
    selected: dict[Digest, Selected] = {}
    kept: dict[Digest, str] = {}
    files = project.git.list_history(head, _existing(project, last), [PATTERN, *RECORDS])
    texts = project.git.read_blobs(file.oid for file in files)
    # An old state that can't be read, or whose list of files was never here, has nothing for us to send.
    for file in files:
        with contextlib.suppress(TallyError):
            if file.path.endswith(SUFFIX):
                tracked = read_pointer(texts.get(file.oid, b""), file.path)
                selected[tracked.pointer.digest] = Selected(tracked)
            elif _is_record(file.path):
                kept.update(_kept(file.path, texts.get(file.oid, b"")))
    for one in known.selected:
        selected.pop(one.tracked.pointer.digest, None)
    return Reached(tuple(one for one in selected.values() if _is_whole(project, one)), kept)


def remember_pushed(project: Project, remote: str, head: str | None) -> None:
    """Note up to where the history was sent; without the note the next push looks at all of it again."""
    if head is not None and head != _last_pushed(project, remote):
        write_atomic(_note(project, remote), f"{head}\n".encode(), lasting=False)


def _last_pushed(project: Project, remote: str) -> str | None:
    """The commit that the last whole push to a remote ended at; git may have lost it since."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        commit = _note(project, remote).read_text().strip()
        return commit if commit.isalnum() else None
    return None


def _existing(project: Project, commit: str | None) -> str | None:
    """The same, if git still has it."""
    with contextlib.suppress(TallyError):
        return None if commit is None else project.git.resolve(commit)
    return None


def _note(project: Project, remote: str) -> Path:
    return project.home / "remotes" / remote / "pushed"


def _is_whole(project: Project, selected: Selected) -> bool:
    """Whether the local store has every blob of a selection."""
    try:
        return not project.store.missing(wanted_digests(project, [selected]))
    except TallyError:
        return False


def _with_records(selected: tuple[Selected, ...], texts: Mapping[str, bytes]) -> Reached:
    """Add what records keep; one that can't be read is remarked upon: it must not stop a push of data."""
    kept: dict[Digest, str] = {}
    notes = []
    for path, text in texts.items():
        try:
            kept.update(_kept(path, text))
        except BadRecord as error:
            notes.append(f"passed over: {error.message}")
    return Reached(selected, kept, tuple(notes))


def _kept(path: str, text: bytes) -> dict[Digest, str]:
    """What a receipt keeps besides tracked paths: log, lock, small outs; or the wheels of a lock or vault."""
    if posixpath.basename(path) == VAULT:
        return dict.fromkeys(vaults.parse(text, path).blobs, path)
    if posixpath.basename(path) == LOCK:
        packages = environments.parse(text, path).packages
        return {package.wheel: path for package in packages if package.wheel is not None}
    receipt = receipts.parse(text, path)
    named = (receipt.log, receipt.environment.lock, receipt.series)
    # Metrics, and whatever else git keeps of a stage's outs: with them another can take the run over.
    small = (out.digest for out in receipt.outs if out.kind == "file" and out.size <= SMALL)
    return {digest: path for digest in (*named, *small) if digest is not None}


def _records(project: Project, listed: Sequence[str]) -> dict[str, bytes]:
    """The texts of those files of the worktree that are receipts, locks and vaults."""
    texts = {path: read_file(project, path) for path in listed if _is_record(path)}
    return {path: text for path, text in texts.items() if text is not None}


def _is_record(path: str) -> bool:
    folder, name = posixpath.split(path)
    return name in (LOCK, VAULT) or (name.endswith(".json") and posixpath.basename(folder) == "receipts")
