"""What is known of stored files that the worktree shares: somebody may have edited them in place."""

import os
import struct
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from tallystick.digest import Digest
from tallystick.files import write_atomic

_NOTE = struct.Struct("<qqQ")


class Shared:
    """Notes of how shared files looked when they were last read; one that looks otherwise is read again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, digest: Digest, status: os.stat_result) -> None:
        """Write down how a file looks that is about to be shared, or was just found to be whole."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self._folder / digest.hex(), _look(status))
        self._names.add(digest.hex())

    def forget(self, digest: Digest) -> None:
        """The file is gone."""
        (self._folder / digest.hex()).unlink(missing_ok=True)
        self._names.discard(digest.hex())

    def is_changed(self, digest: Digest, status: os.stat_result) -> bool:
        """Whether a file is shared, and does not look as it did."""
        if digest.hex() not in self._names and status.st_nlink == 1:
            return False
        with suppress(OSError):
            return (self._folder / digest.hex()).read_bytes() != _look(status)
        return True

    def listed(self) -> list[Digest]:
        """All files that there are notes of."""
        return [Digest(bytes.fromhex(name)) for name in self._names if len(name) == 64]

    @cached_property
    def _names(self) -> set[str]:
        with suppress(OSError):
            return set(os.listdir(self._folder))
        return set()


def _look(status: os.stat_result) -> bytes:
    """Writing to a file changes its mtime; its ctime changes with every name it gets or loses."""
    return _NOTE.pack(status.st_size, status.st_mtime_ns, status.st_ino)
