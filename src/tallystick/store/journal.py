"""What an interrupted push has sent already, so that the next one need not send it again."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.files import write_atomic
from tallystick.store import index as indexes
from tallystick.store.index import Index, PackName
from tallystick.store.pack import Entry

Packed = tuple[PackName, Sequence[Entry]]


class Journal:
    """One small index for each pack that is on the remote while no index there names it yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def note(self, packed: Packed) -> None:
        """A pack's upload has been confirmed."""
        write_atomic(self.folder / f"{packed[0].digest.hex()}.idx", indexes.build([packed], {}))

    def packs(self) -> list[Packed]:
        """All that is noted; whether it is still on the remote is for the caller to ask."""
        found: list[Packed] = []
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.folder)):
                with suppress(BadRecord, FileNotFoundError):
                    index = Index((self.folder / name).read_bytes(), name)
                    found.extend((pack, list(index.entries(pack.digest))) for pack in index.packs)
        return found

    def forget(self, packs: Sequence[Digest]) -> None:
        """These packs are named by an index on the remote, or gone."""
        for digest in packs:
            (self.folder / f"{digest.hex()}.idx").unlink(missing_ok=True)
