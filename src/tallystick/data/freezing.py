"""Freeze a path of the worktree: its bytes into the local store, then its pointer and its ignore line."""

import posixpath
from dataclasses import dataclass
from typing import Literal

from tallystick.data.hashing import Held, counted, held
from tallystick.data.tracked import Tracked, WorktreePointers, pointer_path_of
from tallystick.digest import Digest
from tallystick.errors import BadRecord, Refused
from tallystick.files import write_atomic
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import pointer as pointers
from tallystick.records import tree
from tallystick.records.pointer import Pointer
from tallystick.store.writer import Writer
from tallystick.worktree import Found, Identity, Scan


@dataclass(frozen=True, slots=True)
class Frozen:
    """A path whose bytes are stored and whose pointer says so; `written` are the files for git's index."""

    tracked: Tracked
    held: Held
    state: Literal["new", "changed", "unchanged"]
    written: tuple[str, ...]


def keep(project: Project, path: str, progress: Progress = silent) -> Held | None:
    """Store what stands at a path, in one read; nothing is tracked by that. None when nothing is there."""
    scan = project.worktree.scan(path)
    if scan is None:
        return None
    cache_name = pointer_path_of(path)
    known = project.worktree.known(scan, project.worktree.load(cache_name), progress)
    identities = dict(known.identities)
    absent = project.store.missing(identity.digest for identity in identities.values())
    unstored = [found for found in scan.files if found.mode in "fx" and _unstored(found, identities, absent)]
    with project.store.writer() as writer:
        _store_links(scan, writer)
        for found in counted(unstored, f"adding `{path}`", progress):
            hashed = writer.add_file(scan.location(found))
            identities[found.path] = Identity(hashed.digest, hashed.fingerprint)
        entries = scan.entries(identities)
        kept = held(path, scan.kind, entries)
        if scan.kind == "tree":
            writer.put(kept.digest, tree.render(entries))
    if known.stale or unstored or (known.columns is not None and known.columns.digest is None):
        project.worktree.save(cache_name, scan, identities, kept.digest)
    return kept


def freeze(
    project: Project,
    path: str,
    *,
    stage: str | None = None,
    replace: bool = False,
    progress: Progress = silent,
) -> Frozen:
    """Store what stands at a path and write its pointer, the commit point; `stage` is who made it.

    Raises Refused if nothing is there or it can't be tracked, and, unless `replace`, BadRecord for a former
    pointer that can't be read.
    """
    pointer_path = pointer_path_of(path)
    previous = WorktreePointers(project).data(pointer_path)
    former = _former(project, path, replace)
    found = keep(project, path, progress)
    if found is None:
        raise Refused(f"there is nothing at `{path}`")
    pointer = _pointer(found, stage)
    if former is not None and former.pointer == pointer:
        return Frozen(former, found, "unchanged", (pointer_path, *ignore(project, path)))
    text = pointers.render(pointer, previous or b"")
    hidden = ignore(project, path)
    write_atomic(project.git.root / pointer_path, text)
    state: Literal["new", "changed"] = "new" if former is None else "changed"
    return Frozen(Tracked(pointer_path, path, pointer), found, state, (pointer_path, *hidden))


def _former(project: Project, path: str, replace: bool) -> Tracked | None:
    """The pointer that a path has already; one that can't be read counts as none if it may be replaced."""
    try:
        return WorktreePointers(project).at(path)
    except BadRecord:
        if not replace:
            raise
        return None


def _unstored(found: Found, identities: dict[bytes, Identity], absent: set[Digest]) -> bool:
    """Whether a file has to be read: it is not known, or the store has lost it."""
    identity = identities.get(found.path)
    return identity is None or identity.digest in absent


def _store_links(scan: Scan, writer: Writer) -> None:
    for target in scan.links.values():
        writer.add(target)


def _pointer(found: Held, stage: str | None) -> Pointer:
    return Pointer(
        path=posixpath.basename(found.path),
        kind=found.kind,
        digest=found.digest,
        size=found.size,
        files=found.files,
        executable=found.executable,
        stage=stage,
    )


def ignore(project: Project, path: str) -> tuple[str, ...]:
    """Have git ignore a path; return the ignore file if it had to be changed."""
    folder, name = posixpath.split(path)
    changed = project.worktree.update_ignore(folder, add=[name])
    return (posixpath.join(folder, ".gitignore"),) if changed else ()
