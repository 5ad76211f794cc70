"""Write the files of a block into a tree that nobody sees yet; also what its helper processes run."""

import contextlib
import mmap
import os
import sys
from collections.abc import Iterator, Sequence

from tallystick import memory
from tallystick.digest import fingerprint, raw_digest
from tallystick.helping import drawn
from tallystick.worktree.block import NAME, STAT, Block, Run
from tallystick.worktree.folders import Folders
from tallystick.worktree.writing import NEW

TREE = b"tree"
"""What the tree is called as long as it is not finished."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODES = (0o666, 0o777)
_MOST_OPEN = 64
_UNSEEN = bytes(STAT.size)
_ROOM = 1 << 20
"""Bytes that are read at a time, of files that lie side by side."""


class Filler:
    """Does tasks of a block; a file whose bytes are not where they should be is left undone."""

    def __init__(self, block: Block, staged: Folders) -> None:
        self._block = block
        self._staged = staged
        self._open: dict[int, int] = {}
        # One for all that is read: memory's first touch is slow.
        self._room = memory.room(_ROOM)

    def fill(self, task: int) -> tuple[int, int]:
        """Do a task; say how many files and bytes are written."""
        files = size = 0
        for run in self._block.runs(task):
            done, more = self._fill(run)
            files, size = files + done, size + more
        return files, size

    def close(self) -> None:
        """Let go of the sources."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _fill(self, run: Run) -> tuple[int, int]:
        """Write one run; this loop is all that most of a checkout's time goes to."""
        folder = self._staged.at(b"%s/%s" % (TREE, run.folder) if run.folder else TREE)
        stats, names, done, size = [], [], bytearray(), 0
        rows = zip(
            run.names, self._block.digests(run), self._block.modes(run), self._pieces(run), strict=True
        )
        for name, digest, mode, data in rows:
            if data is None or raw_digest(data) != digest:
                stats.append(_UNSEEN)
                names.append(NAME.pack(digest, b""))
                done.append(0)
                continue
            stats.append(_write(folder, name, _MODES[mode], data))
            names.append(digest + fingerprint(data))
            done.append(1)
            size += len(data)
        self._block.fill(run.first, stats, names, bytes(done))
        return sum(done), size

    def _pieces(self, run: Run) -> Iterator[memoryview | None]:
        """The bytes of a run's files, each valid until the next is asked for; nothing is verified yet."""
        spots = list(self._block.spots(run))
        at = 0
        while at < len(spots):
            end, length = _stretch(spots, at, len(self._room))
            offset, _, source = spots[at]
            if length > len(self._room):
                self._room = memory.room(length)
            descriptor = self._open.get(source)
            if descriptor is None:
                descriptor = self._source(source)
            came = -1 if descriptor is None else os.preadv(descriptor, [self._room[:length]], offset)
            begin = 0
            for _, size, _ in spots[at:end]:
                yield self._room[begin : begin + size] if begin + size <= came else None
                begin += size
            at = end

    def _source(self, number: int) -> int | None:
        """Open a file of the store; None for one that is gone, and for no file."""
        if len(self._open) >= _MOST_OPEN:
            self.close()
        if number < len(self._block.sources):
            with contextlib.suppress(OSError):
                self._open[number] = os.open(self._block.sources[number], _READ)
        return self._open.get(number)


def _stretch(spots: Sequence[tuple[int, int, int]], first: int, room: int) -> tuple[int, int]:
    """Files from one on that lie side by side: the first that doesn't, or has no room, and their bytes."""
    offset, length, source = spots[first]
    for at in range(first + 1, len(spots)):
        begin, size, number = spots[at]
        if begin != offset + length or number != source or length + size > room:
            return at, length
        length += size
    return len(spots), length


def _write(folder: int, name: bytes, mode: int, data: memoryview) -> bytes:
    """Create one file; return its row of a stat cache. On any failure it is gone again."""
    descriptor = os.open(name, NEW, mode, dir_fd=folder)
    try:
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, data[written:])
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise
    return STAT.pack(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def main() -> None:
    """Help another process: take tasks from a pipe, until there are none or that process is gone."""
    pipe, memory, stage = map(int, sys.argv[1:])
    with contextlib.ExitStack() as held, Folders(stage) as staged:
        filler: Filler | None = None
        for task in drawn(pipe):
            if filler is None:
                # Before the first task nobody knows how large it is.
                view = held.enter_context(mmap.mmap(memory, 0))
                filler = Filler(Block(view), staged)
            filler.fill(task)
