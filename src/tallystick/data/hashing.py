"""What paths of the worktree hold now, read only where their stat cache does not know them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from typing import Literal

from tallystick.data.tracked import pointer_path_of
from tallystick.digest import Buffer, Digest, Passed, hash_file, unwatched
from tallystick.files import translated
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import tree
from tallystick.records.receipt import Artifact
from tallystick.records.tree import Entry
from tallystick.worktree import Identities, Identity, Known, Present, Scan

Kind = Literal["file", "tree"]

_FOLDER = ord("d")

BATCH_FILES, BATCH_SIZE = 500, 16 << 20
"""How much is done between two steps of the progress shown."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stands at a path: a file, or a folder with `files` files and links in it."""

    path: str
    kind: Kind
    digest: Digest
    size: int
    files: int | None
    executable: bool
    list_entries: Callable[[], Iterable[Entry]] = field(compare=False)
    list_text: Callable[[], Buffer] = field(compare=False)
    list_contents: Callable[[], set[bytes]] = field(compare=False)
    list_paths: Callable[[], Sequence[bytes]] = field(compare=False)
    stored: int = field(default=0, compare=False)
    """Bytes that were read and stored for it just now."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """A file as one entry with an empty path, or all entries of a folder."""
        return tuple(self.list_entries())

    @property
    def text(self) -> bytes:
        """A folder's list of files, as it is stored."""
        return bytes(self.list_text())

    @property
    def blobs(self) -> set[bytes]:
        """Everything that has to be stored of it."""
        every = self.list_contents()
        every.add(self.digest)
        return every

    @property
    def artifact(self) -> Artifact:
        """What a receipt says of it."""
        return Artifact(self.path, self.kind, self.digest, self.size, self.executable)


def held(path: str, kind: Kind, entries: Iterable[Entry], stored: int = 0) -> Held:
    """Sum up entries: a folder's digest is that of its tree's text."""
    every = tuple(entries)
    is_file = kind == "file"
    return Held(
        path,
        kind,
        every[0].digest if is_file else Digest.of(tree.render(every)),
        sum(entry.size for entry in every),
        None if is_file else sum(entry.mode != "d" for entry in every),
        is_file and every[0].mode == "x",
        lambda: every,
        lambda: tree.render(every),
        lambda: {entry.digest for entry in every if entry.mode != "d"},
        lambda: [entry.path for entry in every],
        stored,
    )


def held_of(scan: Scan, identities: Identities, digest: Digest, stored: int = 0) -> Held:
    """Sum up a look at a path and who its files are, all of them; the digest is that of all together."""
    is_file = scan.kind == "file"
    return Held(
        scan.path,
        scan.kind,
        digest,
        scan.size,
        None if is_file else len(scan.files) - scan.files.modes.count(b"d"),
        is_file and scan.files[0].mode == "x",
        lambda: scan.entries(identities),
        lambda: scan.text(identities),
        lambda: contents_of(scan, identities),
        lambda: scan.files.paths,
        stored,
    )


def contents_of(scan: Scan, identities: Identities) -> set[bytes]:
    """The digests of all files and links that are known."""
    if b"d" not in scan.files.modes:
        return identities.contents()
    modes = zip(identities.known, scan.files.modes, strict=True)
    return {identities.at(row).digest for row, (known, mode) in enumerate(modes) if known and mode != _FOLDER}


def look(project: Project, path: str, progress: Progress = silent) -> Held | None:
    """What stands at a path now; None when nothing does. Raises Refused for what can't be tracked."""
    cache_name = pointer_path_of(path)
    cache = project.worktree.load(cache_name)
    scan = project.worktree.scan(path, cache, progress)
    if scan is None:
        return None
    known = project.worktree.known(scan, cache, progress)
    if known.digest is not None and not known.stale:
        return held_of(scan, known.identities, known.digest)
    identities = _hashed(scan, known, progress)
    digest = known.digest or _digest(scan, identities)
    project.worktree.save(cache_name, scan, identities, digest)
    return held_of(scan, identities, digest)


def _digest(scan: Scan, identities: Identities) -> Digest:
    """The digest of all that stands at a path together."""
    return identities.at(0).digest if scan.kind == "file" else Digest.of(scan.text(identities))


def identified(project: Project, path: str, progress: Progress = silent) -> Present | None:
    """Every file at a path now with its identity, hashed if need be; None when nothing is there."""
    seen = looked(project, path, progress)
    return None if seen is None else present_of(project, *seen, progress)


def looked(project: Project, path: str, progress: Progress = silent) -> tuple[Scan, Known] | None:
    """Every file at a path now, and what the stat cache knows of them; None when nothing is there."""
    cache = project.worktree.load(pointer_path_of(path))
    scan = project.worktree.scan(path, cache, progress)
    return None if scan is None else (scan, project.worktree.known(scan, cache, progress))


def present_of(project: Project, scan: Scan, known: Known, progress: Progress = silent) -> Present:
    """Every file of a scan with its identity, hashed if need be."""
    identities = _hashed(scan, known, progress)
    if known.stale:
        project.worktree.save(pointer_path_of(scan.path), scan, identities, known.digest)
    return Present(scan, identities)


def _hashed(scan: Scan, known: Known, progress: Progress) -> Identities:
    """The identities of all files, read where they are not known."""
    identities, sizes = known.identities, scan.files.sizes
    for row in counted(scan, known.to_hash, "hashing", progress, BATCH_SIZE):
        passed = telling(progress) if sizes[row] >= BATCH_SIZE else unwatched
        identities.put(row, *hashed(scan.place(scan.files.paths[row]), passed))
    return identities


def hashed(place: bytes, passed: Passed = unwatched) -> Identity:
    """Read a file to know it; `passed` hears of the bytes of a large one."""
    with translated(os.fsdecode(place)):
        found = hash_file(place, passed)
    return Identity(found.digest, found.fingerprint)


def telling(progress: Progress) -> Passed:
    """Show the bytes of a large file as they pass."""
    return lambda size: progress.advance(size=size)


def counted(
    scan: Scan, rows: Sequence[int], what: str, progress: Progress, apart: int | None = None
) -> Iterator[int]:
    """Hand out files by their rows, one by one, advancing the progress in batches.

    Files of `apart` bytes or more tell of their bytes themselves, as they pass.
    """
    if not rows:
        return
    sizes = scan.files.sizes
    progress.begin(f"{what} `{scan.path}`", files=len(rows), size=sum(map(sizes.__getitem__, rows)))
    count = size = 0
    for row in rows:
        yield row
        count += 1
        size += sizes[row] if apart is None or sizes[row] < apart else 0
        if count >= BATCH_FILES or size >= BATCH_SIZE:
            progress.advance(count, size)
            count = size = 0
    progress.advance(count, size)
    progress.end()
