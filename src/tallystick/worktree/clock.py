"""The file system's own time, by which it is told whether a file may have changed unseen."""

import os
import time
from pathlib import Path

from tallystick.files import temporary_name

COARSE = 2_000_000_000
"""Nanoseconds by which the clock of another file system may be off, or coarse."""

FRESH = 0.05
"""Seconds for which one look serves: to ask anew for each of many paths would cost more than the paths."""


class Clock:
    """Tells times as a file that is made in a folder of ours gets them; always in the same folder."""

    def __init__(self) -> None:
        self._asked = -FRESH
        self._status: os.stat_result | None = None

    def before(self, folder: Path | str, place: str) -> int:
        """A time just over: what changed at a place since then may change again without showing it."""
        if self._status is None or time.monotonic() - self._asked > FRESH:
            return self.now(folder, place)
        return self._told(place, self._status)

    def now(self, folder: Path | str, place: str) -> int:
        """The present time at a place."""
        self._asked = time.monotonic()
        try:
            self._status = _touch(folder)
        except OSError:
            return time.time_ns() - COARSE
        return self._told(place, self._status)

    def _told(self, place: str, status: os.stat_result) -> int:
        try:
            same = status.st_dev == os.lstat(place).st_dev
        except OSError:
            return time.time_ns() - COARSE
        return status.st_mtime_ns if same else status.st_mtime_ns - COARSE


def _touch(folder: Path | str) -> os.stat_result:
    """What the system says of a file that was made just now."""
    file = Path(folder) / temporary_name()
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
        file.unlink()
