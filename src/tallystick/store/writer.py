"""Puts blobs into the local store: small ones into packs, large ones whole."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, repeat
from pathlib import Path

from tallystick.copying import Writing, clone_hashed, copy_hashed
from tallystick.digest import (
    Buffer,
    Digest,
    Hashed,
    Passed,
    blake3_hasher,
    fingerprint,
    hash_stream,
    unwatched,
)
from tallystick.errors import ObjectCorrupt, Refused
from tallystick.files import begin_writing, sync_folder, temporary_name, translated
from tallystick.store.background import Background
from tallystick.store.index import PackName
from tallystick.store.pack import LARGE, MAGIC, PACK_SIZE, RAW, ROW, close
from tallystick.store.parallel import ordered
from tallystick.store.shelf import Shelf
from tallystick.unnoted import opened

_BATCH = 4 << 20
"""Bytes of small blobs gathered before they are handed to the disk."""

Looked = tuple[bytes, int, int, int, int]
"""A file's path, and its size, times and inode when it was looked at."""

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
SEALED = 0o444
"""Nobody writes to a stored file again, not even by mistake."""


class _PackFile:
    """A pack being written under a temporary name; its methods run on the background thread."""

    def __init__(self, temporary: Path, descriptor: int) -> None:
        self.temporary = temporary
        self.descriptor = descriptor
        self.hasher = blake3_hasher()
        self.size = self._begun = 0

    def write(self, data: Buffer) -> None:
        _write_all(self.descriptor, data, self.temporary)
        self.hasher.update(data)
        self.size += len(data)
        self._begun = begin_writing(self.descriptor, self._begun, self.size)

    def seal(self) -> PackName:
        """Make the pack durable and give it its name."""
        name = PackName(Digest(self.hasher.digest()), self.size)
        with translated(self.temporary):
            os.fsync(self.descriptor)
            os.rename(self.temporary, self.temporary.parent / f"{name.digest.hex()}.pack")
        return name


class Writer:
    """Takes blobs; each pack is durable once it is full, and found once `commit` has returned."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._disk = Background()
        self._seen: set[bytes] = set()
        self._pack: _PackFile | None = None
        self._rows, self._end = bytearray(), len(MAGIC)
        self._batch: list[Buffer] = []
        self._batched = 0
        self._folders: set[Path] = set()
        self._unfinished: dict[Path, int] = {}
        self.sealed: list[tuple[PackName, Buffer]] = []

    def add(self, data: bytes) -> Digest:
        """Store bytes; say what they are called."""
        digest = Digest.of(data)
        self.put(digest, data)
        return digest

    def put(self, digest: Digest, data: Buffer) -> None:
        """Store bytes whose digest the caller has just computed from them."""
        if len(data) >= LARGE:
            if not self._is_whole(digest):
                with self._object(digest) as write:
                    write(data)
            return
        if digest not in self._seen and not self._shelf.is_packed(digest):
            self._pack_up(digest, data)

    def put_stretch(self, digests: Sequence[Digest], sizes: Sequence[int], data: Buffer) -> None:
        """Store small blobs that lie one behind the other, verified by the caller; none is here yet."""
        offsets = accumulate(sizes, initial=self._end)
        self._rows += b"".join(map(ROW.pack, digests, offsets, sizes, sizes, repeat(RAW)))
        self._seen.update(digests)
        self._append(data)

    def _pack_up(self, digest: Digest, data: Buffer) -> None:
        """Append a small blob that is not there yet to the pack."""
        size = len(data)
        self._seen.add(digest)
        self._rows += ROW.pack(digest, self._end, size, size, RAW)
        self._append(data)

    def _append(self, data: Buffer) -> None:
        """Take the bytes that the last rows tell of."""
        self._end += len(data)
        self._batch.append(data)
        self._batched += len(data)
        if self._batched >= _BATCH:
            self._flush()
        if self._end >= PACK_SIZE:
            self._seal()

    def adopt(self, pack: PackName, rows: bytes) -> None:
        """Take in a pack that lies there already, durable, each of its blobs verified by the caller.

        That they are here now is the caller's to remember, who keeps count of what is still to come.
        """
        self.sealed.append((pack, rows))

    def put_pieces(self, digest: Digest, pieces: Iterable[Buffer]) -> None:
        """Store a large blob that comes in pieces; raise ObjectCorrupt if they make another."""
        if self._is_whole(digest):
            return
        hasher = blake3_hasher()
        with self._unnamed() as (_, target, give_name):
            with translated(self._shelf.objects), Writing(target) as writing:
                for piece in pieces:
                    hasher.update(piece)
                    writing.take(piece)
            if hasher.digest() != digest:
                raise ObjectCorrupt(f"{digest} does not come out of its chunks", [digest])
            give_name(digest)

    def add_file(self, path: bytes | str | Path, passed: Passed = unwatched) -> Hashed:
        """Store a file as it is now, in one read; raise Refused if it doesn't hold still (rule C8).

        `passed` hears of the bytes of a large file while they are read.
        """
        for _ in range(2):
            hashed = self._add_once(os.fspath(path), passed)
            if hashed is not None:
                return hashed
        name = os.fsdecode(path)
        raise Refused(
            f"`{name}` changed while it was read", hint="wait until nothing writes to it, then repeat"
        )

    def add_files(
        self, files: Iterable[Looked], passed: Passed = unwatched, jobs: int = 1
    ) -> Iterator[tuple[bytes, bytes]]:
        """Store files, the small ones read `jobs` at a time; say of each its digest and its fingerprint.

        Each comes with its size, times and inode as they were before: that saves another look.
        """
        for path, data in ordered(_read_small, files, jobs) if jobs > 1 else map(_read_small, files):
            if data is None:
                hashed = self.add_file(path, passed)
                yield hashed.digest, hashed.fingerprint
                continue
            digest = Digest.of(data)
            if digest not in self._seen and not self._shelf.is_packed(digest):
                self._pack_up(digest, data)
            yield digest, fingerprint(data)

    def commit(self) -> None:
        """Make everything durable."""
        if self._rows:
            self._seal()
        self._disk.finish()
        with translated(self._shelf.objects):
            for folder in self._folders:
                sync_folder(folder)
            if self.sealed:
                sync_folder(self._shelf.packs)

    def close(self) -> None:
        """Delete what `commit` did not finish; packs that are sealed stay, for the next try."""
        with suppress(Exception):
            self._disk.finish()
        for temporary, descriptor in self._unfinished.items():
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
        self._unfinished.clear()
        # The index that is written next takes as much memory again.
        self._seen.clear()

    def _is_whole(self, digest: Digest) -> bool:
        return digest in self._seen or self._shelf.is_whole(digest)

    def _flush(self) -> None:
        """Hand what is gathered to the disk."""
        pack, batch = self._open_pack(), self._batch
        self._batch, self._batched = [], 0
        self._disk.submit(lambda: pack.write(b"".join(batch)))

    def _open_pack(self) -> _PackFile:
        if self._pack is None:
            self._pack = _PackFile(*self._create(self._shelf.packs))
            self._batch.insert(0, MAGIC)
        return self._pack

    def _create(self, folder: Path) -> tuple[Path, int]:
        """Open a new file under a temporary name."""
        temporary = folder / temporary_name()
        with translated(folder):
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, _CREATE, SEALED)
        self._unfinished[temporary] = descriptor
        return temporary, descriptor

    def _close(self, temporary: Path) -> None:
        """A file is finished, under its own name, or not wanted."""
        os.close(self._unfinished.pop(temporary))
        temporary.unlink(missing_ok=True)

    def _seal(self) -> None:
        """Close the pack; the next blob opens a new one."""
        rows = bytes(self._rows)
        self._batch.append(close(rows, self._end))
        self._flush()
        pack = self._open_pack()
        self._disk.submit(lambda: self._finish_pack(pack, rows))
        self._pack, self._rows, self._end = None, bytearray(), len(MAGIC)

    def _finish_pack(self, pack: _PackFile, rows: bytes) -> None:
        """On the background thread: make a pack durable and note that it can be found."""
        self.sealed.append((pack.seal(), rows))
        self._close(pack.temporary)

    def _add_once(self, path: bytes | str, passed: Passed) -> Hashed | None:
        """Store a file; None if it changed meanwhile."""
        source = _open(path)
        try:
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                raise Refused(f"`{os.fsdecode(path)}` is not a regular file")
            if before.st_size >= LARGE:
                if self._shelf.shares and _can_share(before):
                    return self._share_large(path, source, before, passed)
                return self._add_large(source, before, passed)
            data = os.read(source, before.st_size + 1)
            if len(data) != before.st_size or not _is_same(before, os.fstat(source)):
                return None
        finally:
            os.close(source)
        return Hashed(self.add(data), fingerprint(data), len(data))

    def _add_large(self, source: int, before: os.stat_result, passed: Passed) -> Hashed | None:
        """Clone or copy a large file, hashing its bytes meanwhile; None if the file changed meanwhile."""
        with self._unnamed() as (_, target, give_name), translated(self._shelf.objects):
            cloned = clone_hashed(source, target, passed)
            # Somebody may append to it: following along might never end.
            hashed = cloned or copy_hashed(source, target, passed, before.st_size)
            held_still = hashed.size == before.st_size and _is_same(before, os.fstat(source))
            if held_still and not self._is_whole(hashed.digest):
                give_name(hashed.digest)
                self._shelf.copied += 0 if cloned else hashed.size
        return hashed if held_still else None

    def _share_large(
        self, path: bytes | str, source: int, before: os.stat_result, passed: Passed
    ) -> Hashed | None:
        """Give a large file a second name in the store; None if it changed while it was read."""
        with open(source, "rb", buffering=0, closefd=False) as file:
            hashed = hash_stream(file, passed)
        if hashed.size != before.st_size or not _is_same(before, os.fstat(source)):
            return None
        if self._is_whole(hashed.digest):
            return hashed
        temporary = self._shelf.objects / temporary_name()
        with translated(self._shelf.objects):
            self._shelf.objects.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, temporary, follow_symlinks=False)
        except OSError:
            # Another file system, or one without hard links.
            os.lseek(source, 0, os.SEEK_SET)
            return self._add_large(source, before, unwatched)
        try:
            os.fchmod(source, SEALED)
            os.fsync(source)
            named = os.lstat(temporary)
            if (named.st_ino, named.st_mtime_ns) != (before.st_ino, before.st_mtime_ns):
                return None
            self._shelf.note_shared(hashed.digest, named)
            self._name_object(temporary, hashed.digest)
            self._seen.add(hashed.digest)
        finally:
            temporary.unlink(missing_ok=True)
        return hashed

    @contextmanager
    def _object(self, digest: Digest) -> Iterator[Callable[[Buffer], None]]:
        """Write a large blob: the body gets a function that takes its bytes, in order."""
        with self._unnamed() as (write, _, give_name):
            yield write
            give_name(digest)

    @contextmanager
    def _unnamed(self) -> Iterator[tuple[Callable[[Buffer], None], int, Callable[[Digest], None]]]:
        """A new file: how to write to it, its descriptor, how to name it. Without a name it is deleted."""
        temporary, target = self._create(self._shelf.objects)
        named: list[Digest] = []
        yield (
            lambda data: self._disk.submit(lambda: _write_all(target, data, temporary)),
            target,
            named.append,
        )
        self._seen.update(named)
        self._disk.submit(lambda: self._finish_object(temporary, named))

    def _finish_object(self, temporary: Path, named: list[Digest]) -> None:
        """On the background thread: make a large blob durable, then name it."""
        with translated(temporary):
            for digest in named:
                os.fsync(self._unfinished[temporary])
                self._name_object(temporary, digest)
        self._close(temporary)

    def _name_object(self, temporary: Path, digest: Digest) -> None:
        final = self._shelf.object_name(digest)
        if not final.parent.is_dir():
            final.parent.mkdir(exist_ok=True)
            self._folders.add(final.parent.parent)
        os.rename(temporary, final)
        self._folders.add(final.parent)


def _can_share(status: os.stat_result) -> bool:
    """Whether a file may be the store's too: our own, under one name, and not executable (rule P4)."""
    return status.st_uid == os.geteuid() and status.st_nlink == 1 and not status.st_mode & 0o111


def _write_all(descriptor: int, data: Buffer, path: Path) -> None:
    """Write all bytes, however many calls that takes."""
    view = memoryview(data)
    with translated(path):
        while view:
            view = view[os.write(descriptor, view) :]


def _open(path: bytes | str) -> int:
    """Open a user's file for reading, never through a link."""
    try:
        return opened(path, _READ)
    except OSError:
        with translated(os.fsdecode(path)):
            raise


def _read_small(file: Looked) -> tuple[bytes, bytes | None]:
    """A file's path and, of a small one that holds still, its bytes."""
    path, *before = file
    return path, None if before[0] >= LARGE else _read_still(path, before)


def _read_still(path: bytes, before: list[int]) -> bytes | None:
    """A small file's bytes; None if it doesn't look as it did before, or can't be read (rule C8)."""
    try:
        source = opened(path, _READ)
        try:
            size, mtime, ctime, inode = before
            data = os.read(source, size + 1)
            after = os.fstat(source)
        finally:
            os.close(source)
    except OSError:
        # Who looks again says why.
        return None
    still = (
        len(data) == size == after.st_size
        and after.st_mtime_ns == mtime
        and after.st_ctime_ns == ctime
        and after.st_ino == inode
        and stat.S_ISREG(after.st_mode)
    )
    return data if still else None


def _is_same(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file looks untouched between two looks."""
    return (
        before.st_size == after.st_size
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_ino == after.st_ino
    )
