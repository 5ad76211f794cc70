"""Freeze files and folders: bytes into the store, pointers and ignore lines into git's index."""

import glob
import os
import posixpath
import shlex
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from tallystick.data.blobs import JOBS
from tallystick.data.freezing import Frozen, freeze_all, record
from tallystick.data.hashing import held
from tallystick.data.tracked import WorktreePointers, owner_of
from tallystick.digest import Digest
from tallystick.errors import BadRecord, Refused
from tallystick.files import create_exclusive
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.progress import Progress, silent
from tallystick.project import SHARED_CONFIG, Project, open_remote
from tallystick.records import tree
from tallystick.records.pointer import SUFFIX
from tallystick.records.tree import Entry
from tallystick.store.source import opened
from tallystick.store.streaming import stream

OURS = (SHARED_CONFIG, "tally.yaml", "environment.lock", ".gitignore", ".gitattributes", ".gitmodules")
"""Files that have to be in git themselves."""

LINK = "store.link"

SHOWN = 5
"""How many names a message lists."""


@dataclass(frozen=True, slots=True)
class AddedPath:
    """One tracked path as it is now; `unchanged` when its pointer said so already."""

    path: str
    pointer: str
    kind: str
    digest: Digest
    size: int
    files: int | None
    state: Literal["new", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class Added:
    """What `tally add` did, in the order of the paths."""

    paths: tuple[AddedPath, ...]
    staged: bool
    notes: tuple[str, ...] = ()
    stored: int = 0
    """Bytes that were read into the local store."""
    remote: str | None = None
    """The remote that the bytes went straight to."""
    sent: int = 0


def add(
    project: Project,
    targets: Sequence[str],
    *,
    patterns: bool = False,
    stage: bool = True,
    force: bool = False,
    jobs: int = 1,
    progress: Progress = silent,
) -> Added:
    """Store what stands at the targets, write their pointers, have git ignore the data and see the pointers.

    With `patterns` the targets may hold `*`, `**` and `?`; with `force` malformed pointers are replaced.
    Small files are read `jobs` at a time. Every target is checked before the first is touched.
    """
    paths = _matches(project, targets) if patterns else _normal(targets)
    _check_all(project, paths, force)
    frozen = freeze_all(project, paths, replace=force, jobs=jobs, progress=progress)
    if stage:
        project.git.stage(dict.fromkeys(name for one in frozen for name in one.written))
    return Added(
        tuple(map(_added, frozen)),
        stage,
        (*(note for one in frozen for note in _notes(one)), *_copies(project)),
        sum(one.held.stored for one in frozen),
    )


def add_to_remote(
    project: Project,
    place: str,
    target: str | None = None,
    *,
    folder: str = "",
    remote: str | None = None,
    stage: bool = True,
    force: bool = False,
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Added:
    """Send the file of a path or URL straight to a remote, and write the pointer of `target` for it.

    Without a target it gets its own name, in `folder`. The bytes come here when they are pulled.
    """
    store = open_remote(project, remote)
    with opened(place) as source:
        path = posixpath.normpath(posixpath.join(folder, source.name) if target is None else target)
        _check_all(project, [path], force, standing=False)
        repository = project.config.repository or ""
        sent = stream(source, store, repository=repository, jobs=jobs, progress=progress)
    entry = Entry("x" if source.executable else "f", sent.digest, sent.size, b"")
    frozen = record(project, held(path, "file", [entry]), replace=force)
    if stage:
        project.git.stage(frozen.written)
    return Added((_added(frozen),), stage, (), 0, store.name, sent.sent_bytes)


def _normal(targets: Iterable[str]) -> list[str]:
    """Targets as paths, each once."""
    return list(dict.fromkeys(posixpath.normpath(target) for target in targets))


def _matches(project: Project, patterns: Sequence[str]) -> list[str]:
    """What patterns match, without pointers and what git tracks: those lie beside data everywhere."""
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, root_dir=project.git.root, recursive=True))
        tracked = project.git.tracked(matches)
        usable = [path for path in matches if path not in tracked and not path.endswith(SUFFIX)]
        if not usable:
            raise Refused(f"nothing that could be tracked matches `{pattern}`")
        found.update(dict.fromkeys(_normal(usable)))
    return [path for path in found if _holder(path, found) is None]


def _holder(path: str, others: Collection[str]) -> str | None:
    """The one among other paths that a path lies in."""
    folder = posixpath.dirname(path)
    while folder and folder not in others:
        folder = posixpath.dirname(folder)
    return folder or None


def _check_all(project: Project, paths: Sequence[str], force: bool, *, standing: bool = True) -> None:
    """Raise Refused if one of the paths can't be tracked; they need not stand here to be named."""
    pointers = WorktreePointers(project)
    together = set(paths)
    for path in paths:
        _check_name(path)
        if standing:
            _check_standing(project, path)
        elif (project.git.root / path).is_dir():
            raise Refused(f"`{path}` is a folder", hint=f"`tally add {shlex.quote(path)}`")
        _check_place(pointers, path, together)
        _check_maker(pointers, path, force)
    in_git = sorted(project.git.tracked(paths))
    inside = [name.removesuffix(SUFFIX) for name in in_git if name.endswith(SUFFIX)]
    if inside:
        raise Refused(
            f"`{inside[0]}`, inside of what would be added, is tracked already",
            hint=f"stop tracking it first, the data stays: `tally remove {shlex.quote(inside[0])}`",
        )
    if in_git:
        named = ", ".join(f"`{name}`" for name in in_git[:SHOWN])
        more = f" and {len(in_git) - SHOWN:,} more" if len(in_git) > SHOWN else ""
        target = next(path for path in paths if in_git[0] == path or in_git[0].startswith(path + "/"))
        raise Refused(
            f"git tracks {named}{more} already",
            hint=f"take it out of git first, the data stays: `git rm -r --cached {shlex.quote(target)}`",
        )


def _check_name(path: str) -> None:
    """Raise Refused for names that mean something else."""
    if path == ".":
        raise Refused("the whole project can't be tracked", hint="track the folders inside that hold data")
    if path.endswith(SUFFIX):
        raise Refused(f"`{path}` is a pointer", hint=f"`tally add {shlex.quote(path.removesuffix(SUFFIX))}`")
    if posixpath.basename(path) in OURS:
        raise Refused(f"`{path}` belongs into git", hint=f"`git add {shlex.quote(path)}`")
    try:
        check_path(path)
    except BadRecord as error:
        raise Refused(error.message) from error
    _check_text(path)


def _check_text(path: str) -> None:
    """Raise Refused for a name that is not text; a folder's list can hold one, a pointer can't."""
    name = os.fsencode(path)
    try:
        name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(
            f"the name `{name.decode('utf-8', 'backslashreplace')}` is not UTF-8, as a pointer's has to be",
            hint="rename it, or track the folder that it lies in",
        ) from error


def _check_standing(project: Project, path: str) -> None:
    """Raise Refused when nothing is there."""
    if not os.path.lexists(project.git.root / path):
        raise Refused(f"there is nothing at `{path}`")


def _check_place(pointers: WorktreePointers, path: str, paths: Collection[str]) -> None:
    """Raise Refused when the path lies in another tracked one."""
    owner = owner_of(pointers, path)
    holder = owner.path if owner else _holder(path, paths)
    if holder is not None:
        raise Refused(
            f"`{path}` is inside `{holder}`, which is tracked as a whole",
            hint=f"`tally add {shlex.quote(holder)}`",
        )


def _check_maker(pointers: WorktreePointers, path: str, force: bool) -> None:
    """Raise Refused for what a stage makes: its receipt would no longer fit."""
    if force:
        return
    tracked = pointers.at(path)
    if tracked is not None and tracked.pointer.stage is not None:
        maker = tracked.pointer.stage
        raise Refused(
            f"`{path}` is made by the stage `{maker}`",
            hint=f"`tally run {maker}` tracks what it makes; `--force` tracks it as data of its own",
        )


def _added(frozen: Frozen) -> AddedPath:
    pointer = frozen.tracked.pointer
    return AddedPath(
        path=frozen.tracked.path,
        pointer=frozen.tracked.pointer_path,
        kind=pointer.kind,
        digest=pointer.digest,
        size=pointer.size,
        files=pointer.files,
        state=frozen.state,
    )


def _copies(project: Project) -> Iterable[str]:
    """That large files lie here twice, and what to do about it; said once in a project."""
    copied = project.store.copied and LINK not in project.config.values
    if copied and create_exclusive(project.home / "said" / "copied", b""):
        yield (
            "large files were copied into the local store: this file system can't share their blocks. To keep"
            f" them once, and read-only: `tally config --local {LINK} hardlink`"
        )


def _notes(frozen: Frozen) -> Iterable[str]:
    """What the user should know of a path that was added."""
    for names in tree.collisions(frozen.held.list_paths()):
        shown = ", ".join(f"`{name.decode('utf-8', 'backslashreplace')}`" for name in names[:SHOWN])
        yield f"in `{frozen.tracked.path}` {shown} are one name on some systems (macOS, Windows)"
