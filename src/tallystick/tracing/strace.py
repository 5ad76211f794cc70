"""Read strace's account of a command: which files it and its children opened, exactly."""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tallystick.patterns import regex
from tallystick.tracing.accesses import Access

CALLS = (
    "open", "openat", "openat2", "creat", "execve", "execveat", "rename", "renameat", "renameat2",
    "link", "linkat", "symlink", "symlinkat", "truncate", "unlink", "unlinkat",
    "chdir", "fchdir", "clone", "clone3", "fork", "vfork",
)  # fmt: skip
"""The system calls that are looked at; a question mark lets machines lack the old ones."""

OPTIONS = ("-f", "-qq", "-y", "-xx", "-e", "signal=none", "-e", "trace=" + ",".join(f"?{c}" for c in CALLS))

_LINE = regex(r"(\d+) +(.*)")
_RESUMED = regex(r"<\.\.\. \w+ resumed>(.*)")
_UNFINISHED = " <unfinished ...>"
_CALL = regex(r"(\w+)\((.*)\) += (-?\d+|\?)(?:<([^>]*)>)?.*")
_TEXT = regex(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = regex(r"(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>")
_HERE = regex(r"AT_FDCWD<((?:\\x[0-9a-f]{2})*)>")
_WRITES = regex(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
_OPENS = {"open", "openat", "openat2", "creat"}
_NAMES = {"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"}
_FORKS = {"clone", "clone3", "fork", "vfork"}


@dataclass(slots=True)
class _Folder:
    """The folder that a process works in; threads share one."""

    path: str


@dataclass(slots=True)
class _Account:
    """What is known so far of every process."""

    start: str
    unfinished: dict[str, str] = field(default_factory=dict)
    folders: dict[str, _Folder] = field(default_factory=dict)

    def folder(self, process: str) -> _Folder:
        return self.folders.setdefault(process, _Folder(self.start))


def accesses(lines: Iterable[str], start: str) -> Iterator[Access]:
    """The files that were opened, run, or got their name, in order; `start` is the first process's folder.

    Calls that failed are left out, and so are lines that make no sense.
    """
    account = _Account(start)
    for line in lines:
        found = _LINE.fullmatch(line.rstrip("\n"))
        if found is None:
            continue
        process, text = found.groups()
        if text.endswith(_UNFINISHED):
            account.unfinished[process] = text.removesuffix(_UNFINISHED)
            continue
        resumed = _RESUMED.fullmatch(text)
        if resumed is not None:
            text = account.unfinished.pop(process, "") + resumed[1]
        call = _CALL.fullmatch(text)
        if call is not None and not call[3].startswith(("-", "?")):
            yield from _accesses(account, process, call)


def _accesses(account: _Account, process: str, call: re.Match[str]) -> Iterator[Access]:
    """What one call that succeeded says."""
    name, arguments, result, opened = call.groups()
    folder = account.folder(process)
    if here := _HERE.search(arguments):
        folder.path = _decoded(here[1])
    if name in _FORKS:
        shared = "CLONE_FS" in arguments
        account.folders[result] = folder if shared else _Folder(folder.path)
    elif name == "chdir":
        folder.path = _at(folder.path, arguments, 0)
    elif name == "fchdir" and (place := _PLACE.search(arguments)):
        folder.path = _decoded(place[1])
    elif name in _OPENS and "O_DIRECTORY" not in arguments and "O_PATH" not in arguments:
        path = _decoded(opened) if opened else _at(folder.path, arguments, 0)
        yield Access(path, name == "creat" or _WRITES.search(arguments) is not None)
    elif name in ("execve", "execveat"):
        yield Access(_at(folder.path, arguments, 0))
    elif name == "truncate":
        yield Access(_at(folder.path, arguments, 0), write=True)
    elif name in _NAMES:
        yield Access(_at(folder.path, arguments, 1), write=True)


def _at(folder: str, arguments: str, which: int) -> str:
    """A path among a call's arguments, seen from the descriptor before it or the process's folder."""
    texts = list(_TEXT.finditer(arguments))
    if len(texts) <= which:
        return folder
    text = texts[which]
    before = arguments[texts[which - 1].end() if which else 0 : text.start()]
    place = _PLACE.search(before)
    path = os.fsdecode(_bytes(text[1]))
    return posixpath.normpath(posixpath.join(_decoded(place[1]) if place else folder, path))


def _decoded(text: str) -> str:
    return os.fsdecode(_bytes(text))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
