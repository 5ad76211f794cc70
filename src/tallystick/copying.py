"""Copy a large file and hash it meanwhile: one thread writes what the other one has read."""

import os
import threading
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from tallystick.digest import PIECE, Digest, Hashed, Passed, blake3_hasher, fingerprint_hasher, unwatched

_BUFFERS = 3
"""One is filled and hashed, one is written, one waits. They are reused: memory's first touch is slow."""


def copy_hashed(source: int, target: int, passed: Passed = unwatched) -> Hashed:
    """Copy an open file into another, empty one, and say what was written; `passed` hears of each piece."""
    identity, change, size = blake3_hasher(), fingerprint_hasher(), 0
    with open(source, "rb", buffering=0, closefd=False) as file, _Writing(target) as writing:
        while count := file.readinto(room := writing.room()):
            writing.write(room, count)
            piece = room[:count]
            identity.update(piece)
            change.update(piece)
            size += count
            passed(count)
    return Hashed(Digest(identity.digest()), change.digest(), size)


class _Writing:
    """A thread that writes pieces in order; leaving the block waits for it, and raises what it met."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        for _ in range(_BUFFERS):
            self._free.put(memoryview(bytearray(PIECE)))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._full.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def room(self) -> memoryview:
        """A buffer that nobody uses any more."""
        room = self._free.get()
        if self._error is not None:
            raise self._error
        return room

    def write(self, room: memoryview, count: int) -> None:
        """Write the start of a buffer; until the next one is asked for, it may be read."""
        self._full.put((room, count))

    def _work(self) -> None:
        while (handed := self._full.get()) is not None:
            room, count = handed
            left = room[:count]
            try:
                while left and self._error is None:
                    left = left[os.write(self._target, left) :]
            except OSError as error:
                self._error = error
            self._free.put(room)
