"""Read users' files without the system noting when: of a small file that takes half as long as reading it."""

import os

UNNOTED: int = getattr(os, "O_NOATIME", 0)


def opened(path: bytes | str, flags: int, folder: int | None = None) -> int:
    """Open a file for reading; it is noted all the same where the file is somebody else's."""
    try:
        return os.open(path, flags | UNNOTED, dir_fd=folder)
    except PermissionError:
        return os.open(path, flags, dir_fd=folder)
