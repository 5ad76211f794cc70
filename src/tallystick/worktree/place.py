"""Make a path hold what is wanted, touching only what differs."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from tallystick.digest import Digest
from tallystick.files import translated
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.records.tree import Entry
from tallystick.worktree.block import Arrivals, Lying
from tallystick.worktree.columns import Found, Identity
from tallystick.worktree.filling import TREE
from tallystick.worktree.folders import Folders
from tallystick.worktree.fresh import Contents, build, counted, passing
from tallystick.worktree.links import StoreLinks
from tallystick.worktree.plan import Plan, Present, check_losses, check_paths, lost, plan
from tallystick.worktree.scan import check_target, found_of
from tallystick.worktree.staging import staging
from tallystick.worktree.writing import Content, Written, proven, unshare, write_file

Arrived = dict[bytes, tuple[Found, Identity]]
"""Files just written, as a later look will find them."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class Placed:
    """What was done to the files at a path; `arrived` are those written, `ended` the paths of all others.

    Where nothing stood, `rows` are all that were written.
    """

    written: int = 0
    removed: int = 0
    changed_modes: int = 0
    size: int = 0
    arrived: Arrived = field(default_factory=dict, compare=False)
    ended: frozenset[bytes] = field(default=frozenset(), compare=False)
    rows: Arrivals | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Order:
    """What should stand where, and how: the arguments of `place` that stay the same all the way."""

    path: str
    kind: Literal["file", "tree"]
    force: bool
    progress: Progress
    ours: StoreLinks

    def full(self, path: bytes) -> bytes:
        """A path inside the tracked path, from the worktree's root."""
        base = os.fsencode(self.path)
        return b"%s/%s" % (base, path) if path else base


class Source(NamedTuple):
    """Where the bytes come from; `lying` is asked only when nothing stands at a path yet."""

    contents: Contents
    lying: Callable[[], Lying]


def place(
    root: Path,
    scratch: Path,
    order: Order,
    wanted: Sequence[Entry],
    source: Source,
    present: Present | None,
    expected: Mapping[bytes, Digest],
) -> Placed:
    """Write, replace and remove files; raise WouldLoseChanges, before touching any, for unexpected ones."""
    check_paths(wanted, order.path, order.kind)
    made = plan(wanted, present)
    if not order.force:
        check_losses(made, present, expected)
    with translated(order.path), Folders(root) as folders:
        _remove_files(folders, order, made.remove)
        for found in made.chmod:
            _change_mode(folders, order, found)
        ended = frozenset(found.path for found in (*made.remove, *made.chmod))
        placed = Placed(len(made.write), len(made.remove), len(made.chmod), ended=ended)
        return _write_all(folders, scratch, order, made, source, placed)


def exchange(
    root: Path, scratch: Path, order: Order, entries: Sequence[Entry], contents: Contents, present: Present
) -> Placed:
    """Write files over the same ones, so that they lie there in another way.

    Raises WouldLoseChanges for one that is not what the scan saw any more.
    """
    paths = {entry.path for entry in entries}
    replaced = {found.path: found for found in present.scan.files if found.path in paths}
    made = Plan(list(entries), [], [], replaced)
    with translated(order.path), Folders(root) as folders:
        return _write_all(folders, scratch, order, made, Source(contents, Lying), Placed(len(entries)))


def remove(root: Path, order: Order, present: Present, expected: Mapping[bytes, Digest]) -> Placed:
    """Delete what a scan saw; raise WouldLoseChanges, before touching any, for unexpected files."""
    made = plan([], present)
    if not order.force:
        check_losses(made, present, expected)
    top = order.full(b"")
    with translated(order.path), Folders(root) as folders:
        _remove_files(folders, order, made.remove)
        if present.scan.kind == "tree" and not folders.remove(top):
            raise lost(order.path, [b""])
    return Placed(removed=len(made.remove))


def unprotect(root: Path, path: str, files: Iterable[Found], ours: StoreLinks) -> int:
    """Make files of the worktree the user's own and writable; say how many were not."""
    order = Order(path, "tree", False, silent, ours)
    changed = 0
    with translated(path), Folders(root) as folders:
        for found in files:
            if found.mode in "fx":
                changed += _unshare(folders, order, found)
    return changed


def _unshare(folders: Folders, order: Order, found: Found) -> bool:
    full = order.full(found.path)
    stored = order.ours.behind(folders, full)
    folder, name = folders.around(full)
    return unshare(folder, name, None if stored is None else stored.place)


def _remove_files(folders: Folders, order: Order, unwanted: Sequence[Found]) -> None:
    """Delete files, and the folders that this empties."""
    emptied: set[bytes] = set()
    for found in unwanted:
        path = order.full(found.path)
        if found.mode != "d":
            _check_untouched(folders, order, found)
            folder, name = folders.around(path)
            os.unlink(name, dir_fd=folder)
        else:
            emptied.add(path)
        if found.path:
            emptied.update(_folders_above(order, found.path))
    for folder_path in sorted(emptied, key=lambda path: path.count(b"/"), reverse=True):
        folders.remove(folder_path)


def _folders_above(order: Order, path: bytes) -> Iterable[bytes]:
    """The folders of a path inside the tree, the tree's own last."""
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield order.full(path)
    yield order.full(b"")


def _check_untouched(folders: Folders, order: Order, found: Found) -> None:
    """Raise WouldLoseChanges if a file is no longer what the scan saw."""
    if order.force:
        return
    status = order.ours.look(folders, order.full(found.path))
    if status is None or found[2:] != (
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    ):
        raise lost(order.path, [found.path])


def _change_mode(folders: Folders, order: Order, found: Found) -> None:
    """Give or take the right to execute, to those who may read."""
    folder, name = folders.around(order.full(found.path))
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if status.st_nlink > 1 or stat.S_ISLNK(status.st_mode):
        # The mode belongs to all names of a file, the store's among them.
        _unshare(folders, order, found)
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(descriptor).st_mode & 0o777
        os.fchmod(descriptor, mode | (mode & 0o444) >> 2 if found.mode == "f" else mode & ~0o111)
    finally:
        os.close(descriptor)


def _write_all(
    folders: Folders, scratch: Path, order: Order, made: Plan, source: Source, placed: Placed
) -> Placed:
    """Write what is missing or differs."""
    top = order.full(b"")
    if not made.write and (order.kind == "file" or folders.look(top) is not None):
        return placed
    beside, _ = folders.around(top, make=True)
    with staging(scratch, beside) as stage:
        if order.kind == "tree" and folders.look(top) is None:
            rows = _write_fresh(folders, stage, order, made.write, source)
            placed = replace(placed, rows=rows)
        else:
            writer = _Replacing(folders, stage, order, made.replaced, placed.arrived)
            _write(writer, made.write, source.contents, order.progress)
    return replace(placed, size=sum(entry.size for entry in made.write))


def _write_fresh(
    folders: Folders,
    stage: int,
    order: Order,
    entries: Sequence[Entry],
    source: Source,
) -> Arrivals:
    """Build a whole tree aside, then give it its name, even when interrupted: what is done is kept."""
    os.mkdir(TREE, dir_fd=stage)
    try:
        rows, links = build(stage, entries, source.contents, source.lying, order.progress)
        with Folders(stage) as staged:
            for entry, content in links:
                folder, name = staged.around(b"%s/%s" % (TREE, entry.path))
                os.symlink(_target(order, entry, content), name, dir_fd=folder)
    finally:
        beside, name = folders.around(order.full(b""))
        try:
            os.rename(TREE, name, src_dir_fd=stage, dst_dir_fd=beside)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise lost(order.path, [b""]) from error
            raise
    return rows


class _Replacing:
    """Finishes each file aside, then gives it its name among the others."""

    def __init__(
        self,
        folders: Folders,
        stage: int,
        order: Order,
        replaced: Mapping[bytes, Found],
        arrived: Arrived,
    ) -> None:
        self._arrived = arrived
        self._folders = folders
        self._stage = stage
        self._order = order
        self._replaced = replaced

    def folder(self, path: bytes) -> None:
        if self._make_room(path):
            folder, name = self._folders.around(self._order.full(path))
            os.unlink(name, dir_fd=folder)
        self._folders.at(self._order.full(path), make=True)

    def file(self, entry: Entry, content: Content) -> None:
        written = write_file(self._stage, b"file", entry, content, passing(self._order.progress))
        self._name(entry.path)
        status = self._order.ours.look(self._folders, self._order.full(entry.path))
        # Getting its name changed its ctime; whatever else differs is somebody else's doing.
        if status is not None and _is_same(written.status, status):
            self._arrived[entry.path] = _arrival(entry, Written(written.fingerprint, status))

    def link(self, entry: Entry, content: Content) -> None:
        os.symlink(_target(self._order, entry, content), b"file", dir_fd=self._stage)
        self._name(entry.path)

    def _name(self, path: bytes) -> None:
        """Give the finished file its name: over the one that the plan knows of, never over another."""
        replaced = self._make_room(path)
        folder, name = self._folders.around(self._order.full(path), make=True)
        if replaced or self._order.force:
            os.rename(b"file", name, src_dir_fd=self._stage, dst_dir_fd=folder)
            return
        try:
            os.link(b"file", name, src_dir_fd=self._stage, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError as error:
            raise lost(self._order.path, [path]) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._name_without_links(path)
        else:
            os.unlink(b"file", dir_fd=self._stage)

    def _name_without_links(self, path: bytes) -> None:
        """The same where the file system has no hard links, or keeps others from linking."""
        full = self._order.full(path)
        if self._folders.look(full) is not None:
            raise lost(self._order.path, [path])
        folder, name = self._folders.around(full)
        os.rename(b"file", name, src_dir_fd=self._stage, dst_dir_fd=folder)

    def _make_room(self, path: bytes) -> bool:
        """Whether a known file stands at the path, unchanged; an empty folder there is removed."""
        found = self._replaced.get(path)
        if found is None:
            return False
        if found.mode == "d":
            self._folders.remove(self._order.full(path))
            return False
        _check_untouched(self._folders, self._order, found)
        return True


def _write(writer: _Replacing, entries: Sequence[Entry], contents: Contents, progress: Progress) -> None:
    """Write folders, files, and links last, so that no file is ever written through a link."""
    for entry in entries:
        if entry.mode == "d":
            writer.folder(entry.path)
    links: list[tuple[Entry, Content]] = []
    needed = [entry for entry in entries if entry.mode != "d"]
    for entry, content in counted(contents(needed), progress):
        if entry.mode == "l":
            links.append((entry, content))
        else:
            writer.file(entry, content)
    for entry, content in links:
        writer.link(entry, content)


def _arrival(entry: Entry, written: Written) -> tuple[Found, Identity]:
    return found_of(entry.path, written.status), Identity(entry.digest, written.fingerprint)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns, one.st_ino) == (other.st_size, other.st_mtime_ns, other.st_ino)


def _target(order: Order, entry: Entry, content: Content) -> bytes:
    """A link's target, checked: it comes from somebody else's tree."""
    target = proven(entry, content)
    check_target(entry.path, target, order.path)
    return target
