"""What a writer needs of the store it writes to."""

import os
from pathlib import Path
from typing import Protocol

from tallystick.digest import Digest


class Shelf(Protocol):
    """What a writer needs of the store it writes to."""

    objects: Path
    packs: Path
    shares: bool
    copied: int

    def note_shared(self, digest: Digest, status: os.stat_result) -> None:
        """Remember how a file looks that has a name in the worktree too."""

    def is_packed(self, digest: Digest) -> bool:
        """Whether a small blob is there already."""

    def is_whole(self, digest: Digest) -> bool:
        """Whether a large blob is there already."""

    def object_name(self, digest: Digest) -> Path:
        """Where a large blob goes."""
