"""Walk through a folder: what is in it, asked of the system name by name, but for what others look at."""

import os
import stat
from collections.abc import Callable, Iterator
from itertools import compress
from typing import NamedTuple

from tallystick.errors import Refused
from tallystick.patterns import regex
from tallystick.sight import told
from tallystick.worktree.columns import Files, Found, shared
from tallystick.worktree.folders import shown

_LEFT_OVER = regex(rb"\.tally-[0-9]+-[0-9a-f]{16}")
"""Names of our own unfinished files (files.py), which a killed process may have left."""

_POINTER = b".tally"

_BATCH = 1024
"""How many files are asked for at once: what the system says of one takes half a kilobyte."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

Run = tuple[int, int]
"""Rows of known paths: from one on, before another."""


class _Shared(NamedTuple):
    """A folder in which others look at known paths; `found` is how many other names are in it."""

    prefix: bytes
    runs: list[Run]
    found: int


class Walk:
    """One walk through a folder; at what stands at `known` paths, sorted, others look meanwhile."""

    def __init__(self, top: bytes, inside: bytes, known: list[bytes] | None = None) -> None:
        self._top = top
        self._inside = inside
        self._known = known or []
        self._files = Files()
        self._shared: list[_Shared] = []
        self._waiting = [b""]

    def runs(self) -> list[Run]:
        """Look into all folders; tell at which known paths there is something for others to look at."""
        self._go()
        return sorted(run for each in self._shared for run in each.runs)

    def files(self, seen: Files | None = None) -> Files:
        """Everything that was found, sorted: by this walk, and of the known paths by others."""
        if seen is not None:
            self._take(seen)
        self._go()
        self._files.sort()
        return self._files

    def _take(self, seen: Files) -> None:
        """Take in what others saw; where they saw no file, it is looked at again here."""
        known, self._known = self._known, []
        runs = self.runs()
        if not self._files and 0 not in seen.modes and sum(end - start for start, end in runs) == len(seen):
            self._files = seen
            return
        for run in runs:
            for start, end in _seen(seen.modes, run):
                self._files.extend(seen, start, end)
        for each in self._shared:
            rows = [row for run in each.runs for row in _unseen(seen.modes, run)]
            if rows:
                names = [known[row][len(each.prefix) :] for row in rows]
                others = each.found + sum(end - start for start, end in each.runs) - len(rows)
                self._tried(self._again, each.prefix, names, others)

    def _go(self) -> None:
        """Look into every folder that waits, and those that are found there."""
        while self._waiting:
            self._tried(self._enter, self._waiting.pop())

    def _tried(self, step: Callable[..., None], prefix: bytes, *given: object) -> None:
        """Do something in a folder, unless it is gone."""
        try:
            step(prefix, *given)
        except FileNotFoundError:
            return
        except PermissionError as error:
            place = os.path.join(self._inside, prefix)
            raise Refused(f"`{shown(place)}` can't be read: {error.strerror}") from error

    def _enter(self, prefix: bytes) -> None:
        """Add one folder's files, and its folders to those that wait."""
        place = b"%s/%s" % (self._top, prefix)
        names = os.listdir(place)
        names.sort()
        folder = os.open(place, _FOLDER)
        try:
            joined = b"\0".join(names)
            if b".tally" in joined or b".git" in joined:
                names = [each for each in names if _is_data(self._inside, prefix + each, folder)]
            new, runs = self._split(prefix, names)
            found = self._note(prefix, new, folder)
        finally:
            os.close(folder)
        if runs:
            self._shared.append(_Shared(prefix, runs, found))
        elif prefix and not found:
            self._files.append(_empty_folder(self._top, prefix[:-1]))

    def _again(self, prefix: bytes, names: list[bytes], others: int) -> None:
        """Look at names of a folder that others saw nothing of; if nothing is left in it, at the folder."""
        folder = os.open(b"%s/%s" % (self._top, prefix), _FOLDER)
        try:
            found = self._note(prefix, names, folder)
        finally:
            os.close(folder)
        if not found and not others:
            self._waiting.append(prefix)

    def _split(self, prefix: bytes, names: list[bytes]) -> tuple[list[bytes], list[Run]]:
        """The names in a folder at which nobody else looks, and the rows of the others."""
        if not self._known:
            return names, []
        paths = [prefix + each for each in names]
        new, runs, end = list[bytes](), list[Run](), 0
        for here, there, length in shared(paths, self._known):
            new += names[end:here]
            runs.append((there, there + length))
            end = here + length
        return new + names[end:], runs

    def _note(self, prefix: bytes, names: list[bytes], folder: int) -> int:
        """Ask the system of names in a folder; say how many are still there."""
        count, folders = 0, list[bytes]()
        for start in range(0, len(names), _BATCH):
            batch, looks = _looked(names[start : start + _BATCH], folder)
            count += len(batch)
            self._put([prefix + each for each in batch], looks, folders)
        # The last is taken first.
        self._waiting.extend(path + b"/" for path in reversed(folders))
        return count

    def _put(self, paths: list[bytes], looks: list[os.stat_result], folders: list[bytes]) -> None:
        """Put what the system says of many files into the columns; folders apart."""
        look = told(looks)
        if 0 in look.modes:
            for path, status, mode in zip(paths, looks, look.modes, strict=True):
                if stat.S_ISDIR(status.st_mode):
                    folders.append(path)
                elif not mode:
                    place = shown(self._inside + b"/" + path)
                    raise Refused(f"`{place}` is {kind(status.st_mode)}, which can't be tracked")
            paths = list(compress(paths, look.modes))
            look = told(list(compress(looks, look.modes)))
        self._files.add(paths, look)


def _seen(modes: bytearray, run: Run) -> Iterator[Run]:
    """The parts of a run in which there is a file at every row."""
    start, end = run
    for row in (*_unseen(modes, run), end):
        if start < row:
            yield start, row
        start = row + 1


def _unseen(modes: bytearray, run: Run) -> Iterator[int]:
    """The rows of a run at which there is no file."""
    row = modes.find(0, *run)
    while row >= 0:
        yield row
        row = modes.find(0, row + 1, run[1])


def _looked(names: list[bytes], folder: int) -> tuple[list[bytes], list[os.stat_result]]:
    """What the system says of names in a folder, without those that are gone already."""
    look = os.stat
    try:
        return names, [look(name, dir_fd=folder, follow_symlinks=False) for name in names]
    except FileNotFoundError:
        there = [(name, status) for name in names if (status := _look(name, folder))]
        return [name for name, _ in there], [status for _, status in there]


def _look(name: bytes, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _empty_folder(top: bytes, path: bytes) -> Found:
    status = os.lstat(b"%s/%s" % (top, path))
    return Found(path, "d", 0, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _is_data(inside: bytes, path: bytes, folder: int) -> bool:
    """Whether a name in a folder is not a file that we left unfinished.

    Raises Refused for another repository or a pointer inside a tracked folder.
    """
    place, name = shown(inside + b"/" + path), path.rpartition(b"/")[2]
    if name == b".git":
        raise Refused(f"`{place}` belongs to another git repository", hint="track its parts one by one")
    if name.endswith(_POINTER):
        status = _look(name, folder)
        if status is not None and stat.S_ISREG(status.st_mode):
            raise Refused(
                f"`{place}` is a pointer inside a folder", hint="what it tracks can't be tracked twice"
            )
    return _LEFT_OVER.fullmatch(name) is None


def kind(mode: int) -> str:
    """What else a path can be."""
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a file")
