"""Move what a command is about to write out of its way, and back if the command fails."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

from tallystick.files import temporary_name, translated, write_atomic
from tallystick.frozen import dataclass
from tallystick.worktree.folders import Folders

_CONTENT = "content"
_PATH = "path"


@dataclass(frozen=True, slots=True)
class Aside:
    """A file or folder that was moved away from its path."""

    path: str
    place: Path

    @property
    def content(self) -> Path:
        """Where its bytes are meanwhile."""
        return self.place / _CONTENT


def move_aside(root: Path, home: Path, path: str) -> Aside | None:
    """Move what stands at a path into a folder of its own below `home`; None if nothing does."""
    name = os.fsencode(path)
    with translated(path), Folders(root) as folders:
        if folders.look(name) is None:
            return None
        aside = Aside(path, home / temporary_name())
        # The path is written down first: after a crash it tells where the bytes belong.
        write_atomic(aside.place / _PATH, name)
        try:
            folder, last = folders.around(name)
            os.rename(last, aside.content, src_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                discard(aside)
                raise
            shutil.move(root / path, aside.content)
    return aside


def restore(root: Path, aside: Aside) -> bool:
    """Put it back unless something stands at its path now; say whether it was put back."""
    name = os.fsencode(aside.path)
    with translated(aside.path), Folders(root) as folders:
        if folders.look(name) is not None:
            return False
        folder, last = folders.around(name, make=True)
        try:
            os.rename(aside.content, last, dst_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(aside.content, root / aside.path)
    discard(aside)
    return True


def discard(aside: Aside) -> None:
    """Delete it for good."""
    shutil.rmtree(aside.place, ignore_errors=True)


def leftovers(home: Path) -> list[Aside]:
    """What was moved aside and neither put back nor deleted, because its process died or still runs."""
    found = []
    for place in sorted(home.iterdir()) if home.is_dir() else []:
        with contextlib.suppress(OSError):
            if os.path.lexists(place / _CONTENT):
                found.append(Aside(os.fsdecode((place / _PATH).read_bytes()), place))
    return found
