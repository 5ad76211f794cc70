"""Ask about many paths at once: a folder that many of them lie in is listed instead."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

LISTED = 500
"""So many paths in one folder are worth a list of all that lies in it."""


def links(root: str, paths: Iterable[str]) -> Iterator[str]:
    """Those of some paths that are links."""
    for folder, names in _by_folder(paths).items():
        if len(names) < LISTED:
            yield from (path for name in names if os.path.islink(f"{root}/{(path := folder + name)}"))
            continue
        with suppress(OSError), os.scandir(f"{root}/{folder}") as entries:
            found = {entry.name for entry in entries if entry.is_symlink()}
            yield from (folder + name for name in names if name in found)


def missing(root: str, paths: Iterable[str]) -> set[str]:
    """Those of some paths at which nothing is, or a link that leads nowhere."""
    gone: set[str] = set()
    for folder, names in _by_folder(paths).items():
        there: set[str] = set()
        if len(names) >= LISTED:
            with suppress(OSError), os.scandir(f"{root}/{folder}") as entries:
                there = {entry.name for entry in entries if not entry.is_symlink()}
        left = (folder + name for name in names if name not in there)
        gone.update(path for path in left if not os.path.exists(f"{root}/{path}"))
    return gone


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    """The names of paths, by the folder that they lie in, which ends in a slash; the root is empty."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, slash, name = path.rpartition("/")
        folders.setdefault(folder + slash, []).append(name)
    return folders
