"""Make a path hold what is wanted, touching only what differs."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tallystick.digest import Digest, hash_stream
from tallystick.errors import ObjectCorrupt
from tallystick.files import copy_bytes, translated
from tallystick.progress import Progress
from tallystick.records.tree import Entry
from tallystick.worktree.folders import Folders
from tallystick.worktree.plan import Plan, Present, check_losses, check_paths, lost, plan
from tallystick.worktree.scan import Found, check_target
from tallystick.worktree.staging import staging

Content = bytes | Path
Contents = Callable[[Sequence[Entry]], Iterable[tuple[Entry, Content]]]
"""Given the entries that are needed, their contents in any order: bytes, or a file to share or copy."""

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_BATCH_FILES = 500
_BATCH_SIZE = 64 << 20
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class Placed:
    """What was done to the files at a path."""

    written: int = 0
    removed: int = 0
    changed_modes: int = 0
    size: int = 0


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
        size = _write_all(folders, scratch, order, made, contents)
    return Placed(len(made.write), len(made.remove), len(made.chmod), size)


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
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(descriptor).st_mode & 0o777
        os.fchmod(descriptor, mode | (mode & 0o444) >> 2 if found.mode == "f" else mode & ~0o111)
    finally:
        os.close(descriptor)


def _write_all(folders: Folders, scratch: Path, order: Order, made: Plan, contents: Contents) -> int:
    """Write what is missing or differs; return how many bytes that were."""
    top = order.full(b"")
    if not made.write and (order.kind == "file" or folders.look(top) is not None):
        return 0
    beside, _ = folders.around(top, make=True)
    with staging(scratch, beside) as stage:
        if order.kind == "tree" and folders.look(top) is None:
            return _write_fresh(folders, stage, order, made.write, contents)
        writer = _Replacing(folders, stage, order, made.replaced)
        return _write(writer, order, made.write, contents)


def _write_fresh(
    folders: Folders, stage: int, order: Order, entries: Sequence[Entry], contents: Contents
) -> int:
    """Build a whole tree aside, then give it its name, even when interrupted: what is done is kept."""
    with Folders(stage) as staged:
        staged.at(b"tree", make=True)
        try:
            return _write(_Building(staged), order, entries, contents)
        finally:
            beside, name = folders.around(order.full(b""))
            try:
                os.rename(b"tree", name, src_dir_fd=stage, dst_dir_fd=beside)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise lost(order.path, [b""]) from error
                raise


class _Building:
    """Writes into a tree that nobody sees yet."""

    def __init__(self, staged: Folders) -> None:
        self._staged = staged

    def folder(self, path: bytes) -> None:
        self._staged.at(b"tree/" + path, make=True)

    def file(self, entry: Entry, content: Content) -> None:
        folder, name = self._staged.around(b"tree/" + entry.path, make=True)
        _write_file(folder, name, entry, content)

    def link(self, entry: Entry, target: bytes) -> None:
        folder, name = self._staged.around(b"tree/" + entry.path, make=True)
        os.symlink(target, name, dir_fd=folder)


class _Replacing:
    """Finishes each file aside, then gives it its name among the others."""

    def __init__(self, folders: Folders, stage: int, order: Order, replaced: Mapping[bytes, Found]) -> None:
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
        _write_file(self._stage, b"file", entry, content)
        self._name(entry.path)

    def link(self, entry: Entry, target: bytes) -> None:
        os.symlink(target, b"file", dir_fd=self._stage)
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


def _write(writer: _Building | _Replacing, order: Order, entries: Sequence[Entry], contents: Contents) -> int:
    """Write folders, files, and links last, so that no file is ever written through a link."""
    for entry in entries:
        if entry.mode == "d":
            writer.folder(entry.path)
    links: list[tuple[Entry, bytes]] = []
    needed = [entry for entry in entries if entry.mode != "d"]
    files = size = total = 0
    for entry, content in contents(needed):
        if entry.mode == "l":
            links.append((entry, _target(order, entry, content)))
        else:
            writer.file(entry, content)
        files, size, total = files + 1, size + entry.size, total + entry.size
        if files >= _BATCH_FILES or size >= _BATCH_SIZE:
            order.progress.advance(files, size)
            files = size = 0
    for entry, target in links:
        writer.link(entry, target)
    order.progress.advance(files, size)
    return total


def _target(order: Order, entry: Entry, content: Content) -> bytes:
    """A link's target, checked: it comes from somebody else's tree."""
    target = content if isinstance(content, bytes) else content.read_bytes()
    if Digest.of(target) != entry.digest:
        raise _corrupt(entry)
    check_target(entry.path, target, order.path)
    return target


def _write_file(folder: int, name: bytes, entry: Entry, content: Content) -> None:
    """Create a file and check that it holds what it should (rule V1); on any failure it is gone again."""
    descriptor = os.open(name, NEW, 0o777 if entry.mode == "x" else 0o666, dir_fd=folder)
    try:
        try:
            if isinstance(content, bytes):
                _write_bytes(descriptor, entry, content)
            else:
                _copy(descriptor, folder, name, entry, content)
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _write_bytes(descriptor: int, entry: Entry, data: bytes) -> None:
    if Digest.of(data) != entry.digest:
        raise _corrupt(entry)
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def _copy(descriptor: int, folder: int, name: bytes, entry: Entry, source: Path) -> None:
    """Share or copy the file, then read what has arrived."""
    with open(source, "rb", buffering=0) as file:
        copy_bytes(file.fileno(), descriptor)
    arrived = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    with open(arrived, "rb", buffering=0) as file:
        if hash_stream(file).digest != entry.digest:
            raise _corrupt(entry)


def _corrupt(entry: Entry) -> ObjectCorrupt:
    return ObjectCorrupt(
        f"the object {entry.digest} does not hold the bytes of its name",
        [entry.digest],
        ["the local store"],
        hint="find what is damaged with `tally check`",
    )
