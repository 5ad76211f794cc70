"""Tell whether files and folders are as they were when somebody last looked into them."""

import os
import time
from collections.abc import Iterable
from typing import Any

SETTLED = 2.0
"""Seconds since the last change: right after one, another could leave the same time behind."""

Stamp = list[Any]


def stamp(path: str) -> Stamp:
    """What would differ if a file or folder had changed; its path alone if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return [path]
    return [path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]


def is_settled(stamps: Iterable[Stamp]) -> bool:
    """Whether nothing of this could have changed unseen since it was stamped."""
    newest = max((each[1] for each in stamps if len(each) > 1), default=0)
    return newest < (time.time() - SETTLED) * 1e9
