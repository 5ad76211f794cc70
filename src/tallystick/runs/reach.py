"""What a state of the project reaches: its tracked paths, and what its receipts and locks keep besides."""

import contextlib
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from tallystick.data.blobs import wanted_digests
from tallystick.data.tracked import PATTERN, Selected, pointers_of, read_pointer, select
from tallystick.digest import Digest
from tallystick.errors import BadRecord, TallyError
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records import receipt as receipts
from tallystick.records.environment import FILE as LOCK
from tallystick.records.pointer import SUFFIX
from tallystick.runs.pipelines import read_file

RECORDS = ("receipts/*.json", "*/receipts/*.json", LOCK, f"*/{LOCK}")
"""How git names all receipts and locks: its `*` crosses folders."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Tracked paths that are meant; logs, locks and wheels that records keep, each with its record."""

    selected: tuple[Selected, ...]
    kept: Mapping[Digest, str]
    notes: tuple[str, ...] = ()

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
    selected = tuple(select(pointers_of(project, commit), targets))
    return Reached(selected, {}) if targets else _with_records(selected, _records(project, commit))


def history(project: Project, remote: str, known: Reached) -> Reached:
    """What else the commits since the last push to a remote reach, as far as the local store has it whole.

    What HEAD itself needs must be there; of older commits we send what we can, without being stopped.
    """
    if project.git.head() is None:
        return Reached((), {})
    selected: dict[Digest, Selected] = {}
    kept: dict[Digest, str] = {}
    files = project.git.list_history("HEAD", _last_pushed(project, remote), [PATTERN, *RECORDS])
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


def remember_pushed(project: Project, remote: str) -> None:
    """Note up to where the history was sent; without the note the next push looks at all of it again."""
    head = project.git.head()
    if head is not None:
        write_atomic(_note(project, remote), f"{head}\n".encode())


def _last_pushed(project: Project, remote: str) -> str | None:
    """The commit that the last whole push to a remote ended at, if git still has it."""
    note = _note(project, remote)
    try:
        return project.git.resolve(note.read_text().strip()) if note.is_file() else None
    except (TallyError, OSError, UnicodeDecodeError):
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
    """The log and the lock that a receipt names, or the wheels that a lock does."""
    if posixpath.basename(path) == LOCK:
        packages = environments.parse(text, path).packages
        return {package.wheel: path for package in packages if package.wheel is not None}
    receipt = receipts.parse(text, path)
    return {digest: path for digest in (receipt.log, receipt.environment.lock) if digest is not None}


def _records(project: Project, commit: str | None) -> dict[str, bytes]:
    """The texts of all receipts and locks in the worktree or at a commit."""
    if commit is None:
        found = (path for path in project.git.list_files(RECORDS) if _is_record(path))
        texts = {path: read_file(project, path) for path in found}
        return {path: text for path, text in texts.items() if text is not None}
    listed = project.git.list_tree(commit, RECORDS)
    return project.git.read_at(commit, [file.path for file in listed if _is_record(file.path)])


def _is_record(path: str) -> bool:
    folder, name = posixpath.split(path)
    return name == LOCK or (name.endswith(".json") and posixpath.basename(folder) == "receipts")
