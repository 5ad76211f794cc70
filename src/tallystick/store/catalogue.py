"""Several indexes seen as one, minus whatever lies in packs that are gone."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Sequence, Set
from typing import NamedTuple

from tallystick.digest import Digest, Name
from tallystick.store.index import Index, PackName, Place, Recipe


class Survey(NamedTuple):
    """What indexes say of some blobs: those they lack, and each index with the rows of those that it has."""

    lacking: Set[bytes]
    found: list[tuple[Index, Sequence[int]]]

    @property
    def size(self) -> int:
        """How many bytes the blobs have that were found."""
        return sum(sum(index.sizes(rows)) for index, rows in self.found)

    def packs(self) -> Counter[PackName]:
        """The packs that the blobs lie in, and how many of them in each."""
        counted: Counter[PackName] = Counter()
        for index, rows in self.found:
            for number, count in Counter(index.numbers(rows)).items():
                counted[index.packs[number]] += count
        return counted

    def outside(self, packs: Collection[PackName]) -> set[Digest]:
        """The blobs that lie in other packs than these."""
        return {digest for index, rows in self.found for digest in index.outside(rows, packs)}


class Catalogue:
    """Looks blobs up in indexes; only places in the packs that are `present` count."""

    def __init__(self) -> None:
        self._indexes: list[tuple[Index, Sequence[bool] | None]] = []
        """Each with which of its packs are present; None where all are."""

    def add(self, index: Index, is_present: Callable[[PackName], bool]) -> None:
        """Take an index in; its packs that are not present are as good as not there."""
        present = [is_present(pack) for pack in index.packs]
        self._indexes.append((index, None if all(present) else present))

    def __contains__(self, digest: Digest) -> bool:
        for index, present in self._indexes:
            row = index.find(digest)
            if row >= 0 and (present is None or present[index.pack_of(row)]):
                return True
        return False

    def place(self, digest: Digest) -> Place | None:
        """Where a blob lies."""
        return next((place for _, place in self.places((digest,))), None)

    def known(self, wanted: Collection[Digest]) -> set[Digest]:
        """Which of these blobs lie in packs."""
        wanted = set(wanted)
        return wanted - self.lacking(wanted)

    def lacking(self, wanted: set[Name]) -> set[Name]:
        """Which of these blobs lie in no pack."""
        left = wanted
        for index, present in self._indexes:
            if not left:
                break
            if not len(index):
                continue
            if present is None:
                left = index.lacking(left)
            else:
                rows = index.rows(left)
                left = left.difference([digest for digest, row in rows if present[index.pack_of(row)]])
        return set(left)

    def survey(self, wanted: Set[bytes]) -> Survey:
        """All that can be said of these blobs together, by one look into each index."""
        left, found = wanted if isinstance(wanted, set) else set(wanted), []
        for index, present in self._indexes:
            if not left:
                break
            rows, rest = index.hits(left)
            if present is not None and rows:
                rows = [row for row in rows if present[index.pack_of(row)]]
                rest = left.difference(map(index.digest, rows))
            if rows:
                found.append((index, rows))
                left = rest
        return Survey(left, found)

    def mostly(self, wanted: set[Name]) -> Iterator[PackName]:
        """The packs nearly all of which is among these blobs."""
        for index, rows in self.survey(wanted).found:
            yield from index.mostly(rows)

    def places(self, wanted: Collection[Digest]) -> Iterator[tuple[Digest, Place]]:
        """These blobs' places, one each, for those that lie in packs."""
        for rows, index in self._rows(wanted):
            yield from index.places(rows)

    def _rows(self, wanted: Collection[Digest]) -> Iterator[tuple[list[tuple[Digest, int]], Index]]:
        """Each index with the rows of those blobs that no earlier one has."""
        left = wanted
        for index, present in self._indexes:
            rows = index.rows(left)
            if present is not None:
                rows = [found for found in rows if present[index.pack_of(found[1])]]
            if rows:
                yield rows, index
                if len(rows) == len(left):
                    return
                found = {digest for digest, _ in rows}
                left = [digest for digest in left if digest not in found]

    def files(self, among: set[Digest]) -> dict[Digest, int]:
        """Those of some blobs of which there are recipes, complete or not, with their sizes."""
        listed = (file for index, _ in self._indexes for file in index.files()) if among else ()
        return {digest: size for digest, size in listed if digest in among}

    def recipe_of(self, digest: Digest) -> Recipe | None:
        """A recipe of a large file, whether or not its chunks are here."""
        found = (index.recipe(digest) for index, _ in self._indexes)
        return next((recipe for recipe in found if recipe is not None), None)

    def recipe(self, digest: Digest) -> Recipe | None:
        """The first recipe of a large file whose chunks are all here."""
        for index, _ in self._indexes:
            recipe = index.recipe(digest)
            if recipe is not None and self._is_complete(recipe):
                return recipe
        return None

    def recipes(self, wanted: Container[bytes]) -> Iterator[tuple[Digest, Recipe]]:
        """Those large files' recipes whose chunks are all here."""
        listed = {digest for index, _ in self._indexes for digest in index.recipes()}
        for digest in listed:
            if digest in wanted and (recipe := self.recipe(digest)) is not None:
                yield digest, recipe

    def _is_complete(self, recipe: Recipe) -> bool:
        chunks = {digest for digest, _ in recipe.chunks}
        return len(self.known(chunks)) == len(chunks)
