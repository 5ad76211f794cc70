"""Finds few blobs in a remote's large index by reading parts of it, without copying it."""

from bisect import bisect_left
from collections.abc import Callable
from math import isqrt

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.store.index import (
    PACK,
    PLACE,
    RECIPE,
    Outline,
    PackName,
    Place,
    Recipe,
    placed,
    run_of,
)

_HEAD = 64 << 10
"""Bytes of the first read: the outline, and in most indexes the names of all packs."""

_SPREAD = 3
"""How many standard deviations of where a digest should lie are read at once, to each side."""

_RECIPES = 1 << 20
"""A table of recipes that is larger than this is not read."""

_DIGEST = 32

Read = Callable[[int, int], bytes]
"""Bytes of a file from one offset to before another."""


class RangedIndex:
    """An index at a remote; nothing that it says is proven until blobs come that hash to their names.

    What is not found may be there all the same, in an index that was damaged on its way.
    """

    def __init__(self, read: Read, size: int, source: str) -> None:
        self._read = read
        self._source = source
        self._files: dict[Digest, tuple[int, int, int]] | None = None
        head = read(0, min(size, _HEAD))
        self._outline = outline = Outline.read(memoryview(head), size, source)
        if outline.digests > len(head):
            head += read(len(head), outline.digests)
        names = self._exactly(head[outline.packs : outline.digests], outline.digests - outline.packs)
        rows = PACK.iter_unpack(names)
        self.packs = tuple(PackName(Digest(digest), length) for digest, length in rows)

    def place(self, digest: bytes) -> Place | None:
        """Where a blob lies."""
        row = self._row(digest)
        if row is None:
            return None
        at = self._outline.places + row * PLACE.size
        return placed(self.packs, PLACE.unpack(self._range(at, at + PLACE.size)), self._source)

    def recipe_of(self, digest: Digest) -> Recipe | None:
        """The recipe of a large file."""
        found = self.files().get(digest)
        if found is None:
            return None
        size, first, count = found
        begin, end = self._outline.run(first, count, self._source)
        return run_of(self._range(begin, end), size, self._source)

    def files(self) -> dict[Digest, tuple[int, int, int]]:
        """All large files: size, first chunk and how many; raise BadRecord where they are too many."""
        if self._files is None:
            begin, end = self._outline.recipes, self._outline.chunks
            if end - begin > _RECIPES:
                raise BadRecord("the index has more recipes than are read at once", self._source)
            rows = RECIPE.iter_unpack(self._range(begin, end)) if end > begin else ()
            self._files = {Digest(digest): (size, first, count) for digest, size, first, count in rows}
        return self._files

    def _row(self, digest: bytes) -> int | None:
        """A blob's row: digests are spread evenly, so it is clear where to look."""
        count = self._outline.blobs
        expected = int.from_bytes(digest[:8], "big") * count >> 64
        reach = _SPREAD * (isqrt(count) // 2 + 1)
        while count:
            low, high = max(0, expected - reach), min(count, expected + reach)
            start = self._outline.digests
            window = self._range(start + low * _DIGEST, start + high * _DIGEST)
            names = [window[at : at + _DIGEST] for at in range(0, len(window), _DIGEST)]
            if (low == 0 or names[0] <= digest) and (high == count or digest <= names[-1]):
                place = bisect_left(names, digest)
                return low + place if place < len(names) and names[place] == digest else None
            reach *= 8
        return None

    def _range(self, begin: int, end: int) -> bytes:
        return self._exactly(self._read(begin, end), end - begin)

    def _exactly(self, data: bytes, size: int) -> bytes:
        if len(data) != size:
            raise BadRecord("the index is cut off", self._source)
        return data
