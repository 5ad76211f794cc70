"""Damaged bytes that came from a remote, kept so that somebody can find out what happened to them."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tallystick.digest import Digest
from tallystick.errors import TallyError
from tallystick.files import write_atomic

LIMIT = 64 << 20
"""Bytes that are kept at most; a remote that is damaged all over must not fill the disk."""

SUFFIX = ".received"


class Damaged(NamedTuple):
    """Bytes that came from `source` for a blob, and hash to something else; None if nothing came."""

    digest: Digest
    got: Digest | None
    source: str
    stored: bytes

    def __str__(self) -> str:
        return f"for {self.digest} came {self.got or 'nothing that makes it'} from {self.source}"


class Quarantine:
    """A folder for what nobody may use any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, damaged: Iterable[Damaged]) -> list[Path]:
        """Keep as many of these as there is room for; say where."""
        kept = []
        left = LIMIT - sum(self.received().values())
        for one in damaged:
            if one.got is None or not one.stored:
                continue
            path = self.folder / f"{one.digest.hex()}.{one.got.hex()}{SUFFIX}"
            left -= len(one.stored)
            if left < 0:
                break
            # What can't be kept is no reason to fail otherwise than the damage itself.
            with suppress(TallyError, OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                write_atomic(path, one.stored, 0o444)
                kept.append(path)
        return kept

    def received(self) -> dict[str, int]:
        """What came damaged from remotes, with sizes."""
        return {name: size for name, size in self.listed().items() if name.endswith(SUFFIX)}

    def listed(self) -> dict[str, int]:
        """All that lies here, with sizes: packs and large blobs of the local store among it."""
        try:
            with os.scandir(self.folder) as entries:
                return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
        except FileNotFoundError:
            return {}
