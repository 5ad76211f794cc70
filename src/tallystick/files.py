"""Write files so that a crash leaves the old state or the new one; copy, lock and share them."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tallystick.digest import Buffer
from tallystick.errors import DiskFull, Locked, TallyError

FICLONE = 0x40049409
"""The Linux ioctl that shares a file's blocks (linux/fs.h)."""

TEMPORARY = ".tally-"
"""How the names of our unfinished files begin; whatever is left over with it may be deleted."""

_MANY = 100
"""So many files at a time are worth asking the system to write everything."""

_PAGE = 4096

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def translated(path: Path | str) -> Iterator[None]:
    """Turn an operating system's error about one of our own files into ours, naming the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _NO_ROOM:
            raise DiskFull(
                f"no room to write `{path}`: {reason}", hint="free some space and repeat the command"
            ) from error
        raise TallyError(f"`{path}`: {reason}") from error


def sync_folder(folder: Path | str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def begin_writing(descriptor: int, start: int, end: int) -> int:
    """Let the disk begin with what was written, up to the last whole page; say how far it has been told.

    Left alone, it waits for the sync at the end and is idle while the bytes before that are verified. "Not
    needed soon" is what makes a system begin; what it doesn't know of that advice the sync does alone.
    """
    whole = end - end % _PAGE
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, start, whole - start, os.POSIX_FADV_DONTNEED)
    return whole


def temporary_name() -> str:
    """A name for an unfinished file that nobody else takes."""
    return f"{TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"


@contextmanager
def atomic_file(path: Path, mode: int = 0o644, *, lasting: bool = True) -> Iterator[BinaryIO]:
    """Write a file that appears under its name whole and durable, or not at all (rule C1).

    One that need not be `lasting` is whole for other processes, and may be lost, or torn, if the power is.
    Folders above it are made. Raises DiskFull or TallyError; the body's own errors pass unchanged.
    """
    temporary = path.parent / temporary_name()
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, mode)
    try:
        with translated(path), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if lasting:
                # A failed one condemns the file: the kernel may have dropped the pages, asking again lies.
                os.fsync(descriptor)
        with translated(path):
            os.replace(temporary, path)
            if lasting:
                sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, data: Buffer, mode: int = 0o644, *, lasting: bool = True) -> None:
    """Replace a file's content, or create it, whole and, if it is to be `lasting`, durable."""
    with atomic_file(path, mode, lasting=lasting) as file:
        file.write(data)


def write_all(files: Mapping[Path, Buffer], mode: int = 0o644) -> None:
    """Replace or create many files, each whole and durable; those of one folder share its making durable."""
    temporaries = {path: path.parent / temporary_name() for path in files}
    try:
        for path, temporary in temporaries.items():
            with translated(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_new(temporary, files[path], mode)
        if len(files) >= _MANY:
            # One pass over the disk; what follows for each file finds it written already.
            os.sync()
        for path, temporary in temporaries.items():
            with translated(path):
                _sync_file(temporary)
                os.replace(temporary, path)
        for folder in dict.fromkeys(path.parent for path in files):
            with translated(folder):
                sync_folder(folder)
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise


def _write_new(path: Path, data: Buffer, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_exclusive(path: Path, data: Buffer, mode: int = 0o644) -> bool:
    """Create a file whole and durable unless the name is taken; say whether it was created.

    A hard link is the one way in POSIX to give a finished file a name without ever replacing another.
    """
    temporary = path.parent / temporary_name()
    write_atomic(temporary, data, mode)
    try:
        with translated(path):
            os.link(temporary, path)
    except TallyError as error:
        if isinstance(error.__cause__, FileExistsError):
            return False
        raise
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def reflink(source: int, destination: int) -> bool:
    """Share the blocks of an open file with another, empty one; say whether the filesystem can."""
    try:
        fcntl.ioctl(destination, FICLONE, source)
    except OSError:
        return False
    return True


def copy_bytes(source: int, destination: int) -> None:
    """Copy an open file into another, empty one, inside the kernel where that is possible."""
    if reflink(source, destination):
        return
    with (
        open(source, "rb", buffering=0, closefd=False) as reader,
        open(destination, "wb", buffering=0, closefd=False) as writer,
    ):
        shutil.copyfileobj(reader, writer, 1 << 20)


@contextmanager
def lock(path: Path, *, what: str, wait: float = 10.0) -> Iterator[int]:
    """Hold a file's lock; raise Locked, saying `what` is locked, when another holds it for `wait` seconds.

    The kernel frees the lock when its holder dies, so there is nothing to clean up after a crash. A process
    that is handed the open descriptor holds it too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with translated(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        _take(descriptor, what, time.monotonic() + wait)
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, what: str, deadline: float) -> None:
    """Take an open file's lock, or raise Locked when the deadline (monotonic seconds) has passed."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 20, 0).decode(errors="replace")
                raise Locked(
                    f"{what} is locked by another tally (process {holder or 'unknown'})",
                    hint="wait for it to end, then repeat the command",
                ) from None
            time.sleep(0.05)
        else:
            return
