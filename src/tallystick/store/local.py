"""The local store: every blob this machine has, large ones as files, small ones in packs."""

import io
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tallystick.digest import Digest, Hashed, Name, hash_file
from tallystick.errors import ObjectCorrupt, ObjectMissing, TallyError
from tallystick.files import translated
from tallystick.store.catalogue import Survey
from tallystick.store.index import Place
from tallystick.store.pack import decode
from tallystick.store.packs import Packs
from tallystick.store.shared import Shared
from tallystick.store.writer import SEALED, Writer

_LIST_FROM = 64
"""Looking for more large blobs than this, listing all of them is quicker than asking for each."""


class Stock(NamedTuple):
    """Where some blobs are: nowhere here, in packs, or whole, with the size of each."""

    absent: Set[bytes]
    packed: Survey
    whole: dict[Digest, int]

    @property
    def size(self) -> int:
        """How many bytes those have that are here."""
        return self.packed.size + sum(self.whole.values())


class LocalStore:
    """Blobs by digest, in a folder of their own; several processes may use it at once."""

    def __init__(self, root: Path, link: str = "") -> None:
        self.root = root
        self.links = link == "symlink"
        """Whether large files of the worktree are links to the store's."""
        self.shares = self.links or link == "hardlink"
        """Whether large files of the worktree and of the store are one."""
        self.copied = 0
        """Bytes of large files that were copied, because the file system can't share their blocks."""
        self.objects = root / "objects"
        self.packs = root / "packs"
        self.quarantine = root / "quarantine"
        self._packs = Packs(self.packs)
        self._shared = Shared(root / "shared")

    def contains(self, digest: Digest) -> bool:
        """Whether a blob is here."""
        return not self.missing((digest,))

    def is_packed(self, digest: Digest) -> bool:
        """Whether a blob is in a pack."""
        return digest in self._packs.catalogue

    def is_whole(self, digest: Digest) -> bool:
        """Whether a blob is a file of its own."""
        return self.object_path(digest) is not None

    def in_packs(self, digests: Iterable[Digest]) -> set[Digest]:
        """Which of these blobs are in packs."""
        return self._packs.catalogue.known(set(digests))

    def missing(self, digests: Iterable[Name]) -> set[Name]:
        """Which of these blobs are not here."""
        # Of a hundred thousand a copy takes a while, and none is needed: what is lacking is a set of its own.
        wanted = self._packs.catalogue.lacking(digests if isinstance(digests, set) else set(digests))
        if len(wanted) > _LIST_FROM:
            wanted -= self.whole()
        else:
            wanted = {digest for digest in wanted if not self.is_whole(Digest(digest))}
        if wanted and self._packs.refresh_if_changed():
            wanted = self._packs.catalogue.lacking(wanted)
        return wanted

    def stock(self, wanted: Set[bytes]) -> Stock:
        """Where these blobs are, and how many bytes they have."""
        packed = self._packs.catalogue.survey(wanted)
        whole = {}
        for digest in map(Digest, packed.lacking):
            if (path := self.object_path(digest)) is not None:
                whole[digest] = path.stat().st_size
        absent = packed.lacking - whole.keys()
        if absent and self._packs.refresh_if_changed():
            return self.stock(wanted)
        return Stock(absent, packed, whole)

    def size(self, digest: Digest) -> int:
        """How many bytes a blob has."""
        if not self.contains(digest):
            raise self._absent(digest)
        return self.total((digest,))

    def total(self, digests: Iterable[bytes]) -> int:
        """How many bytes those of these blobs have that are here."""
        return self.stock(set(digests)).size

    def object_name(self, digest: Digest) -> Path:
        """Where a large blob lies, if it is here."""
        name = digest.hex()
        return self.objects / name[:2] / name

    def object_path(self, digest: Digest) -> Path | None:
        """The read-only file of a large blob; None if it is not here or lies in a pack.

        One that was edited in place, through another name that it has in the worktree, is set aside.
        """
        path = self.object_name(digest)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        if self._shared.is_changed(digest, status):
            with translated(path):
                whole = hash_file(str(path)).digest == digest
            if not whole:
                self._set_aside_whole(digest, path)
                return None
            self._shared.note(digest, status)
        return path

    def share(self, digest: Digest) -> Hashed | None:
        """Prepare a large blob to get another name in the worktree, or a link, verified; None if it can't."""
        path = self.object_path(digest)
        if path is None or not self.shares:
            return None
        before = os.lstat(path)
        if before.st_uid != os.geteuid():
            return None
        with translated(path):
            hashed = hash_file(str(path))
        if hashed.digest != digest:
            raise self._set_aside_whole(digest, path)
        if stat.S_IMODE(before.st_mode) != SEALED:
            os.chmod(path, SEALED)
        self.note_shared(digest, before)
        return hashed

    def without_links(self) -> "LocalStore":
        """The same store for a worktree that others don't see from where they are: it gets copies."""
        return LocalStore(self.root) if self.links else self

    def note_shared(self, digest: Digest, status: os.stat_result) -> None:
        """Remember how a file looks that has a name in the worktree too."""
        self._shared.note(digest, status)

    def read(self, digest: Digest) -> bytes:
        """A blob's bytes, verified."""
        for _, data in self.read_many((digest,)):
            return data
        raise self._absent(digest)

    def read_many(self, digests: Iterable[Digest]) -> Iterator[tuple[Digest, bytes]]:
        """Blobs' bytes, verified, in the order in which they lie; raise ObjectMissing for those not here."""
        wanted = set(digests)
        places = list(self._packs.catalogue.places(wanted))
        wanted.difference_update([digest for digest, _ in places])
        if wanted:
            absent = self.missing(wanted)
            if absent:
                raise self._absent(*absent)
            # Looking for what was missing may have found packs that came meanwhile.
            later = list(self._packs.catalogue.places(wanted))
            wanted.difference_update([digest for digest, _ in later])
            places += later
        places.sort(key=itemgetter(1))
        for pack, group in groupby(places, key=lambda found: found[1].pack):
            yield from self._read_pack(pack, list(group))
            # Its pages count as memory of ours for as long as they are mapped.
            self._packs.unmap(pack)
        for digest in wanted:
            path = self.object_path(digest)
            if path is None:
                raise self._absent(digest)
            yield digest, self._read_whole(digest, path)

    def open(self, digest: Digest) -> BinaryIO:
        """A blob to read from, verified before its first byte."""
        path = self.object_path(digest)
        if path is None:
            return io.BytesIO(self.read(digest))
        self.verify(digest)
        with translated(path):
            return path.open("rb")

    def verify(self, digest: Digest) -> None:
        """Read a blob again; raise ObjectMissing or ObjectCorrupt, and set a damaged one aside."""
        path = self.object_path(digest)
        if path is None:
            self.read(digest)
            return
        with translated(path):
            found = hash_file(str(path)).digest
        if found != digest:
            raise self._set_aside_whole(digest, path)

    def spots(
        self, digests: Set[bytes]
    ) -> Iterator[tuple[list[Path], Iterator[tuple[bytes, int, int, int]]]]:
        """Packs, and the blobs that lie in them as they are: digest, which of the packs, offset and size.

        Their bytes are not verified.
        """
        for index, rows in self._packs.catalogue.survey(digests).found:
            yield [self._packs.path(pack.digest) for pack in index.packs], index.spots(rows)

    def pack_path(self, pack: Digest) -> Path:
        """Where a pack lies."""
        return self._packs.path(pack)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """Store blobs; at the end they are durable. What was complete when something failed is kept."""
        writer = Writer(self)
        try:
            try:
                yield writer
            except BaseException:
                with suppress(TallyError, OSError):
                    writer.commit()
                raise
            writer.commit()
        finally:
            writer.close()
            self._packs.publish(writer.sealed)

    def set_aside_pack(self, pack: Digest) -> None:
        """Move a damaged pack to the quarantine, storing again every blob in it that is still whole."""
        sound = list(self._packs.sound(pack))
        self._packs.exclude(pack)
        with self.writer() as writer:
            for digest, data in sound:
                writer.put(digest, data)
        self._packs.move(pack, self.quarantine)

    def _read_pack(
        self, pack: Digest, found: Collection[tuple[Digest, Place]]
    ) -> Iterator[tuple[Digest, bytes]]:
        name = str(self._packs.path(pack))
        try:
            view = self._packs.map(pack)
        except ObjectMissing:
            # Another process has set it aside, and stored again what is sound.
            self._packs.refresh()
            yield from self.read_many([digest for digest, _ in found])
            return
        for digest, place in found:
            stored = view[place.offset : place.offset + place.stored]
            try:
                data = decode(stored, digest, place.size, place.encoding, name)
            except ObjectCorrupt:
                self.set_aside_pack(pack)
                raise
            yield digest, data

    def _read_whole(self, digest: Digest, path: Path) -> bytes:
        with translated(path):
            data = path.read_bytes()
        if Digest.of(data) != digest:
            raise self._set_aside_whole(digest, path)
        return data

    def _set_aside_whole(self, digest: Digest, path: Path) -> ObjectCorrupt:
        """Move a damaged large blob to the quarantine; give the error to raise."""
        with translated(path):
            self.quarantine.mkdir(parents=True, exist_ok=True)
            aside = self.quarantine / path.name
            if aside.exists():
                # It may be what somebody wrote: nobody else may have those bytes.
                os.rename(aside, f"{aside}.{os.urandom(8).hex()}")
            os.rename(path, aside)
        self._shared.forget(digest)
        return ObjectCorrupt(
            f"{digest} was damaged in the local store and is now in `{self.quarantine}`",
            [digest],
            [str(path)],
            hint="`tally fetch` brings it back from a remote",
        )

    def whole(self) -> set[Digest]:
        """All large blobs."""
        found: set[Digest] = set()
        with suppress(FileNotFoundError):
            for folder in os.listdir(self.objects):
                with suppress(NotADirectoryError, ValueError):
                    names = os.listdir(self.objects / folder)
                    found.update(Digest(bytes.fromhex(name)) for name in names if len(name) == 64)
        return found.difference(one for one in self._shared.listed() if not self.is_whole(one))

    def _absent(self, digest: Digest) -> ObjectMissing:
        return ObjectMissing(
            f"{digest} is not in the local store",
            [digest],
            [str(self.root)],
            hint="`tally fetch` may bring it",
        )
