"""Look at many single files at once, wherever they lie, with one stat cache for all of them."""

import os
import stat
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import groupby

from tallystick.errors import Refused
from tallystick.worktree.columns import LATEST, Column, Files, Identities
from tallystick.worktree.folders import Folders
from tallystick.worktree.scan import Scan
from tallystick.worktree.statcache import StatCache

MOST = 500_000
"""Files that are remembered at most, those of the last look among them."""

_PLAIN, _EXECUTABLE = b"fx"


def scan(root: str | os.PathLike[str], paths: Iterable[bytes], stamp: int) -> Scan:
    """Look at files by their paths; what is none, or lies behind a link or on another disk, is left out.

    Another disk has a clock of its own, for which the stamp says nothing.
    """
    kept: list[bytes] = []
    looks: list[os.stat_result] = []
    device = os.stat(root).st_dev
    with Folders(root) as folders:
        for folder, inside in groupby(sorted(set(paths)), _folder):
            try:
                descriptor = folders.at(folder)
            except (OSError, Refused):
                continue
            cut = len(folder) + 1 if folder else 0
            for path in inside:
                try:
                    look = os.stat(path[cut:], dir_fd=descriptor, follow_symlinks=False)
                except OSError:
                    continue
                if stat.S_ISREG(look.st_mode) and look.st_dev == device:
                    kept.append(path)
                    looks.append(look)
    return Scan("files", "tree", _columns(kept, looks), {}, stamp, os.fsencode(root))


def part(cache: StatCache, files: Files) -> StatCache:
    """What a cache remembers of some files."""
    if cache.files.paths == files.paths:
        return cache
    paths = cache.files.paths
    rows: Column = array("q")
    for path in files.paths:
        row = bisect_left(paths, path)
        if row < len(paths) and paths[row] == path:
            rows.append(row)
    return StatCache(cache.stamp, *_selected(cache.files, cache.identities, rows))


def joined(cache: StatCache, seen: Scan, identities: Identities) -> StatCache:
    """A cache of what a look found, and of all other files that the one before is sure of.

    What was as young as the former look itself is left out: by the stamp of this one it would seem settled.
    """
    new = array("q", [row for row, known in enumerate(identities.known) if known])
    files, names = _selected(seen.files, identities, new)
    newest = map(max, cache.files.mtimes, cache.files.ctimes)
    told = enumerate(zip(cache.files.paths, newest, strict=True))
    here, stamp = set(seen.files.paths), cache.stamp
    old = array("q", [row for row, (path, time) in told if path not in here and time < stamp])
    if not old or len(old) + len(new) > MOST:
        return StatCache(seen.stamp, files, names)
    others, theirs = _selected(cache.files, cache.identities, old)
    files.extend(others, 0, len(others))
    digests, fingerprints = names.digests + theirs.digests, names.fingerprints + theirs.fingerprints
    every = Identities.of_all(files, digests, fingerprints)
    order = array("q", sorted(range(len(files)), key=files.paths.__getitem__))
    return StatCache(seen.stamp, *_selected(files, every, order))


def _selected(files: Files, identities: Identities, rows: Column) -> tuple[Files, Identities]:
    """Some files, and who they are."""
    chosen = files.select(rows)
    names = Identities(chosen)
    for row, other in enumerate(rows):
        names.take(row, identities, other, 1)
    return chosen, names


def _folder(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _columns(paths: list[bytes], looks: list[os.stat_result]) -> Files:
    """What the system says of files, in columns."""
    files = Files(paths)
    files.modes.extend([_EXECUTABLE if look.st_mode & 0o100 else _PLAIN for look in looks])
    files.sizes.extend([look.st_size for look in looks])
    files.mtimes.extend([min(look.st_mtime_ns, LATEST) for look in looks])
    files.ctimes.extend([min(look.st_ctime_ns, LATEST) for look in looks])
    files.inodes.extend([look.st_ino for look in looks])
    return files
