"""What Landlock lets a command touch of its project: rules, worked out before the command starts."""

import os
import posixpath
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tallystick.landlock import ALL, CHANGE, LOOK, Rule
from tallystick.tracing.accesses import Scope

MOST_LOOKED_AT = 50_000
"""So many files and folders are looked at after a run, a tenth of a second."""


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


def changed(scope: Scope, since: int) -> list[str]:
    """Files that changed after a moment in the folders that are open for outs, among the first in them.

    The kernel lets anything be written there, by programs too that nothing listens to. By whom, nobody knows.
    """
    found: list[str] = []
    seen, closed = 0, {".git", *scope.apart, *scope.makes}
    folders = [*dict.fromkeys(map(posixpath.dirname, scope.makes))]
    while folders:
        folder = folders.pop()
        closed.add(folder)
        with suppress(OSError), os.scandir(posixpath.join(scope.root, folder)) as entries:
            for entry in entries:
                path, seen = posixpath.join(folder, entry.name), seen + 1
                if seen > MOST_LOOKED_AT:
                    return found
                if path in closed:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.stat(follow_symlinks=False).st_ctime_ns > since:
                    found.append(path)
    return found


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
