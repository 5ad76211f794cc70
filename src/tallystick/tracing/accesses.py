"""What a command touched, and which of it lies in the project without being declared: pure."""

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence

from tallystick.frozen import dataclass
from tallystick.patterns import regex

MOST = 1000
"""Paths of each kind that are listed; more of them are only counted."""

_CACHED = regex(r"(?P<folder>.*/|)__pycache__/(?P<name>[^/.]+)\.[^/]*\.pyc")
_GITS = {".gitignore", ".gitattributes", ".gitmodules"}
_OURS = {"tally.yaml", ".tallyconfig", "environment.lock"}
_POINTER = ".tally"


@dataclass(frozen=True, slots=True)
class Access:
    """A file that was opened, by its absolute path."""

    path: str
    write: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """What a command may touch in a project, relative to `root`: what it reads, what it makes.

    `apart` are folders that are no part of the project's work: virtual environments, records of ours.
    """

    root: str
    cwd: str = ""
    reads: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undeclared:
    """Paths in the project that a command read or wrote undeclared; `more` were too many to be listed.

    `changed` changed meanwhile where it was free to write, by its doing or somebody else's.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    more: int = 0
    changed: tuple[str, ...] = ()


def undeclared(accesses: Iterable[Access], scope: Scope, is_there: Callable[[str], bool]) -> Undeclared:
    """What was touched undeclared, in the order of names; `is_there` tells which files are left at the end.

    A file that the command wrote before it read it is its own work; one that is gone was of use only to it.
    """
    readable, writable = {*scope.reads, *scope.makes, *scope.apart}, {*scope.makes, *scope.apart}
    reads: set[str] = set()
    writes: set[str] = set()
    for access in accesses:
        path = _meant(access, scope.root)
        if path is None or path in writes:
            continue
        if not within(path, writable if access.write else readable):
            (writes if access.write else reads).add(path)
    reads, writes = set(filter(is_there, reads)), set(filter(is_there, writes))
    more = max(0, len(reads) - MOST) + max(0, len(writes) - MOST)
    return Undeclared(tuple(sorted(reads)[:MOST]), tuple(sorted(writes)[:MOST]), more)


def _meant(access: Access, root: str) -> str | None:
    """The path in the project that an access is about; None where it is about none."""
    path = inside(access.path, root)
    if path is None:
        return None
    cached = _CACHED.fullmatch(path)
    if cached is not None and not access.write:
        path = f"{cached['folder']}{cached['name']}.py"
    parts = path.split("/")
    if ".git" in parts or "__pycache__" in parts or parts[-1] in _GITS | _OURS:
        return None
    return None if path.endswith(_POINTER) else path


def inside(path: str, root: str) -> str | None:
    """An absolute path as seen from the root; None for the root itself and what lies elsewhere."""
    plain = posixpath.normpath(path)
    return plain[len(root) + 1 :] if plain.startswith(f"{root}/") and len(plain) > len(root) + 1 else None


def within(path: str, folders: set[str]) -> bool:
    """Whether a path is one of some, or lies in one."""
    while path:
        if path in folders:
            return True
        path = posixpath.dirname(path)
    return "" in folders


def noted(files: Sequence[bytes]) -> Iterator[Access]:
    """The accesses that the audit hook noted in several processes, in the order in which they happened."""
    notes = []
    for data in files:
        # The last piece is what a killed process had not written to its end.
        for note in data.split(b"\0")[:-1]:
            moment, kind, name = note.split(b" ", 2)
            notes.append((int(moment), kind == b"W", os.fsdecode(name)))
    return (Access(name, write) for _, write, name in sorted(notes))
