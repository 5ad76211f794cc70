"""What differs between two states of a tracked path, and between a path and its pointer."""

import os
from collections.abc import Iterable
from typing import Literal

from tallystick.data.hashing import Held, look
from tallystick.data.tracked import Tracked, tree_text
from tallystick.errors import ObjectsError, Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import tree
from tallystick.records.tree import Entry


@dataclass(frozen=True, slots=True)
class Changes:
    """The files of a folder that differ between two states of it."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


State = Literal["unchanged", "modified", "missing", "untrackable"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands at a tracked path, as against its pointer; `changes` of folders where they can be told."""

    state: State
    held: Held | None = None
    changes: Changes | None = None
    reason: str | None = None


def changes(old: Iterable[Entry], new: Iterable[Entry]) -> Changes:
    """Which files came, went, or have other bytes or another mode."""
    before = {entry.path: entry for entry in old}
    after = {entry.path: entry for entry in new}
    both = before.keys() & after.keys()
    return Changes(
        added=_names(after.keys() - both),
        removed=_names(before.keys() - both),
        changed=_names(path for path in both if before[path] != after[path]),
    )


def see(project: Project, tracked: Tracked, progress: Progress = silent, held: Held | None = None) -> Seen:
    """Compare what stands at a path with its pointer; `held` is it, if the caller knows."""
    try:
        held = held or look(project, tracked.path, progress)
    except Refused as error:
        return Seen("untrackable", reason=error.message)
    if held is None:
        return Seen("missing")
    if _is(held, tracked):
        return Seen("unchanged", held)
    return Seen("modified", held, _changes(project, tracked, held))


def blobs(held: Held) -> set[bytes]:
    """Everything that has to be stored of what stands at a path."""
    return held.blobs


def _is(held: Held, tracked: Tracked) -> bool:
    pointer = tracked.pointer
    return (held.kind, held.digest, held.executable) == (pointer.kind, pointer.digest, pointer.executable)


def _changes(project: Project, tracked: Tracked, held: Held) -> Changes | None:
    """The files that differ; None for a single file, or where the list of files isn't here."""
    if held.kind != "tree" or tracked.pointer.kind != "tree":
        return None
    try:
        before = tree_text(project, tracked)
    except ObjectsError:
        return None
    # Mostly few files differ; all entries of two lists of a million would take most of a gigabyte.
    found = tree.difference(before, held.text, tracked.path)
    return changes(tree.parse(before, tracked.path), held.entries) if found is None else changes(*found)


def _names(paths: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(os.fsdecode(path) for path in sorted(paths))
