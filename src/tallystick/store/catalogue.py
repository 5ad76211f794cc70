"""Several indexes seen as one, minus whatever lies in packs that are gone."""

from collections.abc import Callable, Collection, Iterator

from tallystick.digest import Digest
from tallystick.store.index import Index, PackName, Place, Recipe


class Catalogue:
    """Looks blobs up in indexes; only places in the packs that are `present` count."""

    def __init__(self) -> None:
        self._indexes: list[tuple[Index, Callable[[int], bool]]] = []

    def add(self, index: Index, is_present: Callable[[PackName], bool]) -> None:
        """Take an index in; its packs that are not present are as good as not there."""
        present = [is_present(pack) for pack in index.packs]
        if all(present):
            self._indexes.append((index, lambda _: True))
        else:
            self._indexes.append((index, lambda row: present[index.pack_of(row)]))

    def __contains__(self, digest: Digest) -> bool:
        return any((row := index.find(digest)) >= 0 and counts(row) for index, counts in self._indexes)

    def place(self, digest: Digest) -> Place | None:
        """Where a blob lies."""
        return next((place for _, place in self.places((digest,))), None)

    def known(self, wanted: Collection[Digest]) -> set[Digest]:
        """Which of these blobs lie in packs."""
        return {digest for rows, _ in self._rows(wanted) for digest, _ in rows}

    def places(self, wanted: Collection[Digest]) -> Iterator[tuple[Digest, Place]]:
        """These blobs' places, one each, for those that lie in packs."""
        for rows, index in self._rows(wanted):
            yield from index.places(rows)

    def _rows(self, wanted: Collection[Digest]) -> Iterator[tuple[list[tuple[Digest, int]], Index]]:
        """Each index with the rows of those blobs that no earlier one has."""
        left = wanted
        for index, counts in self._indexes:
            rows = [found for found in index.rows(left) if counts(found[1])]
            if rows:
                yield rows, index
                found = {digest for digest, _ in rows}
                left = [digest for digest in left if digest not in found]

    def recipe(self, digest: Digest) -> Recipe | None:
        """The first recipe of a large file whose chunks are all here."""
        for index, _ in self._indexes:
            recipe = index.recipe(digest)
            if recipe is not None and self._is_complete(recipe):
                return recipe
        return None

    def recipes(self, wanted: Collection[Digest]) -> Iterator[tuple[Digest, Recipe]]:
        """Those large files' recipes whose chunks are all here."""
        listed = {digest for index, _ in self._indexes for digest in index.recipes()}
        for digest in wanted:
            if digest in listed and (recipe := self.recipe(digest)) is not None:
                yield digest, recipe

    def _is_complete(self, recipe: Recipe) -> bool:
        chunks = {digest for digest, _ in recipe.chunks}
        return len(self.known(chunks)) == len(chunks)
