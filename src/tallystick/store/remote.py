"""A remote store: packs, indexes and root records at a place that the user owns."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tallystick.digest import Buffer, Digest, Name
from tallystick.errors import (
    AccessDenied,
    BadRecord,
    ObjectCorrupt,
    ObjectMissing,
    Refused,
    RemoteUnreachable,
)
from tallystick.files import write_atomic
from tallystick.records import root as root_record
from tallystick.records import tombstone as tombstone_record
from tallystick.records.root import RootRecord, StoreFormat
from tallystick.store import merging
from tallystick.store.backend import MARKER, Backend
from tallystick.store.backends import backend_of
from tallystick.store.catalogue import Catalogue
from tallystick.store.copies import Copies, digest_in
from tallystick.store.glance import FEW, LARGE, Glance, Held, Thrift
from tallystick.store.index import Index, PackName, Place
from tallystick.store.journal import Journal
from tallystick.store.pack import TRAILER, decode, read_table, read_trailer
from tallystick.store.settled import Settled, recall

_PACKS, _ROOTS, _TOMBSTONES = "packs/", "roots/", "tombstones/"

_LOOKS = 5
"""How often a look begins again when indexes are joined under its eyes."""


class Shelved(NamedTuple):
    """What a remote has of some blobs: those it lacks, the packs that hold the others, and their bytes."""

    lacking: Set[bytes]
    packs: set[Digest]
    size: int


class RemoteStore:
    """Blobs by digest at a remote; what it holds is asked of the remote, index files are kept here."""

    def __init__(self, name: str, backend: Backend, cache: Path) -> None:
        self.name = name
        self.backend = backend
        self.journal = Journal(cache / "journal")
        self.cache = cache
        self._keeps_all = cache / "keeps-all"
        self._indexes = Copies(cache / "index")
        self._catalogue: Catalogue | None = None
        self._packs: dict[Digest, int] = {}
        self._misfits: set[Digest] = set()

    @classmethod
    def create(cls, url: str, options: Mapping[str, str], cache: Path, *, name: str = "") -> "RemoteStore":
        """Make a store at a URL; fine if there is one already."""
        backend = backend_of(url, options)
        if backend.size(MARKER) is None:
            # What is a store already may be one that can only be read.
            backend.create()
            backend.put_new(MARKER, root_record.render_format(StoreFormat()))
        return cls._checked(name or url, backend, cache)

    @classmethod
    def open(cls, url: str, options: Mapping[str, str], cache: Path, *, name: str = "") -> "RemoteStore":
        """Open the store at a URL; raise Refused if there is none, BadRecord for a later version's."""
        return cls._checked(name or url, backend_of(url, options), cache)

    @classmethod
    def _checked(cls, name: str, backend: Backend, cache: Path) -> "RemoteStore":
        try:
            data = backend.get(MARKER, 0, root_record.FORMAT_LIMIT + 1)
        except ObjectMissing as error:
            raise Refused(
                f"`{backend.url}` is no Tallystick store",
                hint="`tally remote add` makes one; if it should be one, is its disk mounted?",
            ) from error
        root_record.parse_format(data, f"{backend.url}/{MARKER}")
        return cls(name, backend, cache)

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        return self.backend.url

    @property
    def catalogue(self) -> Catalogue:
        """What the remote holds, as of the first look or the last `refresh`."""
        if self._catalogue is None:
            self.refresh()
        assert self._catalogue is not None
        return self._catalogue

    def refresh(self, without: Collection[Digest] = ()) -> None:
        """Ask the remote which indexes and packs it has; packs `without` count as gone."""
        for _ in range(_LOOKS):
            listed = self._listed()
            for pack in without:
                self._packs.pop(pack, None)
            # If one is gone, a push has just joined it with others: the list was old before it was read.
            with suppress(ObjectMissing):
                self._catalogue = self._loaded(listed)
                return
        raise RemoteUnreachable(f"the indexes of `{self.url}` vanish while they are read", hint="try again")

    def _listed(self) -> dict[str, int]:
        """Ask which indexes and packs there are."""
        # Indexes first: a pack is there before the index that names it, so none of these can look lost.
        listed = self._indexes.listing(self.backend)
        self._packs = self.pack_sizes()
        self._misfits.clear()
        return listed

    def _loaded(self, listed: Mapping[str, int]) -> Catalogue:
        catalogue = Catalogue()
        for index in self._indexes.load(self.backend, listed):
            catalogue.add(index, self.has_pack)
        return catalogue

    def glance(self, wanted: set[Digest]) -> Glance | None:
        """A way to find few blobs without copying large indexes; None if there is no need for one."""
        if self._catalogue is not None or len(wanted) > FEW:
            return None
        listed = self._listed()
        large = {
            path: size for path, size in listed.items() if size >= LARGE and not self._indexes.is_kept(path)
        }
        with suppress(ObjectMissing, BadRecord):
            catalogue = self._loaded({path: size for path, size in listed.items() if path not in large})
            if large:
                indexes = Thrift(self.backend, large).indexes()
                return Glance(catalogue, indexes, self.has_pack, self.table)
            self._catalogue = catalogue
        return None

    @property
    def damaged(self) -> list[str]:
        """Indexes that do not hash to their names, and packs of another size than indexes say.

        What only they have counts as missing.
        """
        return [*self._indexes.damaged, *(f"{self.url}/{pack_path(pack)}" for pack in sorted(self._misfits))]

    def creates_exclusively(self) -> bool | None:
        """Find out, by trying, whether the remote refuses to write a name twice (rule L2).

        Where it doesn't, safety rests on our names alone, which nobody else can have chosen. None where we
        may not write at all.
        """
        name = f"probe/{os.urandom(16).hex()}"
        try:
            if not self.backend.put_new(name, b"first"):
                return False
        except (AccessDenied, Refused):
            return None
        try:
            return not self.backend.put_new(name, b"second")
        finally:
            # What may be written may not be deleted everywhere; a few bytes stay there then.
            with suppress(AccessDenied):
                self.backend.delete(name)

    def has_pack(self, pack: PackName) -> bool:
        """Whether a pack was there, whole, at the last refresh."""
        size = self._packs.get(pack.digest)
        if size is not None and size != pack.size:
            self._misfits.add(pack.digest)
        return size == pack.size

    def listed(self, pack: Digest) -> PackName | None:
        """A pack with its size, if it was there at the last refresh."""
        size = self._packs.get(pack)
        return None if size is None else PackName(pack, size)

    def table(self, pack: PackName) -> bytes | None:
        """A pack's own table of contents; None if it is damaged or gone."""
        source = f"{self.url}/{pack_path(pack.digest)}"
        with suppress(BadRecord, ObjectMissing):
            end = self.read_range(pack.digest, max(0, pack.size - TRAILER.size), pack.size)
            trailer = read_trailer(end, pack.size, source)
            rest = self.read_range(pack.digest, trailer.end, pack.size)
            return bytes(read_table(rest, pack.size, source))
        return None

    def pack_sizes(self) -> dict[Digest, int]:
        """Ask the remote which packs it has."""
        listed = self.backend.listing(_PACKS).items()
        return {name: size for path, size in listed if (name := digest_in(path, ".pack")) is not None}

    def missing(self, digests: Iterable[Name]) -> set[Name]:
        """Ask the remote which of these blobs it lacks."""
        self.refresh()
        return self.lacks(set(digests))

    def lacks(self, wanted: set[Name]) -> set[Name]:
        """Which of these blobs were not there at the last refresh."""
        left = self.catalogue.lacking(wanted)
        return left - {digest for digest, _ in self.catalogue.recipes(left)}

    def survey(self, wanted: Set[bytes]) -> Shelved:
        """What of these blobs was there at the last refresh, and in which packs."""
        found = self.catalogue.survey(wanted)
        recipes = dict(self.catalogue.recipes(found.lacking))
        chunks = {chunk for recipe in recipes.values() for chunk, _ in recipe.chunks}
        packs = found.packs().keys() | self.catalogue.survey(chunks).packs().keys()
        size = found.size + sum(recipe.size for recipe in recipes.values())
        lacking = found.lacking - recipes.keys() if recipes else found.lacking
        return Shelved(lacking, {pack.digest for pack in packs}, size)

    def relied(self, wanted: Set[bytes]) -> tuple[set[Digest], int]:
        """The packs that hold these blobs and the large ones' chunks; the bytes that the blobs have."""
        return self.survey(wanted)[1:]

    def contains(self, digest: Digest) -> bool:
        """Whether the remote holds a blob."""
        return not self.lacks({digest})

    def held(self, wanted: set[Digest]) -> Held:
        """How the remote holds those of these blobs that it has, and the chunks of the large ones."""
        places = dict(self.catalogue.places(wanted))
        recipes = dict(self.catalogue.recipes(wanted - places.keys()))
        chunks = {chunk for recipe in recipes.values() for chunk, _ in recipe.chunks}
        places.update(self.catalogue.places(chunks - places.keys()))
        return Held(places, recipes)

    def read(self, digest: Digest) -> bytes:
        """A blob's bytes, verified."""
        held = self.held({digest})
        recipe = held.recipes.get(digest)
        names = [digest] if recipe is None else [chunk for chunk, _ in recipe.chunks]
        if any(name not in held.places for name in names):
            raise ObjectMissing(f"{digest} is not in `{self.url}`", [digest], [self.url])
        data = b"".join([self._read_place(name, held.places[name]) for name in names])
        if Digest.of(data) != digest:
            raise ObjectCorrupt(
                f"{digest} does not come out of its chunks in `{self.url}`", [digest], [self.url]
            )
        return data

    def read_range(self, pack: Digest, start: int, end: int) -> memoryview:
        """Bytes of a pack, as they come: nothing is verified yet."""
        return memoryview(self.backend.get(pack_path(pack), start, end))

    def put_pack(self, pieces: Iterable[Buffer], name: Callable[[], PackName]) -> PackName:
        """Upload a pack, whose name is known once its pieces are drawn; durable on return."""
        named: list[PackName] = []

        def path() -> str:
            named.append(name())
            return pack_path(named[0].digest).removeprefix(_PACKS)

        def is_there() -> bool:
            return bool(named) and self._holds(pack_path(named[0].digest), named[0].size, named[0].digest)

        self._settle(lambda: self.backend.put_pieces(_PACKS.rstrip("/"), pieces, path), is_there, "pack")
        pack = named[0]
        self._packs[pack.digest] = pack.size
        return pack

    def confirm(self, pack: PackName) -> None:
        """Take note of a pack that another process of ours has uploaded."""
        self._packs[pack.digest] = pack.size

    def put_index(self, data: bytes) -> None:
        """Upload an index of packs that are all there."""
        self._write_index(data)
        self.catalogue.add(Index(data), self.has_pack)

    def join_indexes(self) -> None:
        """Replace many small indexes by few large ones; nothing is deleted before all these are confirmed.

        Others may do the same at the same time: whatever is deleted, a confirmed index says what it said.
        """
        paths = merging.chosen(self._indexes.sizes) if not self._keeps_all.exists() else []
        old = [
            (path, index) for path in paths if (index := self._indexes.read(self.backend, path)) is not None
        ]
        new = merging.joined(index for _, index in old) if old else []
        if not merging.is_worth_it(old, new):
            return
        kept = {self._write_index(data) for data in new}
        for path in paths:
            if path not in kept:
                try:
                    self.backend.delete(path)
                except AccessDenied:
                    # Where nothing may be deleted, joining makes things worse: never again from here.
                    write_atomic(self._keeps_all, b"")
                    return
                self._indexes.forget(path)

    def _write_index(self, data: bytes) -> str:
        path = self._indexes.keep(data)
        self._put(path, data)
        self._indexes.sizes[path] = len(data)
        return path

    def put_root(
        self, repository: str, commits: Sequence[str], digests: Iterable[Digest], packs: Iterable[Digest]
    ) -> str:
        """Upload the record that commits a push, of very much several; say under which name the last."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        stamp = time.translate({ord(mark): None for mark in "-:."})
        whole = RootRecord(repository, time, tuple(commits), tuple(digests), tuple(packs))
        for part in root_record.parts(whole):
            data = root_record.render(part)
            name = f"{_ROOTS}{stamp}-{Digest.of(data).hex()}.json"
            self._put(name, data)
        return name

    def holdings(self, packs: Iterable[Digest]) -> tuple[dict[str, int], dict[str, int]]:
        """The sound indexes of the last look and some of the packs, with their sizes."""
        return dict(self._indexes.sizes), {pack.hex(): self._packs[pack] for pack in packs}

    def settled(self, push: str) -> Settled | None:
        """The note of a push, if all that it relies on is still there: asked of the remote (rule C6)."""
        note = recall(self.cache)
        if note is None or note.push != push or not note.is_recent() or self.backend.size(note.root) is None:
            return None
        # In the order of any push: its root, the tombstones, then what is there; and indexes before packs.
        condemned = {pack.hex() for pack in self.condemned()}
        if not self._indexes.listing(self.backend).items() >= note.indexes.items():
            return None
        sizes = {pack.hex(): size for pack, size in self.pack_sizes().items()}
        is_whole = condemned.isdisjoint(note.packs) and note.packs.items() <= sizes.items()
        return note if is_whole else None

    def has_all(self, note: Settled) -> bool:
        """Whether all that a push left was there, sound, at the last refresh."""
        sizes = {pack.hex(): size for pack, size in self._packs.items()}
        return note.indexes.items() <= self._indexes.sizes.items() and note.packs.items() <= sizes.items()

    def condemned(self) -> set[Digest]:
        """Ask the remote which packs a collection is about to delete."""
        packs: set[Digest] = set()
        for path in self.backend.listing(_TOMBSTONES):
            if not path.endswith(".json"):
                continue
            # One that vanishes belonged to a collection that has ended: its packs are gone, or spared.
            with suppress(ObjectMissing):
                packs.update(self._tombstone(path))
        return packs

    def _tombstone(self, path: str) -> tuple[Digest, ...]:
        """The packs that a tombstone names; what can't be read may name any, so it is an error."""
        data = self.backend.get(path)
        try:
            return tombstone_record.parse(data, f"{self.url}/{path}").packs
        except BadRecord as error:
            hint = "if no collection is at work there, delete that file, then push again"
            raise BadRecord(error.reason, error.source, error.line, hint) from error

    def _put(self, name: str, data: Buffer) -> None:
        """Write a file."""

        def is_there() -> bool:
            return self._holds(name, len(data), Digest.of(data))

        self._settle(lambda: self.backend.put_new(name, data), is_there, name)

    def _settle(self, put: Callable[[], bool], is_there: Callable[[], bool], what: str) -> None:
        """Write a file; an answer that was lost, or `taken`, is resolved by looking (rule L3)."""
        try:
            if put():
                return
        except RemoteUnreachable:
            if not is_there():
                raise
            return
        if not is_there():
            raise ObjectCorrupt(
                f"`{what}` in `{self.url}` holds other bytes than its name says", [], [self.url]
            )

    def _holds(self, name: str, size: int, digest: Digest) -> bool:
        return self.backend.size(name) == size and Digest.of(self.backend.get(name)) == digest

    def _read_place(self, digest: Digest, place: Place) -> bytes:
        stored = self.read_range(place.pack, place.offset, place.offset + place.stored)
        return decode(stored, digest, place.size, place.encoding, f"{self.url}/{pack_path(place.pack)}")


def pack_path(pack: Digest) -> str:
    """A pack's name at a remote."""
    name = pack.hex()
    return f"{_PACKS}{name[:2]}/{name}.pack"
