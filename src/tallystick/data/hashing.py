"""What paths of the worktree hold now, read only where their stat cache does not know them."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tallystick.data.tracked import PATTERN, Tracked, WorktreePointers, pointer_path_of
from tallystick.digest import Digest, hash_file
from tallystick.files import translated
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import tree
from tallystick.records.receipt import Artifact
from tallystick.records.tree import Entry
from tallystick.worktree import Found, Identity, Present, Scan

Kind = Literal["file", "tree"]

BATCH_FILES, BATCH_SIZE = 500, 64 << 20
"""How much is done between two steps of the progress shown."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stands at a path: a file as one entry with an empty path, or all entries of a folder."""

    path: str
    kind: Kind
    entries: tuple[Entry, ...]
    digest: Digest

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(entry.size for entry in self.entries)

    @property
    def files(self) -> int | None:
        """How many files and links a folder holds; None for a file."""
        return None if self.kind == "file" else sum(entry.mode != "d" for entry in self.entries)

    @property
    def executable(self) -> bool:
        """Whether it is a single file that may be executed."""
        return self.kind == "file" and self.entries[0].mode == "x"

    @property
    def artifact(self) -> Artifact:
        """What a receipt says of it."""
        return Artifact(self.path, self.kind, self.digest, self.size, self.executable)


def held(path: str, kind: Kind, entries: Iterable[Entry]) -> Held:
    """Sum up entries: a folder's digest is that of its tree's text."""
    every = tuple(entries)
    return Held(path, kind, every, every[0].digest if kind == "file" else Digest.of(tree.render(every)))


def look(project: Project, path: str, progress: Progress = silent) -> Held | None:
    """What stands at a path now; None when nothing does. Raises Refused for what can't be tracked."""
    present = identified(project, path, progress)
    if present is None:
        return None
    scan = present.scan
    return held(path, scan.kind, scan.entries(present.identities))


def identified(project: Project, path: str, progress: Progress = silent) -> Present | None:
    """Every file at a path now with its identity, hashed if need be; None when nothing is there."""
    scan = project.worktree.scan(path)
    if scan is None:
        return None
    cache_name = pointer_path_of(path)
    known = project.worktree.known(scan, project.worktree.load(cache_name), progress)
    identities = known.identities
    for found in counted(known.to_hash, f"hashing `{path}`", progress):
        identities[found.path] = _identity(scan, found)
    if known.stale:
        project.worktree.save(cache_name, scan, identities)
    return Present(scan, identities)


def digest_now(project: Project, path: str, progress: Progress = silent) -> Artifact | None:
    """The digest of a path as it is now, tracked or not; None when nothing is there.

    A folder that is not tracked itself counts with what git sees of it and the tracked paths inside.
    """
    place = project.git.root / path
    if place.is_dir() and WorktreePointers(project).at(path) is None:
        mixed = _mixed(project, path, progress)
        if mixed:
            return held(path, "tree", mixed).artifact
    found = look(project, path, progress)
    return None if found is None else found.artifact


def _mixed(project: Project, path: str, progress: Progress) -> list[Entry]:
    """The files of a folder that git sees, and those of the tracked paths inside."""
    tracked = [one for one in WorktreePointers(project).below(path) if isinstance(one, Tracked)]
    pointers = {pointer_path_of(one.path) for one in tracked}
    entries = [
        _renamed(entry, path, one.path)
        for one in tracked
        for entry in _entries(look(project, one.path, progress))
    ]
    return entries + [
        _renamed(entry, path, file)
        for file in project.git.list_below(path)
        if file not in pointers and not file.endswith((PATTERN[1:], "/.gitignore"))
        for entry in _entries(_source(project, file))
    ]


def _source(project: Project, file: str) -> Held | None:
    """A file that git tracks: small, and many of them, so that no stat cache is kept for each."""
    scan = project.worktree.scan(file)
    if scan is None:
        return None
    return held(file, "file", scan.entries({b"": _identity(scan, scan.files[0])}))


def _entries(found: Held | None) -> tuple[Entry, ...]:
    return () if found is None else found.entries


def _renamed(entry: Entry, folder: str, path: str) -> Entry:
    """An entry of something inside a folder, as an entry of the folder."""
    name = os.fsencode(path[len(folder) + 1 :])
    return entry._replace(path=name + b"/" + entry.path if entry.path else name)


def _identity(scan: Scan, found: Found) -> Identity:
    """Read a file to know it."""
    with translated(os.fsdecode(scan.location(found))):
        hashed = hash_file(scan.location(found))
    return Identity(hashed.digest, hashed.fingerprint)


def counted(files: list[Found], what: str, progress: Progress) -> Iterator[Found]:
    """Hand out files one by one, advancing the progress in batches."""
    if not files:
        return
    progress.begin(what, files=len(files), size=sum(found.size for found in files))
    count = size = 0
    for found in files:
        yield found
        count, size = count + 1, size + found.size
        if count >= BATCH_FILES or size >= BATCH_SIZE:
            progress.advance(count, size)
            count = size = 0
    progress.advance(count, size)
    progress.end()
