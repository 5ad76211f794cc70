"""A file to be sent from where it is: here, or wherever a URL leads."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from tallystick.errors import Refused
from tallystick.files import translated
from tallystick.store.backends import open_url


class Source(NamedTuple):
    """An open file: its own name, its bytes, how many they are where that is known."""

    name: str
    file: BinaryIO
    size: int | None
    executable: bool = False


@contextmanager
def opened(place: str) -> Iterator[Source]:
    """Open the file of a path or URL; raise Refused at the end if it was changed while it was read."""
    if "://" in place:
        with open_url(place) as (name, file, size):
            yield Source(name, file, size)
        return
    if os.path.isdir(place):
        raise Refused(f"`{place}` is a folder", hint="`tally add` stores it here, `tally push` sends it")
    with translated(place), open(place, "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise Refused(f"`{place}` is not a file")
        yield Source(os.path.basename(place), file, before.st_size, bool(before.st_mode & stat.S_IXUSR))
        if _moment(os.stat(place)) != _moment(before):
            raise Refused(f"`{place}` was changed while it was read", hint="add it again")


def _moment(status: os.stat_result) -> tuple[int, ...]:
    """What changes whenever a file does."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev
