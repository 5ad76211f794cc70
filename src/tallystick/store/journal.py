"""What an interrupted push has sent already, so that the next one need not send it again."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tallystick.digest import Digest
from tallystick.files import translated

_FORMER = ".idx"
"""Notes were indexes once; what they say stands in the packs as well."""


class Journal:
    """One empty file for each pack that is on the remote while no index there names it yet.

    The name is all that counts: a note that a crash takes costs an upload, and none can be half written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def note(self, pack: Digest) -> None:
        """A pack's upload has been confirmed."""
        with translated(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / pack.hex()).touch()

    def packs(self) -> list[Digest]:
        """All that is noted; whether it is still on the remote is for the caller to ask."""
        with suppress(FileNotFoundError, ValueError):
            names = (name.removesuffix(_FORMER) for name in os.listdir(self.folder))
            return sorted(Digest(bytes.fromhex(name)) for name in names if len(name) == 64)
        return []

    def forget(self, packs: Iterable[Digest]) -> None:
        """These packs are named by an index on the remote, or gone."""
        for pack in packs:
            for name in (pack.hex(), f"{pack.hex()}{_FORMER}"):
                (self.folder / name).unlink(missing_ok=True)
