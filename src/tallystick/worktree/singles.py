"""Look at many single files at once, wherever they lie, with one stat cache for all of them."""

import os
import stat
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import compress, groupby

from tallystick.errors import Refused
from tallystick.sight import told
from tallystick.worktree.columns import DIGEST, FINGERPRINT, Files, Identities, StatCache
from tallystick.worktree.folders import Folders
from tallystick.worktree.scan import Scan

MOST = 500_000
"""Files that are remembered at most, those of the last look among them."""


def scan(root: str | os.PathLike[str], paths: Iterable[bytes], stamp: int, *, others: bool = True) -> Scan:
    """Look at files by their paths; what is none, or lies behind a link or on another disk, is left out.

    With `others` those of submodules count. Another disk has a clock of its own: no stamp holds there.
    """
    kept: list[bytes] = []
    looks: list[os.stat_result] = []
    device = os.stat(root).st_dev
    with Folders(root, others=others) as folders:
        for folder, inside in groupby(sorted(set(paths)), _folder):
            try:
                descriptor = folders.at(folder)
            except (OSError, Refused):
                continue
            there, found = _looked(list(inside), len(folder) + 1 if folder else 0, descriptor)
            fit = [look.st_dev == device and stat.S_ISREG(look.st_mode) for look in found]
            if not all(fit):
                there, found = list(compress(there, fit)), list(compress(found, fit))
            kept += there
            looks += found
    files = Files()
    files.add(kept, told(looks))
    return Scan("files", "tree", files, {}, stamp, os.fsencode(root))


def _looked(paths: list[bytes], cut: int, folder: int) -> tuple[list[bytes], list[os.stat_result]]:
    """What the system says of files in a folder, without those that are not there; paths are cut to names."""
    look = os.stat
    try:
        return paths, [look(path[cut:], dir_fd=folder, follow_symlinks=False) for path in paths]
    except OSError:
        found = [(path, status) for path in paths if (status := _look(path[cut:], folder))]
        return [path for path, _ in found], [status for _, status in found]


def _look(name: bytes, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None


def part(cache: StatCache, files: Files) -> StatCache:
    """What a cache remembers of some files."""
    if cache.files.paths == files.paths:
        return cache
    runs = [(there, length) for _, there, length in files.matches(cache.files)]
    return StatCache(cache.stamp, *_taken(cache.files, cache.identities, runs))


def joined(cache: StatCache, seen: Scan, identities: Identities) -> StatCache:
    """A cache of what a look found, and of all other files that the one before is sure of.

    What was as young as the former look itself is left out: by the stamp of this one it would seem settled.
    """
    found = seen.files, identities
    if 0 in identities.known:
        found = _taken(*found, [(row, 1) for row, known in enumerate(identities.known) if known])
    others = _taken(cache.files, cache.identities, _others(cache, seen.files))
    if others[0] and len(others[0]) + len(found[0]) <= MOST:
        found = _merged(found, others)
    return StatCache(seen.stamp, *found)


def _others(cache: StatCache, files: Files) -> list[tuple[int, int]]:
    """The runs of a cache's files that are not among some files, and were settled when it was made."""
    rest, start = [], 0
    for _, there, length in files.matches(cache.files):
        rest.append((start, there - start))
        start = there + length
    rest.append((start, len(cache.files) - start))
    if cache.files.newest < cache.stamp:
        return [run for run in rest if run[1]]
    rows = (row for start, length in rest for row in range(start, start + length))
    mtimes, ctimes = cache.files.mtimes, cache.files.ctimes
    return [(row, 1) for row in rows if max(mtimes[row], ctimes[row]) < cache.stamp]


def _merged(one: tuple[Files, Identities], other: tuple[Files, Identities]) -> tuple[Files, Identities]:
    """Two sorted lists of files, of which none is in both, as one."""
    files, digests, fingerprints = Files(), bytearray(), bytearray()
    taken, waiting = (0, *one), (0, *other)
    while taken[0] < len(taken[1]):
        start, from_files, names = taken
        end = len(from_files)
        if waiting[0] < len(waiting[1]):
            end = bisect_left(from_files.paths, waiting[1].paths[waiting[0]], start)
        files.extend(from_files, start, end)
        digests += names.digests[start * DIGEST : end * DIGEST]
        fingerprints += names.fingerprints[start * FINGERPRINT : end * FINGERPRINT]
        taken, waiting = waiting, (end, from_files, names)
        if taken[0] == len(taken[1]):
            taken, waiting = waiting, taken
    return files, Identities.of_all(files, digests, fingerprints)


def _taken(files: Files, identities: Identities, runs: Sequence[tuple[int, int]]) -> tuple[Files, Identities]:
    """Some files, and who they are: runs of them, each by its first row and its length."""
    chosen = Files()
    for row, length in runs:
        chosen.extend(files, row, row + length)
    names, at = Identities(chosen), 0
    for row, length in runs:
        names.take(at, identities, row, length)
        at += length
    return chosen, names


def _folder(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]
