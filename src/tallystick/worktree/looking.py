"""Look whether many small files still have their fingerprints, on all cores; also what its helpers run."""

import mmap
import os
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from struct import iter_unpack
from typing import NamedTuple

from tallystick import crew
from tallystick.digest import fingerprint
from tallystick.errors import Refused
from tallystick.progress import Progress
from tallystick.worktree.columns import FINGERPRINT, Column
from tallystick.worktree.folders import FOLDER, Folders

ENOUGH = 8000
"""Starting a helper takes as long as looking at some thousands of files."""

UNSEEN, SAME, OTHER = range(3)
"""What became of a file: nobody could look at it, it is as it was, it is another."""

_MODULE = "tallystick.worktree.looking"
_TASK_FILES = 500
_SIZE = array("H").itemsize
_HEAD = struct.Struct("<QQ")
_TASK = struct.Struct("<QQQQ")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Task(NamedTuple):
    """Files that stand side by side: the number of the first, their paths, sizes and fingerprints."""

    first: int
    paths: Sequence[bytes]
    sizes: Column
    known: bytes


class Sight:
    """Memory that several processes share: paths and fingerprints of files, and what was seen of each."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.count, self.tasks = _HEAD.unpack_from(memory)
        self._known = _HEAD.size + self.tasks * _TASK.size
        self._sizes = self._known + self.count * FINGERPRINT
        self._seen = self._sizes + self.count * _SIZE
        self._text = self._seen + self.count

    def task(self, number: int) -> Task:
        """What a task consists of."""
        first, count, begin, length = _TASK.unpack_from(self._memory, _HEAD.size + number * _TASK.size)
        begin += self._text
        paths = self._memory[begin : begin + length].split(b"\0")
        known, at = self._known + first * FINGERPRINT, self._sizes + first * _SIZE
        sizes = array("H", self._memory[at : at + count * _SIZE])
        return Task(first, paths, sizes, self._memory[known : known + count * FINGERPRINT])

    def note(self, first: int, seen: bytes) -> None:
        """Say what became of files, from one on."""
        self._memory[self._seen + first : self._seen + first + len(seen)] = seen

    @property
    def seen(self) -> bytes:
        """What became of each file."""
        return self._memory[self._seen : self._text]


def see(top: bytes, paths: Sequence[bytes], sizes: Column, known: bytes, progress: Progress) -> bytes:
    """Tell of each of the small files below a folder, sorted, whether it has the fingerprint it had.

    `known` are those, in turn, and `sizes`, two bytes each, what the files had then and seem to have now.
    What nobody could look at is the caller's to find out about.
    """
    head, text = _drawn_up(paths)
    mean = sum(sizes) // max(1, len(paths))
    known += sizes.tobytes()
    size = len(head) + len(known) + len(paths) + len(text)
    with _opened(top) as folder, crew.shared_memory(size) as (descriptor, memory):
        memory[: len(head)] = head
        memory[len(head) : len(head) + len(known)] = known
        memory[size - len(text) : size] = text
        sight = Sight(memory)
        _share_out(sight, folder, descriptor, progress, mean)
        return sight.seen


@contextmanager
def _opened(top: bytes) -> Iterator[int]:
    folder = os.open(top, FOLDER)
    try:
        yield folder
    finally:
        os.close(folder)


def _drawn_up(paths: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The tasks, and the text that they are parts of."""
    most = max(_TASK_FILES, len(paths) // (crew.MOST_TASKS - 1) + 1)
    tasks, texts, begin = [], [], 0
    for first in range(0, len(paths), most):
        some = paths[first : first + most]
        texts.append(b"\0".join(some))
        tasks.append(_TASK.pack(first, len(some), begin, len(texts[-1])))
        begin += len(texts[-1])
    return _HEAD.pack(len(paths), len(tasks)) + b"".join(tasks), b"".join(texts)


def _share_out(sight: Sight, folder: int, memory: int, progress: Progress, mean: int) -> None:
    """Do all tasks, with helpers."""
    wanted, shown = min(crew.helpers(), sight.tasks - 1), 0
    with (
        Folders(folder) as folders,
        crew.shared(range(sight.tasks), _MODULE, (memory, folder), wanted) as tasks,
    ):
        for number in tasks:
            _do(sight, number, folders)
            done = sight.count - sight.seen.count(UNSEEN)
            progress.advance(done - shown, (done - shown) * mean)
            shown = done
    done = sight.count - sight.seen.count(UNSEEN)
    progress.advance(done - shown, (done - shown) * mean)


def _do(sight: Sight, number: int, folders: Folders) -> None:
    """Do one task."""
    task = sight.task(number)
    sight.note(task.first, bytes(_looks(task, folders)))


def _looks(task: Task, folders: Folders) -> Iterator[int]:
    """What becomes of a task's files; this loop is what most of a look at touched files goes to."""
    inside, folder = None, -1
    known = iter_unpack(f"{FINGERPRINT}s", task.known)
    for path, size, (before,) in zip(task.paths, task.sizes, known, strict=True):
        parent, _, name = path.rpartition(b"/")
        try:
            if parent != inside:
                inside, folder = None, folders.at(parent)
                inside = parent
            descriptor = os.open(name, _READ, dir_fd=folder)
        except (OSError, Refused):
            yield UNSEEN
            continue
        try:
            # One more than it should have: a longer one shows, and room for any would take a while to get.
            data = os.read(descriptor, size + 1)
        except OSError:
            yield UNSEEN
            continue
        finally:
            os.close(descriptor)
        if len(data) != size:
            yield UNSEEN
        else:
            yield SAME if fingerprint(data) == before else OTHER


def main() -> None:
    """Help another process: take tasks from a pipe, until there are none or that process is gone."""
    pipe, memory, top = map(int, sys.argv[1:])
    with mmap.mmap(memory, 0) as view, Folders(top) as folders:
        sight = Sight(view)
        for number in crew.drawn(pipe):
            _do(sight, number, folders)
