"""Many small files as one piece of memory that several processes read their share of, and fill in."""

import mmap
import os
import struct
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tallystick.crew import MOST_TASKS
from tallystick.records.tree import Entry

SPOT = struct.Struct("<QII")
"""Where a file's bytes lie as they are: offset, size, number of the source."""

STAT = struct.Struct("<qqqQ")
NAME = struct.Struct("<32s16s")
"""What a stat cache keeps of a file: size, mtime, ctime, inode; digest, fingerprint."""

TASK_FILES, TASK_SIZE = 1000, 16 << 20
"""A task of less is not worth handing to another process, of more keeps the others waiting."""

_ROWS = 4096
"""How many rows are made at once: of a million files, all would take another hundred megabytes."""

_NEVER = -(2**63)
_NO_SOURCE = (1 << 32) - 1
_NOWHERE = SPOT.pack(0, 0, _NO_SOURCE)
_HEAD = struct.Struct("<QQQQQQ")
_RUN = struct.Struct("<QQQ")
_TASK = struct.Struct("<QQ")


def split(names: bytes) -> tuple[bytearray, bytearray]:
    """The digests and the fingerprints in rows of both; word by word, so that no row becomes an object."""
    words, width = memoryview(names).cast("Q"), NAME.size // 8
    count = len(names) // NAME.size
    digests, fingerprints = bytearray(32 * count), bytearray(16 * count)
    for first, column in ((0, digests), (4, fingerprints)):
        step = len(column) // max(1, 8 * count)
        view = memoryview(column).cast("Q")
        for word in range(step):
            view[word::step] = words[first + word :: width]
    return digests, fingerprints


class Lying(NamedTuple):
    """Files of the store, and where in them the bytes of which digest lie, by `SPOT`; nothing is verified."""

    sources: Sequence[Path] = ()
    spots: Mapping[bytes, bytes] = MappingProxyType({})


class Arrivals(NamedTuple):
    """What is known of files, sorted by path: `STAT` and `NAME` of each, paths joined by NUL, modes."""

    stats: bytes
    names: bytes
    paths: bytes
    modes: bytes

    @property
    def newest(self) -> int:
        """The latest of all times."""
        numbers = array("q", self.stats)
        if sys.byteorder == "big":
            numbers.byteswap()
        return max(max(numbers[1::4], default=_NEVER), max(numbers[2::4], default=_NEVER))


class Run(NamedTuple):
    """Files of one folder that stand side by side in a block."""

    first: int
    folder: bytes
    names: Sequence[bytes]


class Block:
    """Files sorted by path: where each one's bytes lie, and, once it is written, what the system said of it.

    Files are grouped into runs, of one folder each, and runs into tasks.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.count, self.mean, runs, tasks, text, sources = _HEAD.unpack_from(memory)
        self._at = at = _layout(self.count, runs, tasks)
        end = at.text + text
        self.sources = memory[end : end + sources].split(b"\0") if sources else []

    def runs(self, task: int) -> Iterator[Run]:
        """What a task consists of."""
        first, end = _TASK.unpack_from(self._memory, self._at.tasks + task * _TASK.size)
        for number in range(first, end):
            row, begin, length = _RUN.unpack_from(self._memory, self._at.runs + number * _RUN.size)
            begin += self._at.text
            folder, *names = self._memory[begin : begin + length].split(b"\0")
            yield Run(row, folder, names)

    def spots(self, run: Run) -> Iterator[tuple[int, int, int]]:
        """Where the bytes of a run's files lie."""
        start = self._at.spots + run.first * SPOT.size
        return SPOT.iter_unpack(self._memory[start : start + len(run.names) * SPOT.size])

    def digests(self, run: Run) -> list[bytes]:
        """What a run's files are to hold."""
        start = self._at.names + run.first * NAME.size
        rows = NAME.iter_unpack(self._memory[start : start + len(run.names) * NAME.size])
        return [digest for digest, _ in rows]

    def modes(self, run: Run) -> bytes:
        """Which of a run's files are executable: 1, else 0."""
        start = self._at.modes + run.first
        return self._memory[start : start + len(run.names)]

    def fill(self, first: int, stats: Sequence[bytes], names: Sequence[bytes], done: bytes) -> None:
        """Say what became of files, from a row on; `done` has a 1 for each that is written, else 0."""
        memory, at = self._memory, self._at
        start = at.stats + first * STAT.size
        memory[start : start + len(stats) * STAT.size] = b"".join(stats)
        start = at.names + first * NAME.size
        memory[start : start + len(names) * NAME.size] = b"".join(names)
        # Last: a row that is marked is complete.
        memory[at.done + first : at.done + first + len(done)] = done

    @property
    def done(self) -> bytes:
        """For each file whether it is written: 1, else 0."""
        return self._memory[self._at.done : self._at.done + self.count]

    @property
    def columns(self) -> tuple[bytes, bytes]:
        """All `STAT`, all `NAME`."""
        at = self._at
        return self._memory[at.stats : at.names], self._memory[at.names : at.spots]


class Plan:
    """A block that is about to be made: what its memory will hold, and in which order to do its tasks."""

    def __init__(self, files: Sequence[Entry], lying: Lying) -> None:
        self._files = files
        self._spots = _spots(files, lying)
        self._runs, self._tasks = list[bytes](), list[bytes]()
        self._sources = b"\0".join(map(os.fsencode, lying.sources))
        texts, begins, ends = list[bytes](), list[int](), list[int]()
        length = 0
        # Of those that lie in packs: what lies elsewhere is large, and is not written by tasks.
        spots = SPOT.iter_unpack(self._spots)
        packed = array("I", (size for _, size, source in spots if source != _NO_SOURCE))
        self._mean = sum(packed) // max(1, len(packed))
        most = max(min(TASK_FILES, TASK_SIZE // (self._mean + 1)), len(files) // (MOST_TASKS - 1)) + 1
        for run in _runs(files, most):
            texts.append(b"\0".join((run.folder, *run.names)))
            begins.append(run.first)
            ends.append(run.first + len(run.names))
            self._runs.append(_RUN.pack(run.first, length, len(texts[-1])))
            length += len(texts[-1])
        first = 0
        for number, end in enumerate(ends, 1):
            if number == len(ends) or end - begins[first] >= most:
                self._tasks.append(_TASK.pack(first, number))
                first = number
        self._text = b"".join(texts)
        starts = [_position(self._spots, begins[_TASK.unpack(task)[0]]) for task in self._tasks]
        self.order = sorted(range(len(self._tasks)), key=starts.__getitem__)
        """All tasks, in the order in which their bytes lie."""

    @property
    def size(self) -> int:
        """Bytes of memory that the block takes."""
        return self._layout().text + len(self._text) + len(self._sources)

    def write(self, memory: mmap.mmap) -> Block:
        """Make the block."""
        at, files = self._layout(), self._files
        counts = len(self._runs), len(self._tasks), len(self._text), len(self._sources)
        _HEAD.pack_into(memory, 0, len(files), self._mean, *counts)
        unseen = bytes(NAME.size - 32)
        for row in range(0, len(files), _ROWS):
            names = b"".join([entry.digest + unseen for entry in files[row : row + _ROWS]])
            start = at.names + row * NAME.size
            memory[start : start + len(names)] = names
        memory[at.spots : at.modes] = self._spots
        memory[at.modes : at.done] = bytes([entry.mode == "x" for entry in files])
        memory[at.runs : at.tasks] = b"".join(self._runs)
        memory[at.tasks : at.text] = b"".join(self._tasks)
        memory[at.text : self.size] = self._text + self._sources
        return Block(memory)

    def _layout(self) -> "_Layout":
        return _layout(len(self._files), len(self._runs), len(self._tasks))


class _Layout(NamedTuple):
    """Where the parts of a block begin in its memory."""

    stats: int
    names: int
    spots: int
    modes: int
    done: int
    runs: int
    tasks: int
    text: int


def _layout(files: int, runs: int, tasks: int) -> _Layout:
    starts = [_HEAD.size]
    sizes = (STAT.size * files, NAME.size * files, SPOT.size * files, files, files, _RUN.size * runs)
    for size in (*sizes, _TASK.size * tasks):
        starts.append(starts[-1] + size)
    return _Layout(*starts)


def _runs(files: Sequence[Entry], most: int) -> Iterator[Run]:
    """Files that share a folder and stand side by side, not too many together."""
    row = 0
    for folder, group in groupby([entry.path for entry in files], key=lambda path: path.rpartition(b"/")[0]):
        cut = len(folder) + 1 if folder else 0
        names = [path[cut:] for path in group]
        for start in range(0, len(names), most):
            yield Run(row + start, folder, names[start : start + most])
        row += len(names)


def _spots(files: Sequence[Entry], lying: Lying) -> bytes:
    """Where the bytes of each file lie; nowhere if they are not as many as they should be."""
    rows, find = bytearray(), lying.spots.get
    for first in range(0, len(files), _ROWS):
        some = files[first : first + _ROWS]
        spots = [find(entry.digest, _NOWHERE) for entry in some]
        sizes = [size for _, size, _ in SPOT.iter_unpack(b"".join(spots))]
        wanted = [entry.size for entry in some]
        if sizes != wanted:
            for row, (size, right) in enumerate(zip(sizes, wanted, strict=True)):
                if size != right:
                    spots[row] = _NOWHERE
        rows += b"".join(spots)
    return bytes(rows)


def _position(spots: bytes, row: int) -> tuple[int, int]:
    offset, _, source = SPOT.unpack_from(spots, row * SPOT.size)
    return source, offset
