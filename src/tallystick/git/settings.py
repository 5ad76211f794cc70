"""Read and write settings with `git config`: the user's own and the shared file's."""

import os
from pathlib import Path

from tallystick.errors import BadRecord, Refused
from tallystick.git.command import Command, failure
from tallystick.patterns import regex

NOTHING_THERE = 5
"""What `git config --unset` ends with when the key is not in the file."""

_BAD_LINE = regex(r"bad config line (\d+)")


def entries(git: Command, file: Path | None, prefix: str) -> list[tuple[str, str]]:
    """Keys and values as git lists them; the user's own come from all of git's files, a shared file alone."""
    if file is not None and not _exists(file):
        return []
    # An include in a file that came with a clone could read any other file.
    where = ["--includes"] if file is None else ["--no-includes", "--file", str(file)]
    done = git.run("config", "-z", *where, "--list", check=False)
    if done.exit_code != 0:
        raise _malformed(git, file, done.complaint) or failure("config", done)
    found = []
    for entry in done.stdout.split(b"\0"):
        if entry:
            # A key without `=` is git's way to say true.
            key, is_set, value = os.fsdecode(entry).partition("\n")
            if key.startswith(prefix):
                found.append((key.removeprefix(prefix), value if is_set else "true"))
    return found


def set_value(git: Command, key: str, value: str, file: Path | None) -> None:
    """Replace all values of a key."""
    _check_key(key)
    git.run("config", *_target(file), "--replace-all", "--end-of-options", key, value)


def unset(git: Command, key: str, file: Path | None) -> bool:
    """Take out all values of a key; say whether there was one."""
    _check_key(key)
    done = git.run("config", *_target(file), "--unset-all", "--end-of-options", key, check=False)
    if done.exit_code not in (0, NOTHING_THERE):
        raise failure("config", done)
    return done.exit_code == 0


def remove_section(git: Command, section: str, file: Path | None) -> bool:
    """Take out a section with all that is in it; say whether it was there."""
    done = git.run("config", *_target(file), "--remove-section", "--end-of-options", section, check=False)
    if done.exit_code != 0 and b"no such section" not in done.stderr.lower():
        raise failure("config", done)
    return done.exit_code == 0


def _target(file: Path | None) -> list[str]:
    if file is None:
        return ["--local"]
    _exists(file)
    return ["--file", str(file)]


def _exists(file: Path) -> bool:
    """Whether a shared settings file is there; raise Refused for a link, which could lead anywhere."""
    if file.is_symlink():
        raise Refused(f"`{file.name}` is a symbolic link", hint="put a real file in its place")
    return file.exists()


def _check_key(key: str) -> None:
    section, dot, name = key.rpartition(".")
    if not (section and dot and name) or any(c in key for c in "\n\0"):
        raise Refused(f"`{key}` is not the name of a setting", hint="a name looks like `core.remote`")


def _malformed(git: Command, file: Path | None, complaint: str) -> BadRecord | None:
    found = _BAD_LINE.search(complaint)
    if file is None or found is None:
        return None
    source = os.path.relpath(file, git.root)
    return BadRecord("git can't read this line as a setting", source, int(found[1]))
