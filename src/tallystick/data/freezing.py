"""Freeze a path of the worktree: its bytes into the local store, then its pointer and its ignore line."""

import posixpath
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Literal

from tallystick.data.hashing import Held, contents_of, counted, held_of
from tallystick.data.placing import link_up
from tallystick.data.tracked import Tracked, WorktreePointers, pointer_path_of
from tallystick.digest import Digest
from tallystick.errors import BadRecord, Refused
from tallystick.files import lock as locked
from tallystick.files import write_all
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import pointer as pointers
from tallystick.records.pointer import Pointer
from tallystick.store.pack import LARGE
from tallystick.store.writer import Writer
from tallystick.worktree import Column, Known, Scan


@dataclass(frozen=True, slots=True)
class Frozen:
    """A path whose bytes are stored and whose pointer says so; `written` are the files for git's index."""

    tracked: Tracked
    held: Held
    state: Literal["new", "changed", "unchanged"]
    written: tuple[str, ...]


def keep(
    project: Project, path: str, progress: Progress = silent, writer: Writer | None = None, jobs: int = 1
) -> Held | None:
    """Store what stands at a path, in one read; nothing is tracked by that. None when nothing is there.

    With somebody's writer it is stored when they commit. Small files are read `jobs` at a time.
    """
    cache_name = pointer_path_of(path)
    cache = project.worktree.load(cache_name)
    scan = project.worktree.scan(path, cache, progress)
    if scan is None:
        return None
    known = project.worktree.known(scan, cache, progress)
    identities = known.identities
    unstored = _unstored(project, scan, known)
    with nullcontext(writer) if writer is not None else project.store.writer() as writer:
        for target in scan.links.values():
            writer.add(target)
        rows = counted(scan, unstored, "adding", progress, LARGE)
        added = writer.add_files(scan.looks(unstored), lambda size: progress.advance(size=size), jobs)
        for row, names in zip(rows, added, strict=True):
            identities.put(row, *names)
        digest = _put_whole(scan, known, writer)
    if known.stale or unstored or known.digest is None:
        project.worktree.save(cache_name, scan, identities, digest)
    return held_of(scan, identities, digest, sum(map(scan.files.sizes.__getitem__, unstored)))


def _unstored(project: Project, scan: Scan, known: Known) -> Column:
    """The rows of the files that have to be read: they are not known, or the store has lost them."""
    identities = known.identities
    absent = project.store.missing(contents_of(scan, identities))
    if not absent:
        return known.to_hash
    rows = [
        row
        for row, mode in enumerate(scan.files.modes)
        if mode in b"fx" and (not identities.known[row] or identities.at(row).digest in absent)
    ]
    return array("q", rows)


def _put_whole(scan: Scan, known: Known, writer: Writer) -> Digest:
    """Store what all files are together, for a folder; say what it is called."""
    if scan.kind == "file":
        return known.identities.at(0).digest
    text = scan.text(known.identities)
    digest = Digest.of(text)
    writer.put(digest, text)
    return digest


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
    return freeze_all(project, [path], stage=stage, replace=replace, progress=progress)[0]


def freeze_all(
    project: Project,
    paths: Sequence[str],
    *,
    stage: str | None = None,
    replace: bool = False,
    jobs: int = 1,
    progress: Progress = silent,
) -> list[Frozen]:
    """Do the same for many paths: everything into one pack, then the ignore lines, then all pointers."""
    formers = {path: _former(project, path, replace) for path in paths}
    with project.store.writer() as writer:
        found = {path: _kept(project, path, progress, writer, jobs) for path in formers}
    frozen = _recorded(project, formers, [found[path] for path in paths], stage)
    if project.store.links:
        for path in formers:
            link_up(project, path)
    return frozen


def record(project: Project, found: Held, *, stage: str | None = None, replace: bool = False) -> Frozen:
    """Write the pointer and the ignore line of a path whose bytes are stored already, here or at a remote."""
    return _recorded(project, {found.path: _former(project, found.path, replace)}, [found], stage)[0]


def _recorded(
    project: Project, formers: Mapping[str, Tracked | None], found: Sequence[Held], stage: str | None
) -> list[Frozen]:
    """Say of paths what is stored: the ignore lines, then all pointers."""
    # Stages that run at once, and others' commands, change the same ignore files.
    with locked(
        project.home / "locks" / f"pointers-{project.git.worktree_id}.lock", what="the pointers", wait=60
    ):
        return _written(project, formers, found, stage)


def _written(
    project: Project, formers: Mapping[str, Tracked | None], found: Sequence[Held], stage: str | None
) -> list[Frozen]:
    ignored = ignore_all(project, [one.path for one in found])
    frozen = [_frozen(one.path, formers[one.path], one, stage, ignored) for one in found]
    read = WorktreePointers(project).data
    write_all(
        {
            project.git.root / one.tracked.pointer_path: pointers.render(
                one.tracked.pointer, read(one.tracked.pointer_path) or b""
            )
            for one in frozen
            if one.state != "unchanged"
        }
    )
    return frozen


def _kept(project: Project, path: str, progress: Progress, writer: Writer, jobs: int) -> Held:
    """Store what stands at a path; raise Refused if nothing does."""
    found = keep(project, path, progress, writer, jobs)
    if found is None:
        raise Refused(f"there is nothing at `{path}`")
    return found


def _frozen(
    path: str, former: Tracked | None, found: Held, stage: str | None, ignored: Mapping[str, str]
) -> Frozen:
    """What is to be said of a path whose bytes are stored."""
    pointer_path, pointer = pointer_path_of(path), _pointer(found, stage)
    folder = posixpath.dirname(path)
    written = (pointer_path, ignored[folder]) if folder in ignored else (pointer_path,)
    if former is not None and former.pointer == pointer:
        return Frozen(former, found, "unchanged", written)
    return Frozen(
        Tracked(pointer_path, path, pointer), found, "new" if former is None else "changed", written
    )


def _former(project: Project, path: str, replace: bool) -> Tracked | None:
    """The pointer that a path has already; one that can't be read counts as none if it may be replaced."""
    try:
        return WorktreePointers(project).at(path)
    except BadRecord:
        if not replace:
            raise
        return None


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
    return tuple(ignore_all(project, [path]).values())


def ignore_all(project: Project, paths: Iterable[str]) -> dict[str, str]:
    """Have git ignore paths; return the ignore files that had to be changed, by folder."""
    names: dict[str, list[str]] = {}
    for folder, name in map(posixpath.split, paths):
        names.setdefault(folder, []).append(name)
    return {
        folder: posixpath.join(folder, ".gitignore")
        for folder, some in names.items()
        if project.worktree.update_ignore(folder, add=some)
    }
