"""A folder for what is not finished yet, on the same file system as its destination."""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallystick.files import TEMPORARY, temporary_name
from tallystick.worktree.folders import FOLDER

_YOUNG = 60.0
"""Seconds for which a folder without a lock is taken for one that is just being made."""


@contextmanager
def staging(home: Path, beside: int) -> Iterator[int]:
    """An open, empty folder in `home`, or in the open folder `beside` if that is on another file system."""
    home.mkdir(parents=True, exist_ok=True)
    above = os.open(home, FOLDER)
    try:
        _remove_stale(above)
        name = temporary_name()
        os.mkdir(name, 0o700, dir_fd=above)
        if not _can_move(name, above, beside):
            os.rmdir(name, dir_fd=above)
            os.dup2(beside, above, inheritable=False)
            _remove_stale(above)
            os.mkdir(name, 0o700, dir_fd=above)
        descriptor = os.open(name, FOLDER, dir_fd=above)
        try:
            # The lock says that we live; the kernel lets go of it when we die.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)
            shutil.rmtree(name, ignore_errors=True, dir_fd=above)
    finally:
        os.close(above)


def _can_move(name: str, above: int, beside: int) -> bool:
    """Try it: two mounts of one file system look alike, and yet nothing can be renamed between them."""
    try:
        os.rename(name, name, src_dir_fd=above, dst_dir_fd=beside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    os.rename(name, name, src_dir_fd=beside, dst_dir_fd=above)
    return True


def _remove_stale(above: int) -> None:
    """Delete what killed processes left unfinished."""
    for name in os.listdir(above):
        if name.startswith(TEMPORARY):
            with contextlib.suppress(OSError):
                if _is_stale(above, name):
                    shutil.rmtree(name, ignore_errors=True, dir_fd=above)


def _is_stale(above: int, name: str) -> bool:
    """Whether nobody holds a folder's lock; raises OSError for what is no folder."""
    descriptor = os.open(name, FOLDER, dir_fd=above)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return time.time() - os.fstat(descriptor).st_mtime > _YOUNG
    finally:
        os.close(descriptor)
