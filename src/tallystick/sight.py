"""What several processes see of many files: the memory that they share, and what its helpers run.

A helper that only looks has done half of its work before all modules of ours could be loaded: this one needs
few of them.
"""

import mmap
import os
import stat
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import partial, reduce
from itertools import compress, groupby, repeat
from operator import ge, itemgetter, ne, or_
from struct import iter_unpack
from typing import NamedTuple, TypeAlias

from xxhash import xxh3_128_digest as fingerprint

from tallystick.helping import drawn
from tallystick.unnoted import opened

Column: TypeAlias = "array[int]"
"""One number of each file."""

LATEST = 2**63 - 1
"""The latest time that a column holds; what is later counts as that, and so as younger than any look."""

UNREAD, SAME, OTHER = range(3)
"""What became of a file: nobody read it, it has the fingerprint that it had, it has another."""

FINGERPRINT = 16
"""How many bytes one has."""

HEAD = struct.Struct("<QQq")
TASK = struct.Struct("<QQQQ")

SMALL = 1 << 16
"""Files below that are read in one go, those above by somebody who tells how far they are."""

_FILE, _EXECUTABLE, _LINK = b"fxl"
_TYPES = "qqqQ"
_NUMBER = 8
_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Look(NamedTuple):
    """What the system says of some files, in columns: sizes, two times, inodes; a mode is 0 for no file.

    The others are a tree's: `f` file, `x` executable, `l` link.
    """

    modes: bytes
    numbers: tuple[Column, ...]


class Nothing:
    """What is said of a file that can't be looked at."""

    st_mode = st_size = st_mtime_ns = st_ctime_ns = st_ino = 0


NOTHING = Nothing()


def told(looks: Sequence[os.stat_result | Nothing]) -> Look:
    """Put into columns what the system says of files."""
    modes = [look.st_mode for look in looks]
    kinds = {mode: _mode(mode) for mode in set(modes)}
    sizes = array("q", [look.st_size for look in looks])
    mtimes = _times([look.st_mtime_ns for look in looks])
    ctimes = _times([look.st_ctime_ns for look in looks])
    inodes = array("Q", [look.st_ino for look in looks])
    return Look(bytes(map(kinds.__getitem__, modes)), (sizes, mtimes, ctimes, inodes))


def _times(times: list[int]) -> Column:
    if times and max(times) > LATEST:
        times = [min(each, LATEST) for each in times]
    return array("q", times)


def _mode(mode: int) -> int:
    """A tree's mode; 0 for what no tree can hold, and for folders."""
    if stat.S_ISREG(mode):
        return _EXECUTABLE if mode & 0o100 else _FILE
    return _LINK if stat.S_ISLNK(mode) else 0


def differing(now: Sequence[Column], then: Sequence[Column], stamp: int) -> Iterator[int]:
    """The rows of what is not as it was, or as young as the look of which the stamp is.

    A later write in the same tick of the clock would not have shown.
    """
    # A column that is the same as a whole need not be gone through.
    reasons = [map(ne, new, old) for new, old in zip(now, then, strict=True) if new != old]
    reasons += [map(ge, times, repeat(stamp)) for times in now[1:3] if times and max(times) >= stamp]
    return compress(range(len(now[0])), reduce(partial(map, or_), reasons)) if reasons else iter(())


class Sight:
    """Memory that several processes share: files as they were, and then, task by task, as they are seen."""

    BLANK = 2
    """Bytes of each file, after the tasks, in which nothing is at first: its mode, and what became of it.

    Behind these stand the fingerprints, the columns of numbers and the paths, joined by zero bytes.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.count, self.tasks, self._stamp = HEAD.unpack_from(memory)
        self._modes = HEAD.size + self.tasks * TASK.size
        self._seen = self._modes + self.count
        self._known = self._seen + self.count
        self._numbers = self._known + self.count * FINGERPRINT
        self._text = self._numbers + len(_TYPES) * self.count * _NUMBER

    @property
    def look(self) -> Look:
        """What the system said of each file; nothing of those whose tasks are not done."""
        modes = self._memory[self._modes : self._modes + self.count]
        return Look(modes, self._columns(0, self.count))

    @property
    def seen(self) -> bytes:
        """What became of each file."""
        return self._memory[self._seen : self._seen + self.count]

    def undone(self, tasks: Iterable[int]) -> Iterator[int]:
        """Those of some tasks that nobody has done, or that found nothing."""
        for number in tasks:
            first, count, _, _ = self._task(number)
            at = self._modes + first
            if not any(self._memory[at : at + count]):
                yield number

    def do(self, number: int, top: int) -> None:
        """Do a task below an open folder: look at its files, and read those that seem touched."""
        first, count, begin, length = self._task(number)
        paths = self._memory[self._text + begin : self._text + begin + length].split(b"\0")
        look, then = told(list(_looks(top, paths))), self._columns(first, count)
        self._note(self._seen + first, bytes(self._read(top, first, paths, look, then)))
        for at, column in zip(self._places(first), look.numbers, strict=True):
            self._note(at, column.tobytes())
        # Last, as they say that the task is done: a helper may be killed at any time.
        self._note(self._modes + first, look.modes)

    def _read(
        self, top: int, first: int, paths: Sequence[bytes], look: Look, then: Sequence[Column]
    ) -> bytearray:
        """What becomes of a task's files: those of another size are surely changed, and not read."""
        seen, sizes, sizes_then = bytearray(len(paths)), look.numbers[0], then[0]
        rows = [
            row
            for row in differing(look.numbers, then, self._stamp)
            if look.modes[row] in b"fx" and sizes[row] == sizes_then[row] < SMALL
        ]
        if rows:
            at = self._known + first * FINGERPRINT
            known = iter_unpack(f"{FINGERPRINT}s", self._memory[at : at + len(paths) * FINGERPRINT])
            before = [name for (name,) in known]
            names = _fingerprints(top, [paths[row] for row in rows], [sizes[row] for row in rows])
            for row, name in zip(rows, names, strict=True):
                seen[row] = UNREAD if not name else SAME if name == before[row] else OTHER
        return seen

    def _task(self, number: int) -> tuple[int, int, int, int]:
        """A task's first file, and how many; where the text of their paths begins, its length."""
        first, count, begin, length = TASK.unpack_from(self._memory, HEAD.size + number * TASK.size)
        return first, count, begin, length

    def _places(self, first: int) -> Iterator[int]:
        """Where the columns of numbers begin, from one file on."""
        return (self._numbers + (at * self.count + first) * _NUMBER for at in range(len(_TYPES)))

    def _columns(self, first: int, count: int) -> tuple[Column, ...]:
        places = zip(_TYPES, self._places(first), strict=True)
        return tuple(array(kind, self._memory[at : at + count * _NUMBER]) for kind, at in places)

    def _note(self, at: int, data: bytes) -> None:
        self._memory[at : at + len(data)] = data


def _looks(top: int, paths: Iterable[bytes]) -> Iterator[os.stat_result | Nothing]:
    """What the system says of files."""
    look = os.stat
    for folder, names in _by_folder(top, paths):
        try:
            looks = [look(name, dir_fd=folder, follow_symlinks=False) for name in names]
        except OSError:
            yield from (_looked(name, folder) for name in names)
        else:
            yield from looks


def _looked(name: bytes, folder: int) -> os.stat_result | Nothing:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return NOTHING


def _fingerprints(top: int, paths: Iterable[bytes], sizes: Iterable[int]) -> Iterator[bytes]:
    """The fingerprints of files that have the sizes they should have; empty for others."""
    each = iter(sizes)
    for folder, names in _by_folder(top, paths):
        for name in names:
            yield _fingerprint(name, folder, next(each))


def _fingerprint(name: bytes, folder: int, size: int) -> bytes:
    try:
        descriptor = opened(name, _READ, folder)
    except OSError:
        return b""
    try:
        # One more than it should have: a longer one shows, and room for any would take a while to get.
        data = os.read(descriptor, size + 1)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return fingerprint(data) if len(data) == size else b""


def _by_folder(top: int, paths: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The names of files, folder by folder, each folder open; -1, in which nothing is, if it can't be."""
    for parent, inside in groupby([path.rpartition(b"/") for path in paths], itemgetter(0)):
        names = [name for _, _, name in inside]
        try:
            folder = _entered(top, parent)
        except OSError:
            yield -1, names
            continue
        try:
            yield folder, names
        finally:
            os.close(folder)


def _entered(top: int, path: bytes) -> int:
    """Open a folder below another, each part of the path without following a link."""
    here = os.dup(top)
    for part in path.split(b"/") if path else ():
        try:
            below = os.open(part, _LOOK, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def main() -> None:
    """Help another process: take tasks from a pipe, until there are none or that process is gone."""
    pipe, memory, top = map(int, sys.argv[1:])
    with mmap.mmap(memory, 0) as view:
        for number in drawn(pipe):
            # Not before there is a task: until then the memory is being written to.
            Sight(view).do(number, top)
