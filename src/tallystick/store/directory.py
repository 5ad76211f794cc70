"""A remote store in a folder: a disk, a mounted share."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tallystick.digest import Buffer
from tallystick.errors import AccessDenied, DiskFull, ObjectMissing, Refused, RemoteUnreachable, TallyError
from tallystick.files import TEMPORARY, begin_writing, temporary_name
from tallystick.store.backend import MARKER, Backend

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PARTS = {"packs", "index", "roots"}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_AT_ONCE = 2 << 20
"""Bytes after which the disk is told to begin with them."""


class Directory(Backend):
    """Files in a folder; no part of a name is followed through a link: someone may plant one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)

    def create(self) -> None:
        """Make the folder; refuse one that holds something else."""
        with self._translated():
            self.root.mkdir(parents=True, exist_ok=True)
            names = [name for name in os.listdir(self.root) if not name.startswith(TEMPORARY)]
        # Where packs, indexes and roots are, there was a store, and its marker was lost.
        if names and MARKER not in names and not _PARTS.issubset(names):
            raise Refused(
                f"`{self.root}` holds other things and is no Tallystick store",
                hint="choose an empty folder, or one that does not exist",
            )

    def put_new(self, name: str, data: Buffer) -> bool:
        """Write a file, durable on return; False if the name is taken."""
        folder, _, last = name.rpartition("/")
        return self.put_pieces(folder, (data,), lambda: last)

    def put_pieces(self, folder: str, pieces: Iterable[Buffer], name: Callable[[], str]) -> bool:
        """Write a file below a folder; its name is asked for once all its bytes are durable."""
        with self._translated(), self._folder(_parts(folder), make=True) as upper:
            temporary = temporary_name()
            try:
                _write(upper, temporary, pieces)
                *parts, last = name().split("/")
                with _below(os.dup(upper), parts, make=True) as lower:
                    created = _give_name(upper, temporary, lower, last)
                    os.fsync(lower)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=upper)
        return created

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or a range of them."""
        begin = start or 0
        with self._looked_up(name) as folder:
            descriptor = os.open(name.rpartition("/")[2], _READ, dir_fd=folder)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise RemoteUnreachable(f"`{name}` in `{self.url}` is not a regular file")
                return _read(descriptor, begin, status.st_size if end is None else end)
            finally:
                os.close(descriptor)

    def size(self, name: str) -> int | None:
        """How many bytes a file has; None if it is not there."""
        try:
            with self._looked_up(name) as folder:
                return os.stat(name.rpartition("/")[2], dir_fd=folder, follow_symlinks=False).st_size
        except ObjectMissing:
            return None

    def listing(self, prefix: str) -> dict[str, int]:
        """The files below a prefix, with their sizes."""
        found: dict[str, int] = {}
        with suppress(ObjectMissing), self._looked_up(prefix) as folder:
            found = dict(_walk(folder, prefix.rstrip("/")))
        if not found:
            self._check_mounted(prefix)
        return found

    def delete(self, name: str) -> None:
        """Remove a file; fine if it is not there."""
        with suppress(ObjectMissing), self._looked_up(name) as folder:
            os.unlink(name.rpartition("/")[2], dir_fd=folder)

    @contextmanager
    def _looked_up(self, name: str) -> Iterator[int]:
        """Open the folder of a name that should be there; raise ObjectMissing if that or the file is not."""
        try:
            with self._folder(_parts(name.rpartition("/")[0])) as folder:
                yield folder
        except FileNotFoundError as error:
            self._check_mounted(name)
            raise ObjectMissing(f"`{name}` is not in `{self.url}`", places=[self.url]) from error
        except OSError as error:
            raise self._error(error) from error

    def _check_mounted(self, name: str) -> None:
        """A folder that is no store any more is out of reach, not empty: its disk may not be mounted."""
        if name != MARKER and not (self.root / MARKER).exists():
            raise RemoteUnreachable(
                f"`{self.root}` is not there, or is no Tallystick store any more",
                hint="is its disk or share mounted?",
            )

    def _folder(self, parts: Sequence[str], *, make: bool = False) -> AbstractContextManager[int]:
        """Open a folder, part by part."""
        return _below(os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), parts, make=make)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> TallyError:
        """An operating system's error in our words; one that we don't know is no proof of anything."""
        reason = error.strerror or str(error)
        if error.errno in _DENIED:
            return AccessDenied(f"`{self.url}`: {reason}", hint="check who may read and write there")
        if error.errno in _FULL:
            return DiskFull(f"no room left in `{self.url}`: {reason}")
        return RemoteUnreachable(f"`{self.url}`: {reason}")


def open_backend(url: str, options: Mapping[str, str]) -> Directory:
    """The folder of a plain path or a file:// URL; it has no options."""
    if options:
        raise Refused(f"a folder has no setting `{min(options)}`")
    path = unquote(urlsplit(url).path) if "://" in url else url
    return Directory(Path(path))


def _parts(folder: str) -> list[str]:
    return folder.split("/") if folder else []


@contextmanager
def _below(descriptor: int, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """Go down from an open folder, which is closed, part by part."""
    try:
        for part in parts:
            if make:
                _make(descriptor, part)
            deeper = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = deeper
        yield descriptor
    finally:
        os.close(descriptor)


def _make(folder: int, name: str) -> None:
    """Make a folder in an open one, durable on return."""
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        os.fsync(folder)


def _write(folder: int, name: str, pieces: Iterable[Buffer]) -> None:
    """Create a file in an open folder, its bytes durable on return."""
    descriptor = os.open(name, _CREATE, 0o444, dir_fd=folder)
    try:
        written = begun = 0
        for piece in pieces:
            view = memoryview(piece)
            while view:
                count = os.write(descriptor, view[:_AT_ONCE])
                view, written = view[count:], written + count
                if written - begun >= _AT_ONCE:
                    begun = begin_writing(descriptor, begun, written)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_name(source: int, temporary: str, folder: int, name: str) -> bool:
    """Name a finished file unless the name is taken."""
    try:
        os.link(temporary, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _rename_new(source, temporary, folder, name)
    return True


def _rename_new(source: int, temporary: str, folder: int, name: str) -> bool:
    """As above where there are no hard links; names are digests with a nonce, so races are between equals."""
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return False
    os.rename(temporary, name, src_dir_fd=source, dst_dir_fd=folder)
    return True


def _read(descriptor: int, start: int, end: int) -> bytes:
    """Bytes of an open file, fewer where it ends earlier."""
    pieces = []
    while start < end and (piece := os.pread(descriptor, end - start, start)):
        pieces.append(piece)
        start += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _walk(folder: int, prefix: str) -> Iterator[tuple[str, int]]:
    """The finished files below an open folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{prefix}/{entry.name}"
            if entry.name.startswith(TEMPORARY):
                continue
            if entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield name, os.stat(entry.name, dir_fd=folder, follow_symlinks=False).st_size
            elif entry.is_dir(follow_symlinks=False):
                yield from _walk_into(folder, entry.name, name)


def _walk_into(folder: int, name: str, prefix: str) -> Iterator[tuple[str, int]]:
    with suppress(FileNotFoundError):
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
        try:
            yield from _walk(descriptor, prefix)
        finally:
            os.close(descriptor)
