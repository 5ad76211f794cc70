"""The local store's packs: which there are, what is in them, their bytes."""

import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tallystick.digest import Buffer, Digest
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing, TallyError
from tallystick.files import sync_folder, translated, write_atomic
from tallystick.store.assembling import assemble
from tallystick.store.catalogue import Catalogue
from tallystick.store.compacting import compact
from tallystick.store.index import Index, PackName
from tallystick.store.pack import Entry, decode, read_contents, table

_PACK, _INDEX = ".pack", ".idx"


class Packs:
    """A folder of packs and their indexes; an index that is lost is made again from its packs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._catalogue: Catalogue | None = None
        self._maps: dict[Digest, memoryview] = {}
        self._excluded: set[Digest] = set()
        self._stamp = 0

    @property
    def catalogue(self) -> Catalogue:
        """What lies in the packs, as of the first look or the last `refresh`."""
        if self._catalogue is None:
            self._catalogue = self._load()
        return self._catalogue

    def refresh(self) -> None:
        """Look again: another process may have added packs or set some aside."""
        self._catalogue = None
        self._maps.clear()

    def refresh_if_changed(self) -> bool:
        """Look again if the folder has changed since; say whether it had."""
        changed = self._catalogue is not None and self._stamp != _stamp(self.folder)
        if changed:
            self.refresh()
        return changed

    def publish(self, sealed: Sequence[tuple[PackName, Buffer]]) -> None:
        """Index new packs, given with their tables of contents, so that everyone finds what is in them."""
        if sealed:
            index = self._write_index(sealed)
            self.catalogue.add(index, lambda _: True)
            compact(self.folder)

    def path(self, pack: Digest) -> Path:
        """Where a pack lies."""
        return self.folder / f"{pack.hex()}{_PACK}"

    def map(self, pack: Digest) -> memoryview:
        """All bytes of a pack; raise ObjectMissing if it is not there."""
        view = self._maps.get(pack)
        if view is None:
            view = self._maps[pack] = _map(self.path(pack))
        return view

    def unmap(self, pack: Digest) -> None:
        """Let go of a pack's bytes: all that was read of it would count as ours."""
        self._maps.pop(pack, None)

    def exclude(self, pack: Digest) -> None:
        """Find nothing in this pack any more."""
        self._excluded.add(pack)
        self.refresh()

    def move(self, pack: Digest, folder: Path) -> None:
        """Take a pack out of the store, keeping its bytes in another folder."""
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError), translated(folder):
            os.rename(self.path(pack), folder / f"{pack.hex()}{_PACK}")
            sync_folder(folder)
        self.refresh()

    def sound(self, pack: Digest) -> Iterator[tuple[Digest, bytes]]:
        """The blobs of a damaged pack that still verify."""
        view = self.map(pack)
        for entry in self._entries(pack, view):
            with suppress(ObjectCorrupt):
                stored = view[entry.offset : entry.offset + entry.stored]
                yield Digest(entry.digest), decode(stored, entry.digest, entry.size, entry.encoding, "")

    def _entries(self, pack: Digest, view: memoryview) -> Iterable[Entry]:
        """A pack's contents, by itself or, where its own table is damaged, by an index."""
        try:
            return read_contents(view, len(view), str(self.path(pack)))
        except BadRecord:
            return [entry for index in self._indexes() for entry in index.entries(pack)]

    def _load(self, looks: int = 5) -> Catalogue:
        """List the folder and open its indexes; index the packs that no index covers."""
        catalogue = Catalogue()
        self._stamp = _stamp(self.folder)
        present = self._names(_PACK) - self._excluded
        covered: set[Digest] = set()
        for index in self._indexes():
            catalogue.add(index, lambda pack: pack.digest in present)
            covered.update(pack.digest for pack in index.packs)
        if present - covered and self._stamp != _stamp(self.folder) and looks > 1:
            # An index has been joined with others since the names were listed.
            return self._load(looks - 1)
        found = [pack for name in present - covered if (pack := self._contents(name))]
        if found:
            orphans = [(name, table(entries)) for name, entries in found]
            catalogue.add(self._write_index(orphans), lambda _: True)
        return catalogue

    def _names(self, suffix: str) -> set[Digest]:
        """The digests that files with this suffix are named by."""
        names = set()
        with suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                stem, ending = os.path.splitext(name)
                if ending == suffix and len(stem) == 64:
                    with suppress(ValueError):
                        names.add(Digest(bytes.fromhex(stem)))
        return names

    def _indexes(self) -> Iterator[Index]:
        """The indexes that can be read; a bad one is as good as none."""
        for name in self._names(_INDEX):
            path = self.folder / f"{name.hex()}{_INDEX}"
            with suppress(BadRecord, ObjectMissing):
                view = _map(path)
                if Digest.of(view) == name:
                    yield Index(view, str(path))

    def _contents(self, name: Digest) -> tuple[PackName, list[Entry]] | None:
        """What a pack says is in it; None if that can't be read."""
        try:
            view = self.map(name)
            return PackName(name, len(view)), read_contents(view, len(view), str(self.path(name)))
        except (BadRecord, ObjectMissing):
            return None

    def _write_index(self, packs: Iterable[tuple[PackName, Buffer]]) -> Index:
        """Index packs; where the index can't be written, what it says still holds."""
        data = assemble(packs, {})
        with suppress(TallyError):
            # The packs are durable, and tell what is in them: an index that the power takes is made again.
            write_atomic(self.folder / f"{Digest.of(data).hex()}{_INDEX}", data, 0o444, lasting=False)
        return Index(data)


def _stamp(folder: Path) -> int:
    """When the names in a folder last changed; 0 if it isn't there."""
    try:
        return os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return 0


def _map(path: Path) -> memoryview:
    """A file's bytes, by a memory map; an empty file has none."""
    try:
        with translated(path), open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except TallyError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise ObjectMissing(f"`{path}` is gone", places=[str(path)]) from error
        raise
