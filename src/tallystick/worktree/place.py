"""Make a path hold what is wanted, touching only what differs."""

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Literal

from tallystick.digest import Digest
from tallystick.files import translated
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.records.tree import Entry
from tallystick.worktree.folders import Folders
from tallystick.worktree.hands import Hands
from tallystick.worktree.plan import Plan, Present, check_losses, check_paths, lost, plan
from tallystick.worktree.scan import Found, Identity, check_target, found_of
from tallystick.worktree.staging import staging
from tallystick.worktree.writing import Content, Written, proven, unshare, write_file

Contents = Callable[[Sequence[Entry]], Iterable[tuple[Entry, Content]]]
"""Given the entries that are needed, their contents in any order: bytes, or a file to share or copy."""

Arrived = dict[bytes, tuple[Found, Identity]]
"""Files just written, as a later look will find them."""

_BATCH_FILES = 500
_BATCH_SIZE = 64 << 20
_HANDFUL_FILES = 64
_HANDFUL_SIZE = 1 << 20
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class Placed:
    """What was done to the files at a path; `arrived` are those written, `ended` the paths of all others."""

    written: int = 0
    removed: int = 0
    changed_modes: int = 0
    size: int = 0
    arrived: Arrived = field(default_factory=dict, compare=False)
    ended: frozenset[bytes] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class Order:
    """What should stand where, and how: the arguments of `place` that stay the same all the way."""

    path: str
    kind: Literal["file", "tree"]
    force: bool
    progress: Progress

    def full(self, path: bytes) -> bytes:
        """A path inside the tracked path, from the worktree's root."""
        base = os.fsencode(self.path)
        return b"%s/%s" % (base, path) if path else base


def place(
    root: Path,
    scratch: Path,
    order: Order,
    wanted: Sequence[Entry],
    contents: Contents,
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
        arrived: Arrived = {}
        size = _write_all(folders, scratch, order, made, contents, arrived)
    ended = frozenset(found.path for found in (*made.remove, *made.chmod))
    return Placed(len(made.write), len(made.remove), len(made.chmod), size, arrived, ended)


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


def unprotect(root: Path, path: str, files: Iterable[Found]) -> int:
    """Make files of the worktree the user's own and writable; say how many were not."""
    order = Order(path, "tree", False, silent)
    changed = 0
    with translated(path), Folders(root) as folders:
        for found in files:
            if found.mode in "fx":
                folder, name = folders.around(order.full(found.path))
                changed += unshare(folder, name)
    return changed


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
    status = folders.look(order.full(found.path))
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
    if os.stat(name, dir_fd=folder, follow_symlinks=False).st_nlink > 1:
        # The mode belongs to all names of a file, the store's among them.
        unshare(folder, name)
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(descriptor).st_mode & 0o777
        os.fchmod(descriptor, mode | (mode & 0o444) >> 2 if found.mode == "f" else mode & ~0o111)
    finally:
        os.close(descriptor)


def _write_all(
    folders: Folders, scratch: Path, order: Order, made: Plan, contents: Contents, arrived: Arrived
) -> int:
    """Write what is missing or differs; return how many bytes that were."""
    top = order.full(b"")
    if not made.write and (order.kind == "file" or folders.look(top) is not None):
        return 0
    beside, _ = folders.around(top, make=True)
    with staging(scratch, beside) as stage:
        if order.kind == "tree" and folders.look(top) is None:
            return _write_fresh(folders, stage, order, made.write, contents, arrived)
        writer = _Replacing(folders, stage, order, made.replaced, arrived)
        return _write(writer, order, made.write, contents)


def _write_fresh(
    folders: Folders,
    stage: int,
    order: Order,
    entries: Sequence[Entry],
    contents: Contents,
    arrived: Arrived,
) -> int:
    """Build a whole tree aside, then give it its name, even when interrupted: what is done is kept."""
    with Folders(stage) as staged:
        staged.at(b"tree", make=True)
        try:
            with Hands() as hands:
                return _write(_Building(staged, hands, arrived), order, entries, contents)
        finally:
            beside, name = folders.around(order.full(b""))
            try:
                os.rename(b"tree", name, src_dir_fd=stage, dst_dir_fd=beside)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise lost(order.path, [b""]) from error
                raise


class _Building:
    """Writes into a tree that nobody sees yet, a handful of files of one folder at a time."""

    def __init__(self, staged: Folders, hands: Hands, arrived: Arrived) -> None:
        self._staged = staged
        self._hands = hands
        self._arrived = arrived
        self._folder = b""
        self._handful: list[tuple[bytes, Entry, Content]] = []
        self._size = 0

    def folder(self, path: bytes) -> None:
        self._staged.at(b"tree/" + path, make=True)

    def file(self, entry: Entry, content: Content) -> None:
        folder, _, name = entry.path.rpartition(b"/")
        if folder != self._folder:
            self.finish()
            self._folder = folder
        self._handful.append((name, entry, content))
        self._size += entry.size
        if len(self._handful) >= _HANDFUL_FILES or self._size >= _HANDFUL_SIZE:
            self.finish()

    def link(self, entry: Entry, target: bytes) -> None:
        folder, name = self._staged.around(b"tree/" + entry.path, make=True)
        os.symlink(target, name, dir_fd=folder)

    def finish(self) -> None:
        """Hand over what was gathered."""
        if not self._handful:
            return
        place = b"tree/" + self._folder if self._folder else b"tree"
        folder, handful = os.dup(self._staged.at(place, make=True)), self._handful
        self._handful, self._size = [], 0
        self._hands.give(lambda: self._write(folder, handful))

    def _write(self, folder: int, handful: Sequence[tuple[bytes, Entry, Content]]) -> None:
        try:
            for name, entry, content in handful:
                written = write_file(folder, name, entry, content)
                self._arrived[entry.path] = _arrival(entry, written)
        finally:
            os.close(folder)


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
        written = write_file(self._stage, b"file", entry, content)
        self._name(entry.path)
        status = self._folders.look(self._order.full(entry.path))
        # Getting its name changed its ctime; whatever else differs is somebody else's doing.
        if status is not None and _is_same(written.status, status):
            self._arrived[entry.path] = _arrival(entry, Written(written.fingerprint, status))

    def link(self, entry: Entry, target: bytes) -> None:
        os.symlink(target, b"file", dir_fd=self._stage)
        self._name(entry.path)

    def finish(self) -> None:
        """Each file is finished already."""

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


def _write(writer: _Building | _Replacing, order: Order, entries: Sequence[Entry], contents: Contents) -> int:
    """Write folders, files, and links last, so that no file is ever written through a link."""
    for entry in entries:
        if entry.mode == "d":
            writer.folder(entry.path)
    links: list[tuple[Entry, bytes]] = []
    needed = [entry for entry in entries if entry.mode != "d"]
    files = size = total = 0
    try:
        for entry, content in contents(needed):
            if entry.mode == "l":
                links.append((entry, _target(order, entry, content)))
            else:
                writer.file(entry, content)
            files, size, total = files + 1, size + entry.size, total + entry.size
            if files >= _BATCH_FILES or size >= _BATCH_SIZE:
                order.progress.advance(files, size)
                files = size = 0
    finally:
        # Also when interrupted: whole files that were brought this far are kept.
        writer.finish()
    for entry, target in links:
        writer.link(entry, target)
    order.progress.advance(files, size)
    return total


def _arrival(entry: Entry, written: Written) -> tuple[Found, Identity]:
    return found_of(entry.path, written.status), Identity(entry.digest, written.fingerprint)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns, one.st_ino) == (other.st_size, other.st_mtime_ns, other.st_ino)


def _target(order: Order, entry: Entry, content: Content) -> bytes:
    """A link's target, checked: it comes from somebody else's tree."""
    target = proven(entry, content)
    check_target(entry.path, target, order.path)
    return target
