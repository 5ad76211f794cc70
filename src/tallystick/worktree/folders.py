"""Walk a worktree through open folders, so that no path leads out of it over a symbolic link (rule P3)."""

import errno
import os
from collections import OrderedDict
from types import TracebackType
from typing import Self

from tallystick.errors import Refused

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_OPEN = 128


class Folders:
    """Folders below an open one, each part of a path opened without following links.

    With `others` other repositories, as submodules are, may be looked into; nothing is written there.
    """

    def __init__(self, root: int | str | bytes | os.PathLike[str], *, others: bool = False) -> None:
        self._others = others
        self._root = os.dup(root) if isinstance(root, int) else os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every folder."""
        for descriptor in (*self._open.values(), self._root):
            os.close(descriptor)
        self._open.clear()

    def at(self, path: bytes, *, make: bool = False) -> int:
        """The descriptor of a folder, valid until the next call; raise FileNotFoundError unless `make`.

        Raises Refused where a part is a link, something else than a folder, or another git repository.
        """
        descriptor = self._open.get(path)
        if descriptor is not None:
            self._open.move_to_end(path)
            return descriptor
        if not path:
            return self._root
        parent, _, name = path.rpartition(b"/")
        above = self.at(parent, make=make)
        descriptor = _enter(above, name, path, make=make, others=self._others)
        self._open[path] = descriptor
        if len(self._open) > MOST_OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    def around(self, path: bytes, *, make: bool = False) -> tuple[int, bytes]:
        """The descriptor of the folder that a path stands in, and its name there."""
        parent, _, name = path.rpartition(b"/")
        return self.at(parent, make=make), name

    def remove(self, path: bytes) -> bool:
        """Delete a folder if it is empty; say whether it is gone."""
        for known in [known for known in self._open if known == path or known.startswith(path + b"/")]:
            os.close(self._open.pop(known))
        try:
            folder, name = self.around(path)
            os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                return False
            raise
        return True

    def look(self, path: bytes) -> os.stat_result | None:
        """What stands at a path, itself a link or not; None for nothing."""
        try:
            folder, name = self.around(path)
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None


def _enter(above: int, name: bytes, path: bytes, *, make: bool, others: bool) -> int:
    """Open one folder inside another, making it if wanted."""
    try:
        try:
            descriptor = os.open(name, FOLDER, dir_fd=above)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(name, dir_fd=above)
            return os.open(name, FOLDER, dir_fd=above)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Refused(f"`{shown(path)}` is a link or a file where a folder is needed") from error
        raise
    if not others and _exists(descriptor, b".git"):
        os.close(descriptor)
        raise Refused(f"`{shown(path)}` is another git repository")
    return descriptor


def _exists(folder: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def shown(path: bytes) -> str:
    """A path for a message: readable, whatever its bytes."""
    return path.decode("utf-8", "backslashreplace").replace("\n", "\\n")
