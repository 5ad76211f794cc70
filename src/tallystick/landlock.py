"""Landlock, by which a process gives up rights to files for good: what there is to give up, and for whom."""

import ctypes
import sys
from pathlib import Path

from tallystick.frozen import dataclass

LAUNCHER = Path(__file__).parent / "launcher.py"
"""A script that obeys rules, then becomes the program."""

CREATE_RULESET = 444
ASK_VERSION = 1

EXECUTE, WRITE, READ = 1 << 0, 1 << 1, 1 << 2
REMOVE_FOLDER, REMOVE_FILE = 1 << 4, 1 << 5
MAKE = sum(1 << bit for bit in range(6, 13))
"""Files, folders, links, sockets, pipes, devices."""

LIST = 1 << 3
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


def handled(version: int, rights: int = ALL) -> int:
    """Those of some rights that a version of Landlock knows."""
    known = rights
    if version < 2:
        known &= ~REFER
    return known if version >= 3 else known & ~TRUNCATE
