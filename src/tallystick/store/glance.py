"""How a remote holds few blobs, found out without copying its large indexes."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.store.backend import Backend
from tallystick.store.catalogue import Catalogue
from tallystick.store.index import PackName, Place, Recipe
from tallystick.store.pack import ROW, is_possible
from tallystick.store.ranged import RangedIndex

FEW = 256
"""So many blobs may be looked up one by one; for more the indexes are copied."""

LARGE = 4 << 20
"""An index of fewer bytes is copied at once."""


class Held(NamedTuple):
    """How the remote holds some blobs: in packs, or as large files made of chunks."""

    places: dict[Digest, Place]
    recipes: dict[Digest, Recipe]


class Glance:
    """Asks copied indexes, large ones by range, and the packs that these point to for what lies near."""

    def __init__(
        self,
        copied: Catalogue,
        large: Sequence[RangedIndex],
        has_pack: Callable[[PackName], bool],
        table: Callable[[PackName], bytes | None],
    ) -> None:
        self._copied = copied
        self._large = large
        self._has_pack = has_pack
        self._table = table
        self._sizes: dict[Digest, int] = {pack.digest: pack.size for one in large for pack in one.packs}

    def held(self, wanted: set[Digest]) -> Held:
        """How those of these blobs are held that are found."""
        found = {digest: self.recipe_of(digest) for digest in wanted}
        recipes = {digest: recipe for digest, recipe in found.items() if recipe is not None}
        chunks = {chunk for recipe in recipes.values() for chunk, _ in recipe.chunks}
        places = self._places((wanted - recipes.keys()) | chunks)
        whole = {
            digest: recipe
            for digest, recipe in recipes.items()
            if all(chunk in places for chunk, _ in recipe.chunks)
        }
        return Held(places, whole)

    def files(self, among: set[Digest]) -> dict[Digest, int]:
        """Those of some blobs of which there are recipes, with their sizes."""
        found = self._copied.files(among)
        for index in self._large if among else ():
            files = index.files()
            found |= {digest: files[digest][0] for digest in among & files.keys()}
        return found

    def recipe_of(self, digest: Digest) -> Recipe | None:
        """A recipe of a large file."""
        found = self._copied.recipe_of(digest)
        recipes = (index.recipe_of(digest) for index in self._large)
        return found or next((recipe for recipe in recipes if recipe is not None), None)

    def _places(self, wanted: Iterable[Digest]) -> dict[Digest, Place]:
        todo = set(wanted)
        places = dict(self._copied.places(todo))
        todo -= places.keys()
        while todo:
            digest = todo.pop()
            place = self._place(digest)
            if place is None:
                # One that can't be found sends us to the whole indexes; others need not be looked for.
                break
            places[digest] = place
            if todo:
                # What was pushed together lies together: chunks of a file, files of a folder.
                near = dict(self._neighbours(place.pack, todo))
                places |= near
                todo -= near.keys()
        return places

    def _place(self, digest: Digest) -> Place | None:
        for index in self._large:
            place = index.place(digest)
            if place is not None and self._has_pack(PackName(place.pack, self._sizes[place.pack])):
                return place
        return None

    def _neighbours(self, pack: Digest, wanted: Collection[Digest]) -> Iterator[tuple[Digest, Place]]:
        rows = self._table(PackName(pack, self._sizes[pack])) or b""
        for digest, offset, stored, size, encoding in ROW.iter_unpack(rows):
            if digest in wanted and is_possible(stored, size, encoding):
                yield Digest(digest), Place(pack, offset, stored, size, encoding)


class Thrift:
    """Reads ranges of a remote's files as long as that is less than copying them."""

    def __init__(self, backend: Backend, sizes: Mapping[str, int]) -> None:
        self._backend = backend
        self._sizes = sizes
        self._left = sum(sizes.values()) // 2

    def indexes(self) -> list[RangedIndex]:
        """The indexes, ready to be asked."""
        return [self._open(path, size) for path, size in self._sizes.items()]

    def _open(self, path: str, size: int) -> RangedIndex:
        def read(begin: int, end: int) -> bytes:
            self._left -= end - begin
            if self._left < 0:
                raise BadRecord("reading all of it is cheaper", path)
            return self._backend.get(path, begin, end)

        return RangedIndex(read, size, f"{self._backend.url}/{path}")
