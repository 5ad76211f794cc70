"""Copy a large file and hash it meanwhile: one thread writes what the other one has read; or clone it."""

import os
import threading
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from tallystick import direct, memory
from tallystick.digest import (
    ALL_CORES,
    PIECE,
    Buffer,
    Digest,
    Hashed,
    Passed,
    blake3_hasher,
    fingerprint_hasher,
    hash_stream,
    unwatched,
)
from tallystick.files import reflink

_BUFFERS = 3
"""One is filled and hashed, one is written, one waits. They are reused: memory's first touch is slow."""


def copy_hashed(source: int, target: int, passed: Passed = unwatched, most: int | None = None) -> Hashed:
    """Copy an open file into another, empty one, and say what was written; `passed` hears of each piece.

    It ends once more than `most` bytes were read.
    """
    identity, change, size = blake3_hasher(ALL_CORES), fingerprint_hasher(), 0
    reading = direct.Input(source)
    with Writing(target, direct.ROOM if reading.is_direct else PIECE) as writing:
        while count := reading.readinto(room := writing.room()):
            writing.write(room, count)
            piece = room[:count]
            identity.update(piece)
            change.update(piece)
            size += count
            passed(count)
            if most is not None and size > most:
                break
    return Hashed(Digest(identity.digest()), change.digest(), size)


def clone_hashed(
    source: int, target: int, passed: Passed = unwatched, *, sealed: bool = False
) -> Hashed | None:
    """Share an open file's blocks with another, new one, and say what that holds; None where it can't be.

    The clone's bytes are in nobody's memory yet. The source's often are, and a source that looks as it did
    before it was cloned has them still, if it is older than the new file by the file system's own clock, so
    that any change would show, or `sealed`: nobody writes to it.
    """
    before, now = os.fstat(source), os.fstat(target).st_ctime_ns
    if not reflink(source, target):
        return None
    with open(source, "rb", buffering=0, closefd=False) as file:
        if sealed or max(before.st_mtime_ns, before.st_ctime_ns) < now:
            hashed = hash_stream(file, passed, before.st_size)
            if hashed.size == before.st_size and _look(os.fstat(source)) == _look(before):
                return hashed
    with open(target, "rb", buffering=0, closefd=False) as file:
        return hash_stream(file, passed)


def _look(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class Writing:
    """A thread that fills an empty file in order; leaving the block waits for it, and raises what it met."""

    def __init__(self, target: int, size: int = direct.ROOM) -> None:
        self._target = direct.Output(target)
        self._size = size
        self._gathered: tuple[memoryview, int] | None = None
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._error: OSError | None = None
        self._made = 0
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._gathered is not None:
            self.write(*self._gathered)
        self._full.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def room(self) -> memoryview:
        """A buffer that nobody uses any more."""
        if self._made < _BUFFERS:
            self._made += 1
            return memory.room(self._size)
        room = self._free.get()
        if self._error is not None:
            raise self._error
        return room

    def write(self, room: memoryview, count: int) -> None:
        """Write the start of a buffer; until the next one is asked for, it may be read."""
        self._full.put((room, count))

    def take(self, data: Buffer) -> None:
        """Write bytes of any length, gathered in such buffers."""
        view = memoryview(data)
        while view:
            room, filled = self._gathered or (self.room(), 0)
            count = min(len(view), len(room) - filled)
            room[filled : filled + count] = view[:count]
            view, filled = view[count:], filled + count
            self._gathered = (room, filled)
            if filled == len(room):
                self.write(room, filled)
                self._gathered = None

    def _work(self) -> None:
        while (handed := self._full.get()) is not None:
            room, count = handed
            try:
                if self._error is None:
                    self._target.write(room[:count])
            except OSError as error:
                self._error = error
            self._free.put(room)
