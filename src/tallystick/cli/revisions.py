"""Tells commits from paths on a command line, as git does."""

import os
from collections.abc import Sequence
from pathlib import PurePath

from tallystick.cli.context import Context
from tallystick.errors import Refused, WrongUsage
from tallystick.records.pointer import SUFFIX


def told_apart(
    current: Context, arguments: Sequence[str], most: int = 1
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split arguments into commits, `most` of them at the beginning, and paths.

    Raises WrongUsage for a word that may be either, Refused for one that is neither.
    """
    revs = 0
    while revs < min(most, len(arguments)) and not _is_path(current, arguments[revs]):
        revs += 1
    return tuple(arguments[:revs]), tuple(arguments[revs:])


def _is_path(current: Context, word: str) -> bool:
    """Whether a word is a path, not a commit."""
    path, commit = could_be_path(current, word), is_commit(current, word)
    if path and commit:
        raise WrongUsage(
            f"`{word}` is a commit and a path",
            hint=f"write `./{word}` for the path, `{word}^0` for the commit",
        )
    if not path and not commit:
        raise Refused(
            f"`{word}` is neither a commit nor a tracked path",
            hint="see `git log --all` and `tally status`; for the ids of runs `tally log`",
        )
    return path


def could_be_path(current: Context, word: str) -> bool:
    """Whether something stands there, or should: it has a pointer, or lies in a folder that has one."""
    parents = [str(parent) for parent in PurePath(word).parents[:-1]]
    pointers = [f"{path}{SUFFIX}" for path in (word, *parents)]
    return any(os.path.lexists(current.directory / path) for path in (word, *pointers))


def is_commit(current: Context, word: str) -> bool:
    """Whether a word names a commit that can be checked out."""
    if word == "-":
        return True
    try:
        current.project().git.resolve_target(word)
    except Refused:
        return False
    return True
