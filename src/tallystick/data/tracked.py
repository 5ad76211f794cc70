"""Pointers: which paths are tracked, which of them are meant, and which blobs they stand for."""

import os
import posixpath
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectMissing, Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import pointer as pointers
from tallystick.records import tree
from tallystick.records.pointer import SUFFIX, Pointer
from tallystick.records.tree import Entry

PATTERN = f"*{SUFFIX}"
"""How git names all pointers: its `*` crosses folders."""

LARGEST = 64 * 1024
"""A pointer of more bytes is malformed; no more of it is read."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """One pointer and the path it stands for, both relative to the project's root."""

    pointer_path: str
    path: str
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class Malformed:
    """A file that should be a pointer and can't be read as one."""

    pointer_path: str
    error: BadRecord

    @property
    def path(self) -> str:
        """The path that it would stand for."""
        return self.pointer_path.removesuffix(SUFFIX)


@dataclass(frozen=True, slots=True)
class Selected:
    """What a target means: a tracked path, and the parts of its tree that are meant; none means all."""

    tracked: Tracked
    parts: tuple[bytes, ...] = ()

    def covers(self, path: bytes) -> bool:
        """Whether a path inside the tree is meant."""
        return not self.parts or any(path == part or path.startswith(part + b"/") for part in self.parts)


def pointer_path_of(path: str) -> str:
    """Where the pointer of a path stands."""
    return path + SUFFIX


def read_pointer(data: bytes, pointer_path: str, source: str = "") -> Tracked:
    """Read a pointer and check that it stands beside what it names."""
    source = source or pointer_path
    pointer = pointers.parse(data, source)
    path = pointer_path.removesuffix(SUFFIX)
    if pointer.path != posixpath.basename(path):
        raise BadRecord(
            f"it names `{pointer.path}`, but a pointer of this name stands for `{posixpath.basename(path)}`",
            source,
            hint=f"rename it to `{pointer.path}{SUFFIX}`, or correct its `path`",
        )
    return Tracked(pointer_path, path, pointer)


class Pointers(Protocol):
    """All pointers of one state of the project."""

    def at(self, path: str) -> Tracked | None:
        """The pointer of exactly this path."""

    def below(self, folder: str) -> Iterator[Tracked | Malformed]:
        """The pointers inside a folder, in the order of their paths; `""` is the whole project."""


class WorktreePointers:
    """The pointers as they stand in the worktree now, committed or not.

    `listed` are the files that git lists, pointers and others, if the caller has asked for them already.
    """

    def __init__(self, project: Project, listed: Iterable[str] | None = None) -> None:
        self._project = project
        self._listed = listed

    def data(self, pointer_path: str) -> bytes | None:
        """The text of one pointer, None when there is no such file."""
        place = os.path.join(self._project.git.root, pointer_path)
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BadRecord(f"it is not a readable file: {error.strerror}", pointer_path) from error
        try:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return os.read(descriptor, LARGEST + 1) if is_file else None
        finally:
            os.close(descriptor)

    def at(self, path: str) -> Tracked | None:
        """The pointer of exactly this path."""
        pointer_path = pointer_path_of(path)
        data = self.data(pointer_path)
        return None if data is None else read_pointer(data, pointer_path)

    def below(self, folder: str) -> Iterator[Tracked | Malformed]:
        """The pointers inside a folder."""
        listed = self._project.git.list_files([PATTERN]) if self._listed is None else self._listed
        for pointer_path in sorted(listed):
            if _is_pointer(pointer_path) and _inside(pointer_path, folder):
                try:
                    data = self.data(pointer_path)
                    if data is not None:
                        yield read_pointer(data, pointer_path)
                except BadRecord as error:
                    yield Malformed(pointer_path, error)


class CommittedPointers:
    """The pointers that a commit holds; `texts` are files of it that the caller has read already."""

    def __init__(self, project: Project, commit: str, texts: Mapping[str, bytes] | None = None) -> None:
        if texts is None:
            texts = project.git.read_at(commit, _paths_at(project, commit))
        paths = [path for path in texts if _is_pointer(path)]
        self._commit = commit
        self._texts = {path.removesuffix(SUFFIX): texts[path] for path in sorted(paths)}

    def at(self, path: str) -> Tracked | None:
        """The pointer of exactly this path."""
        data = self._texts.get(path)
        if data is None:
            return None
        pointer_path = pointer_path_of(path)
        return read_pointer(data, pointer_path, f"{self._commit[:10]}:{pointer_path}")

    def below(self, folder: str) -> Iterator[Tracked | Malformed]:
        """The pointers inside a folder."""
        for path in self._texts:
            if _inside(path, folder):
                try:
                    tracked = self.at(path)
                    if tracked is not None:
                        yield tracked
                except BadRecord as error:
                    yield Malformed(pointer_path_of(path), error)


def pointers_of(project: Project, commit: str | None = None) -> Pointers:
    """The pointers of a commit, or of the worktree."""
    return WorktreePointers(project) if commit is None else CommittedPointers(project, commit)


def tracked_in_worktree(project: Project, targets: Sequence[str] = ()) -> list[Tracked]:
    """The tracked paths of the worktree that the targets name; all without targets."""
    return [selected.tracked for selected in select(pointers_of(project), targets)]


def tracked_at(project: Project, commit: str, targets: Sequence[str] = ()) -> list[Tracked]:
    """The tracked paths of a commit that the targets name; all without targets."""
    return [selected.tracked for selected in select(pointers_of(project, commit), targets)]


def found_in(
    project: Project, targets: Sequence[str] = (), listed: Iterable[str] | None = None
) -> list[Tracked | Malformed]:
    """The pointers of the worktree that targets name, malformed ones among them; `listed` as above.

    Raises Refused for a target that means nothing.
    """
    pointers = WorktreePointers(project, listed)
    found: dict[str, Tracked | Malformed] = {}
    for target in targets or [""]:
        for one in _meant(pointers, _tidy(target)):
            tracked = one.tracked if isinstance(one, Selected) else one
            found[tracked.path] = tracked
    return [one for _path, one in sorted(found.items())]


def select(pointers: Pointers, targets: Sequence[str]) -> list[Selected]:
    """What targets mean: a path, its pointer, a folder that holds some, a part of a tracked tree.

    Raises Refused for a target that means nothing, BadRecord when a pointer that is meant is malformed.
    """
    meant: dict[str, Selected] = {}
    for target in targets or [""]:
        for selected in map(_sound, _meant(pointers, _tidy(target))):
            path = selected.tracked.path
            meant[path] = _joined(meant.get(path), selected)
    return [selected for _path, selected in sorted(meant.items())]


def unpointed(project: Project, tracked: Iterable[Tracked | Malformed]) -> list[str]:
    """What lies beside tracked paths, hidden from git by a line for its kind, and is not tracked itself."""
    folders = sorted({posixpath.dirname(one.path) for one in tracked})
    return [posixpath.join(folder, name) for folder in folders for name in project.worktree.unpointed(folder)]


def owner_of(pointers: Pointers, path: str) -> Tracked | None:
    """The tracked folder that a path lies in."""
    for folder in _parents(path):
        tracked = pointers.at(folder)
        if tracked is not None:
            return tracked
    return None


def blobs_of(project: Project, tracked: Tracked) -> set[Digest]:
    """All blobs a pointer stands for, its tree's text among them; the text must be in the local store."""
    return {
        tracked.pointer.digest,
        *(entry.digest for entry in entries_of(project, tracked) if entry.mode != "d"),
    }


def entries_of(project: Project, tracked: Tracked) -> list[Entry]:
    """The files a pointer stands for; a single file is one entry with an empty path.

    Raises ObjectMissing when the tree's text is not in the local store.
    """
    pointer = tracked.pointer
    if pointer.kind == "file":
        return [Entry("x" if pointer.executable else "f", pointer.digest, pointer.size, b"")]
    return tree.parse(tree_text(project, tracked), tracked.path)


def tree_text(project: Project, tracked: Tracked) -> bytes:
    """The list of files of a tracked folder; raise ObjectMissing when it is not in the local store."""
    pointer = tracked.pointer
    if not project.store.contains(pointer.digest):
        raise ObjectMissing(
            f"the list of files of `{tracked.path}` ({pointer.digest}) is not in the local store",
            [pointer.digest],
            ["the local store"],
            hint=f"bring it with `tally fetch {shlex.quote(tracked.path)}`",
        )
    return project.store.read(pointer.digest)


def _meant(pointers: Pointers, target: str) -> list[Selected | Malformed]:
    """What one target means."""
    path = target.removesuffix(SUFFIX) if _is_pointer(target) else target
    try:
        exact = pointers.at(path) if path else None
    except BadRecord as error:
        return [Malformed(pointer_path_of(path), error)]
    if exact is not None:
        return [Selected(exact)]
    below = [Selected(one) if isinstance(one, Tracked) else one for one in pointers.below(path)]
    if below or not path:
        return list(below)
    owner = owner_of(pointers, path)
    if owner is None or owner.pointer.kind == "file":
        raise Refused(f"`{target}` is not tracked", hint=f"track it with `tally add {shlex.quote(target)}`")
    return [Selected(owner, (os.fsencode(path[len(owner.path) + 1 :]),))]


def _joined(first: Selected | None, second: Selected) -> Selected:
    """Two targets that mean the same tracked path, as one."""
    if first is None:
        return second
    parts = first.parts + second.parts if first.parts and second.parts else ()
    return Selected(first.tracked, parts)


def _sound(found: Selected | Malformed) -> Selected:
    """What is meant, or the error that its pointer is malformed."""
    if isinstance(found, Malformed):
        raise found.error
    return found


def _paths_at(project: Project, commit: str) -> list[str]:
    """The paths in a commit that end like a pointer."""
    listed = project.git.list_tree(commit, [PATTERN])
    return [path for path, _mode, _oid in listed if _is_pointer(path)]


def _parents(path: str) -> Iterator[str]:
    """The folders above a path, the nearest first, without the root."""
    while "/" in path:
        path = posixpath.dirname(path)
        yield path


def _tidy(target: str) -> str:
    """A target as a path in the project; the root is empty."""
    path = posixpath.normpath(target) if target else ""
    return "" if path == "." else path


def _is_pointer(path: str) -> bool:
    return path.endswith(SUFFIX) and posixpath.basename(path) != SUFFIX


def _inside(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")
