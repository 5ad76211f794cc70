"""Keep the `.gitignore` lines that hide tracked paths from git: a line each, or one for many of a kind."""

import os
from collections.abc import Iterable
from dataclasses import field
from functools import lru_cache
from pathlib import Path

from tallystick.errors import Refused
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.worktree.folders import Folders

FILE = ".gitignore"

MANY = 32
"""From so many tracked names of a kind in one folder on, one line hides the kind."""

MARK = b"# tally: every file of this kind has a pointer beside it"
"""Stands above each line of ours that hides a kind."""

_SPECIAL = regex(rb"[\\*?\[]")
_POINTER = b".tally"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One line that hides all names of a kind, and the names that git is to see nevertheless."""

    kind: bytes
    exceptions: list[bytes] = field(default_factory=list)

    def __bytes__(self) -> bytes:
        return b"".join(
            text + b"\n" for text in (MARK, self.kind, *(b"!" + text for text in self.exceptions))
        )


class _Folder:
    """The names in a folder, listed only if somebody asks: most changes don't need them."""

    def __init__(self, place: Path, more: Iterable[str] = (), less: Iterable[str] = ()) -> None:
        self._place = place
        self._more = {os.fsencode(name) for name in more}
        self._less = {os.fsencode(name) for name in less}
        self._listed: set[bytes] | None = None

    def names(self) -> set[bytes]:
        """All names, pointers among them."""
        if self._listed is None:
            self._listed = set(os.listdir(os.fsencode(self._place))) if self._place.is_dir() else set()
        return self._listed

    def tracked(self, kind: bytes) -> set[bytes]:
        """The names of a kind that have a pointer, or are about to."""
        pointed = {name.removesuffix(_POINTER) for name in self.names() if name.endswith(_POINTER)}
        return {name for name in (pointed | self._more) - self._less if kind_of(name) == kind}

    def others(self, kind: bytes) -> set[bytes]:
        """The names of a kind that stand here without a pointer."""
        return {name for name in self.names() if kind_of(name) == kind} - self.tracked(kind)


def update(root: Path, folder: str, add: Iterable[str], remove: Iterable[str]) -> Path | None:
    """Hide names in a folder and show others; return the file if it changed.

    Every line that isn't ours stays as it is, byte for byte.
    """
    file = root / folder / FILE
    with Folders(root) as folders:
        folders.at(os.fsencode(folder))
    if file.is_symlink():
        raise Refused(f"`{file.relative_to(root)}` is a symbolic link", hint="put a real file in its place")
    before = file.read_bytes() if file.exists() else b""
    hide, show = list(dict.fromkeys(add)), list(remove)
    lines = _shown(_parsed(before), show, _Folder(root / folder, less=show))
    lines = _hidden(lines, hide, _Folder(root / folder, more=hide))
    after = b"".join(map(bytes, lines))
    if after == before:
        return None
    if after:
        write_atomic(file, after)
    else:
        file.unlink()
    return file


def unpointed(root: Path, folder: str) -> list[str]:
    """The names in a folder that a line for their kind hides from git although no pointer tracks them."""
    file = root / folder / FILE
    rules = [one for one in _parsed(file.read_bytes()) if isinstance(one, _Rule)] if file.is_file() else []
    here = _Folder(root / folder)
    found = {
        os.fsdecode(name)
        for rule in rules
        for name in here.others(rule.kind)
        if line(os.fsdecode(name)) not in rule.exceptions
    }
    return sorted(found)


def line(name: str) -> bytes:
    """The line that hides exactly this name in its folder."""
    return b"/" + _literal(os.fsencode(name))


def kind_of(name: bytes) -> bytes | None:
    """The line that hides all names with the same ending, or, without one, of the same length."""
    if b"\n" in name or b"\r" in name:
        return None
    _, dot, ending = name.rpartition(b".")
    # No pattern for names without an ending may hide pointers, whose names have one.
    return _kind_ending(ending) if dot else b"/" + b"[!.]" * len(name)


@lru_cache
def _kind_ending(ending: bytes) -> bytes:
    """The line that hides all names with an ending: thousands of names share few."""
    return b"/*." + _literal(ending)


def _literal(name: bytes) -> bytes:
    """A name, or its end, as a pattern that means nothing else."""
    escaped = _SPECIAL.sub(rb"\\\g<0>", name)
    # A line can't hold its own end; a question mark stands for any one character.
    escaped = escaped.replace(b"\n", b"?").replace(b"\r", b"?")
    trailing = len(escaped) - len(escaped.rstrip(b" "))
    return escaped.rstrip(b" ") + b"\\ " * trailing


_Lines = list[bytes | _Rule]


def _parsed(text: bytes) -> _Lines:
    """The lines of a file, each with its end; ours for a kind as rules."""
    found: _Lines = []
    waiting = text.splitlines(keepends=True)[::-1]
    while waiting:
        one = waiting.pop()
        if one.rstrip(b"\r\n") != MARK or not waiting:
            found.append(one)
            continue
        rule = _Rule(waiting.pop().rstrip(b"\r\n"))
        while waiting and waiting[-1].startswith(b"!/"):
            rule.exceptions.append(waiting.pop().rstrip(b"\r\n")[1:])
        found.append(rule)
    return found


def _rules(lines: _Lines) -> dict[bytes | None, _Rule]:
    return {one.kind: one for one in lines if isinstance(one, _Rule)}


def _without(lines: _Lines, unwanted: set[bytes]) -> _Lines:
    return [one for one in lines if isinstance(one, _Rule) or one.rstrip(b"\r\n") not in unwanted]


def _shown(lines: _Lines, names: Iterable[str], here: _Folder) -> _Lines:
    """The lines after names are no longer hidden."""
    lines = _without(lines, {line(name) for name in names})
    rules = _rules(lines)
    touched: dict[bytes, _Rule] = {}
    for name in map(os.fsencode, names):
        rule = rules.get(kind_of(name))
        if rule is not None:
            touched[rule.kind] = rule
            if name in here.names() and line(os.fsdecode(name)) not in rule.exceptions:
                rule.exceptions.append(line(os.fsdecode(name)))
    for rule in touched.values():
        left = here.tracked(rule.kind)
        if len(left) < max(1, len(rule.exceptions)):
            # More is shown than hidden: a line for each that is left says it better.
            single = [line(os.fsdecode(one)) + b"\n" for one in sorted(left)]
            place = lines.index(rule)
            lines = [*lines[:place], *single, *lines[place + 1 :]]
    return lines


def _hidden(lines: _Lines, names: list[str], here: _Folder) -> _Lines:
    """The lines after names are hidden."""
    rules = _rules(lines)
    there = {one.rstrip(b"\r\n") for one in lines if not isinstance(one, _Rule)}
    fresh = []
    for name in names:
        rule = rules.get(kind_of(os.fsencode(name)))
        if rule is not None:
            rule.exceptions[:] = [text for text in rule.exceptions if text != line(name)]
        elif line(name) not in there:
            fresh.append(line(name))
    if fresh and lines and isinstance(lines[-1], bytes) and not lines[-1].endswith(b"\n"):
        lines = [*lines, b"\n"]
    lines = [*lines, *(text + b"\n" for text in fresh)]
    if len(lines) >= MANY and fresh:
        for kind in dict.fromkeys(kind_of(os.fsencode(name)) for name in names):
            if kind is not None:
                lines = _gathered(lines, kind, here)
    return lines


def _gathered(lines: _Lines, kind: bytes, here: _Folder) -> _Lines:
    """The lines with one for a whole kind, if many names of it are tracked here and no others stand here."""
    single = {line(os.fsdecode(name)) for name in here.tracked(kind)}
    places = [
        number for number, one in enumerate(lines) if isinstance(one, bytes) and one.rstrip(b"\r\n") in single
    ]
    if len(places) < MANY or here.others(kind):
        return lines
    first = places[0]
    return [*lines[:first], _Rule(kind), *_without(lines[first:], single)]
