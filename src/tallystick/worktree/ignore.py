"""Keep the `.gitignore` lines that hide tracked paths from git."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from tallystick.errors import Refused
from tallystick.files import write_atomic
from tallystick.worktree.folders import Folders

FILE = ".gitignore"

_SPECIAL = re.compile(rb"[\\*?\[]")


def update(root: Path, folder: str, add: Iterable[str], remove: Iterable[str]) -> Path | None:
    """Add and take out lines for names in a folder; return the file if it changed.

    Every other line stays as it is, byte for byte.
    """
    file = root / folder / FILE
    with Folders(root) as folders:
        folders.at(os.fsencode(folder))
    if file.is_symlink():
        raise Refused(f"`{file.relative_to(root)}` is a symbolic link", hint="put a real file in its place")
    before = file.read_bytes() if file.exists() else b""
    unwanted = {line(name) for name in remove}
    lines = [text for text in before.splitlines(keepends=True) if text.rstrip(b"\r\n") not in unwanted]
    there = {text.rstrip(b"\r\n") for text in lines}
    new = [text for text in dict.fromkeys(line(name) for name in add) if text not in there]
    if new and lines and not lines[-1].endswith(b"\n"):
        lines.append(b"\n")
    after = b"".join(lines) + b"".join(text + b"\n" for text in new)
    if after == before:
        return None
    if after:
        write_atomic(file, after)
    else:
        file.unlink()
    return file


def line(name: str) -> bytes:
    """The line that hides exactly this name in its folder."""
    escaped = _SPECIAL.sub(rb"\\\g<0>", os.fsencode(name))
    # A line can't hold its own end; a question mark stands for any one character.
    escaped = escaped.replace(b"\n", b"?").replace(b"\r", b"?")
    trailing = len(escaped) - len(escaped.rstrip(b" "))
    return b"/" + escaped.rstrip(b" ") + b"\\ " * trailing
