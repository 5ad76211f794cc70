"""What many files hold now, looked at together: a stage may read ten thousand, each by its own name."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress
from struct import iter_unpack

from tallystick.data.hashing import BATCH_SIZE, Held, counted, hashed, held, look, telling
from tallystick.data.tracked import (
    PATTERN,
    Tracked,
    WorktreePointers,
    pointer_path_of,
    unpointed,
)
from tallystick.digest import Digest, Passed, unwatched
from tallystick.frozen import dataclass
from tallystick.paths import is_plain
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import tree
from tallystick.records.receipt import Artifact
from tallystick.records.tree import Entry
from tallystick.worktree import Found, Identities, Identity, Scan

_EXECUTABLE = ord("x")


@dataclass(frozen=True, slots=True)
class Files:
    """Regular files, and who they are; whatever else stands at the paths asked for is not among them."""

    scan: Scan
    identities: Identities

    def artifacts(self) -> dict[str, Artifact]:
        """What a receipt says of each, by its path."""
        files = self.scan.files
        digests = map(Digest, chain.from_iterable(iter_unpack("32s", self.identities.digests)))
        names = os.fsdecode(files.joined).split("\0") if len(files) else []
        told = zip(names, digests, files.sizes, files.modes, strict=True)
        return {
            path: Artifact(path, "file", digest, size, mode == _EXECUTABLE)
            for path, digest, size, mode in told
        }


def files_now(project: Project, paths: Iterable[str], progress: Progress = silent) -> Files:
    """Every regular file among some paths with its identity, read if need be."""
    scan = project.worktree.scan_files(paths)
    known = project.worktree.known_files(scan, progress)
    identities = known.identities
    for row in counted(scan, known.to_hash, "hashing", progress, BATCH_SIZE):
        passed = telling(progress) if scan.files.sizes[row] >= BATCH_SIZE else unwatched
        identities.put(row, *_identity(project, scan, scan.files[row], passed))
    if known.stale:
        project.worktree.keep_files(scan, identities)
    return Files(scan, identities)


def _identity(project: Project, scan: Scan, found: Found, passed: Passed) -> Identity:
    """Who a file is: as a pointer's own stat cache knows it, else by reading it."""
    known = _recalled(project, found)
    if known is None:
        return hashed(scan.place(found.path), passed)
    passed(found.size)
    return known


def _recalled(project: Project, found: Found) -> Identity | None:
    """Who a file is, as a pointer's own stat cache knows it; None unless it is surely as it was."""
    cache = project.worktree.load(pointer_path_of(os.fsdecode(found.path)))
    if list(cache.files) == [found._replace(path=b"")] and max(found.mtime, found.ctime) < cache.stamp:
        return cache.identities.at(0)
    return None


def untouched(project: Project, paths: Iterable[str]) -> dict[str, Held]:
    """What stands at tracked paths of single files, where the stat caches know it; nothing is read.

    One look at all of them: one at each would cost five times as much. What is not among them may have
    changed, or be no file.
    """
    scan = project.worktree.scan_files(filter(is_plain, paths), others=False)
    names = project.worktree.recalled_files(scan)
    known = len(names)
    for row in [row for row, is_known in enumerate(names.known) if not is_known]:
        if (identity := _recalled(project, scan.files[row])) is not None:
            names.put(row, *identity)
    if len(names) != known:
        project.worktree.keep_files(scan, names)
    artifacts = compress(Files(scan, names).artifacts().values(), names.known)
    return {artifact.path: _held(artifact) for artifact in artifacts}


def _held(file: Artifact) -> Held:
    return held(file.path, "file", [Entry("x" if file.executable else "f", file.digest, file.size, b"")])


def digest_now(project: Project, path: str, progress: Progress = silent) -> Artifact | None:
    """The digest of a path as it is now, tracked or not; None when nothing is there.

    A folder that is not tracked itself counts with what git sees of it and the tracked paths inside.
    """
    return digests_now(project, [path], progress)[path]


def digests_now(
    project: Project, paths: Sequence[str], progress: Progress = silent
) -> dict[str, Artifact | None]:
    """The same for many paths."""
    found: dict[str, Artifact | None] = {**files_now(project, paths, progress).artifacts()}
    return {path: found[path] if path in found else _other(project, path, progress) for path in paths}


def _other(project: Project, path: str, progress: Progress) -> Artifact | None:
    """What is at a path that is no file."""
    if os.path.isdir(project.git.root / path) and WorktreePointers(project).at(path) is None:
        mixed = _mixed(project, path, progress)
        if mixed is not None:
            return mixed
    held = look(project, path, progress)
    return None if held is None else held.artifact


def _mixed(project: Project, folder: str, progress: Progress) -> Artifact | None:
    """A folder with the files that git sees in it, the tracked paths inside, and what their lines hide."""
    listed = project.git.named_below(folder)
    tracked = list(WorktreePointers(project, listed).below(folder))
    pointers = {one.pointer_path for one in tracked if isinstance(one, Tracked)}
    names = [
        name for name in listed if name not in pointers and not name.endswith((PATTERN[1:], "/.gitignore"))
    ]
    files = files_now(project, [*names, *project.git.named_in_submodules(folder)], progress)
    apart = [one.path for one in tracked if isinstance(one, Tracked)]
    apart += unpointed(project, (one for one in tracked if isinstance(one, Tracked)))
    apart += _unseen(project, names, files)
    rest = [entry for path in apart for entry in _renamed(project, folder, path, progress)]
    return _summed(folder, files, rest)


def _unseen(project: Project, names: Iterable[str], files: Files) -> Iterator[str]:
    """What git names and was not seen: it is gone, a link, or on another disk; not another repository."""
    seen = set(files.scan.files.paths)
    for name in names:
        if os.fsencode(name) not in seen and not name.endswith("/"):
            place = project.git.root / name
            if place.is_symlink() or not place.is_dir():
                yield name


def _renamed(project: Project, folder: str, path: str, progress: Progress) -> Iterator[Entry]:
    """What stands at a path inside a folder, as entries of the folder."""
    held = look(project, path, progress)
    name = os.fsencode(path[len(folder) + 1 :])
    for entry in () if held is None else held.entries:
        yield entry._replace(path=name + b"/" + entry.path if entry.path else name)


def _summed(folder: str, files: Files, rest: Sequence[Entry]) -> Artifact | None:
    """A folder's digest, that of its tree's text; None for one in which nothing counts."""
    seen, names = files.scan.files, files.identities
    cut = len(os.fsencode(folder)) + 1
    paths = [path[cut:] for path in seen.paths]
    if rest:
        digests: Iterator[tuple[bytes]] = iter_unpack("32s", names.digests)
        told = zip(map(chr, seen.modes), digests, seen.sizes, paths, strict=True)
        entries = [Entry(mode, Digest(digest), size, path) for mode, (digest,), size, path in told]
        text: bytes | bytearray = tree.render([*entries, *rest])
    elif paths:
        text = tree.write(paths, seen.modes, names.digests, seen.sizes)
    else:
        return None
    size = sum(seen.sizes) + sum(entry.size for entry in rest)
    return Artifact(folder, "tree", Digest.of(text), size)
