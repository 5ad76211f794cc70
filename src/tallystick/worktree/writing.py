"""Write one new file, and prove that it holds what it should (rule V1)."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from tallystick.copying import clone_hashed, copy_hashed
from tallystick.digest import Digest, Hashed, Passed, fingerprint, unwatched
from tallystick.errors import ObjectCorrupt
from tallystick.files import copy_bytes, temporary_name
from tallystick.records.tree import Entry


class Verified(NamedTuple):
    """Bytes, and the digest that somebody has just computed from them: hashing them again proves nothing."""

    digest: Digest
    data: bytes


class Stored(NamedTuple):
    """A file of the store that may have a second name in the worktree, and what was just read from it.

    With a `target` it gets no name, but a symbolic link that says this.
    """

    path: Path
    hashed: Hashed
    target: bytes | None = None


Content = bytes | Verified | Path | Stored

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Written(NamedTuple):
    """A finished file: its change fingerprint, and what the system said of it."""

    fingerprint: bytes
    status: os.stat_result


def write_file(
    folder: int, name: bytes, entry: Entry, content: Content, passed: Passed = unwatched
) -> Written:
    """Create a file that holds an entry's bytes; on any failure it is gone again.

    `passed` hears of the bytes of a file of the store while they are copied.
    """
    if isinstance(content, Stored):
        linked = _link(folder, name, entry, content)
        if linked is not None:
            passed(entry.size)
            return linked
        content = content.path
    descriptor = os.open(name, NEW, 0o777 if entry.mode == "x" else 0o666, dir_fd=folder)
    try:
        try:
            if isinstance(content, Path):
                change = _copy(descriptor, entry, content, passed)
            else:
                change = _write_bytes(descriptor, proven(entry, content))
            return Written(change, os.fstat(descriptor))
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def corrupt(entry: Entry) -> ObjectCorrupt:
    """The error that a store's object is not what its name says."""
    return ObjectCorrupt(
        f"the object {entry.digest} does not hold the bytes of its name",
        [entry.digest],
        ["the local store"],
        hint="find what is damaged with `tally check`",
    )


def proven(entry: Entry, content: Content) -> bytes:
    """The bytes of an entry; raise ObjectCorrupt if they are not what the entry says."""
    if isinstance(content, Stored):
        content = content.path
    if isinstance(content, Path):
        content = content.read_bytes()
    digest, data = content if isinstance(content, Verified) else (Digest.of(content), content)
    if digest != entry.digest or len(data) != entry.size:
        raise corrupt(entry)
    return data


def _link(folder: int, name: bytes, entry: Entry, content: Stored) -> Written | None:
    """Give a stored file another name, or a link; None where that can't be, so that it has to be copied."""
    if content.hashed.digest != entry.digest or content.hashed.size != entry.size:
        raise corrupt(entry)
    try:
        if content.target is None:
            os.link(content.path, name, dst_dir_fd=folder, follow_symlinks=False)
        else:
            os.symlink(content.target, name, dir_fd=folder)
    except FileExistsError:
        raise
    except OSError:
        return None
    return Written(content.hashed.fingerprint, os.lstat(content.path))


def unshare(folder: int, name: bytes, stored: bytes | None = None) -> bool:
    """Make a file the user's own and writable, by a copy if it has other names; say whether it wasn't.

    Of a link to a file of the store, `stored` is that file: the copy takes the link's place.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    source = os.open(name, flags, dir_fd=folder) if stored is None else os.open(stored, flags)
    try:
        status = os.fstat(source)
        mode = status.st_mode & 0o777 | 0o200
        if status.st_nlink == 1 and stored is None:
            if status.st_mode & 0o200:
                return False
            os.fchmod(source, mode)
            return True
        temporary = os.fsencode(temporary_name())
        try:
            descriptor = os.open(temporary, NEW, mode, dir_fd=folder)
            try:
                copy_bytes(source, descriptor)
                os.fchmod(descriptor, mode)
                os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
            finally:
                os.close(descriptor)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        return True
    finally:
        os.close(source)


def _write_bytes(descriptor: int, data: bytes) -> bytes:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])
    return fingerprint(data)


def _copy(descriptor: int, entry: Entry, source: Path, passed: Passed) -> bytes:
    """Share the file's blocks and hash them, or copy it, hashing each piece on its way."""
    with open(source, "rb", buffering=0) as file:
        hashed = clone_hashed(file.fileno(), descriptor, passed, sealed=True)
        if hashed is None:
            hashed = copy_hashed(file.fileno(), descriptor, passed)
    if hashed.digest != entry.digest or hashed.size != entry.size:
        raise corrupt(entry)
    return hashed.fingerprint
