"""Read and write large files past the system's cache: to fill that takes longer than all else about them."""

import errno
import fcntl
import os

from tallystick import memory

ENOUGH = 32 << 20
"""Bytes of a file that are left to the cache: smaller files gain nothing, and are often read again soon."""

ROOM = 4 << 20
"""Bytes at a time, all of which the disk has taken or given before the next: few would make it wait."""

_BLOCK = 4096
"""Where pieces begin and end in memory and in the file; no disk has larger blocks."""

_SAMPLES = 8
_FLAG: int = getattr(os, "O_DIRECT", 0)
_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)


class Input:
    """Reads an open file from its start; past the cache if it is large and not in there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        size = os.fstat(descriptor).st_size
        self.is_direct = size > ENOUGH and not _is_cached(descriptor, size) and _bypass(descriptor, True)
        """Whether it goes past the cache: rooms are to begin with a page then, and to be of `ROOM` bytes."""

    def readinto(self, room: memoryview, /) -> int:
        """Fill a room from its start; say how many bytes, 0 at the end."""
        try:
            return os.readv(self._descriptor, [room])
        except OSError as error:
            if error.errno != errno.EINVAL or not self.is_direct:
                raise
        # Some file systems take the flag, and then nothing.
        self.is_direct = _bypass(self._descriptor, False)
        return os.readv(self._descriptor, [room])


class Output:
    """Writes an open, empty file; past the cache from where it turns out to be large."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_direct, self._may = False, bool(_FLAG)
        self._size = 0

    def write(self, data: memoryview) -> None:
        """Append all of these bytes, which begin with a page of memory."""
        whole = len(data) - len(data) % _BLOCK
        for part in (data[:whole], data[whole:]) if self._size >= ENOUGH else (data,):
            self._turn(self._size >= ENOUGH and not (self._size | len(part)) % _BLOCK)
            done = 0
            while done < len(part):
                done += self._write(part[done:])
            self._size += done

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._is_direct:
                raise
        # Some file systems take the flag, and then nothing; and no rest of a block, where one took a part.
        self._turn(False)
        self._may = False
        return os.write(self._descriptor, data)

    def _turn(self, direct: bool) -> None:
        if self._may and direct != self._is_direct:
            self._is_direct = _bypass(self._descriptor, direct)
            self._may = self._is_direct == direct


def _bypass(descriptor: int, wanted: bool) -> bool:
    """Go past the cache from now on, or through it; say whether it is the former."""
    if not _FLAG:
        return False
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _FLAG if wanted else flags & ~_FLAG)
    except OSError:
        return False
    return wanted


def _is_cached(descriptor: int, size: int) -> bool:
    """Whether most of a file is in memory already, going by a few places; where nobody can tell, it is."""
    if not _NOWAIT:
        return True
    room, found = memory.room(1), 0
    for number in range(_SAMPLES):
        try:
            found += os.preadv(descriptor, [room], number * size // _SAMPLES, _NOWAIT)
        except BlockingIOError:
            pass
        except OSError:
            return True
    return found * 2 > _SAMPLES
