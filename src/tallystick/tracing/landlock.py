"""What Landlock lets a command touch: its rules, worked out before the command starts."""

import ctypes
import os
import posixpath
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tallystick.frozen import dataclass
from tallystick.tracing.accesses import Scope

CREATE_RULESET = 444
ASK_VERSION = 1

EXECUTE, WRITE, READ = 1 << 0, 1 << 1, 1 << 2
REMOVE_FOLDER, REMOVE_FILE = 1 << 4, 1 << 5
MAKE = sum(1 << bit for bit in range(6, 13))
"""Files, folders, links, sockets, pipes, devices."""

REFER, TRUNCATE = 1 << 13, 1 << 14

LOOK = EXECUTE | READ
CHANGE = WRITE | REMOVE_FOLDER | REMOVE_FILE | MAKE | REFER | TRUNCATE
ALL = LOOK | CHANGE
"""Listing a folder is not among them: to see a name is not to read what it stands for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A path and what may be done with it, and with all below it if it is a folder."""

    path: str
    rights: int


def version() -> int:
    """Which version of Landlock the kernel has; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    library = ctypes.CDLL(None)
    answer = int(library.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION)))
    return max(answer, 0)


def handled(version: int) -> int:
    """The rights that a version of Landlock knows."""
    known = ALL
    if version < 2:
        known &= ~REFER
    return known if version >= 3 else known & ~TRUNCATE


def rules(scope: Scope, open_folders: Iterable[str]) -> Iterator[Rule]:
    """Everything outside of the project, and of the project what is declared.

    Landlock only knows what is allowed, with all below it. So each folder on the way to the project
    is left out itself, and what else lies in it is allowed entry by entry.
    """
    yield from (Rule(path, ALL) for path in _beside(scope.root))
    yield from (Rule(path, ALL) for path in open_folders)
    for path in scope.reads:
        yield Rule(posixpath.join(scope.root, path), LOOK)
    for path in (".git", *scope.apart):
        yield Rule(posixpath.join(scope.root, path), ALL)
    for path in scope.makes:
        yield from _making(path, scope)


def _beside(root: str) -> Iterator[str]:
    """What lies beside the project and beside each folder above it; links lead to what has a rule itself."""
    inner = Path(root)
    for outer in inner.parents:
        # Who may pass through a folder need not be allowed to list it; then nothing there is allowed.
        with suppress(PermissionError), os.scandir(outer) as entries:
            yield from (
                entry.path for entry in entries if entry.name != inner.name and not entry.is_symlink()
            )
        inner = outer


def _making(path: str, scope: Scope) -> Iterator[Rule]:
    """What it takes to make an out that is not there yet: the folder around it is open to writing.

    It is open to reading as well where only outs lie in it, so that a command can read what it made.
    """
    folder = posixpath.dirname(path)
    shared = not folder or any(f"{read}/".startswith(f"{folder}/") for read in scope.reads)
    yield Rule(posixpath.join(scope.root, folder), CHANGE if shared else ALL)
    yield Rule(posixpath.join(scope.root, path), ALL)
