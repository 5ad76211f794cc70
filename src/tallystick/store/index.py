"""The index format: which pack holds a blob, and of which chunks a large file is made."""

import struct
import sys
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from typing import NamedTuple

from tallystick.digest import Buffer, Digest, Name, each_in
from tallystick.errors import BadRecord
from tallystick.store.pack import RAW, Entry, is_possible

MAGIC = b"TLYINDX\x01"
HEADER = struct.Struct("<8sIIII")
PACK = struct.Struct("<32sQ")
PLACE = struct.Struct("<IIIII")
RECIPE = struct.Struct("<32sQII")
CHUNK = struct.Struct("<32sI")
_NUMBER = struct.Struct("<I")
_PLACED = struct.Struct("<I16s")
_DIGEST = 32
_START = struct.Struct(">Q")
_LATER = "the index's format is not known to this version of tally"
_ROWS = 1 << 16
_MANY = 4
"""Looking up more than one in so many of an index's blobs is faster by a table than by bisecting."""


class PackName(NamedTuple):
    """A pack and how many bytes it has."""

    digest: Digest
    size: int


class Place(NamedTuple):
    """Where a blob lies: `stored` bytes from `offset` of a pack."""

    pack: Digest
    offset: int
    stored: int
    size: int
    encoding: int


class Recipe(NamedTuple):
    """A large file as the chunks it is made of, in order: digest and length of each."""

    size: int
    chunks: tuple[tuple[Digest, int], ...]


class Index:
    """A read index: a view into its bytes, which may be a memory map."""

    __slots__ = (
        "_chunks",
        "_data",
        "_digests",
        "_outline",
        "_places",
        "_recipes",
        "_source",
        "_starts",
        "_table",
        "count",
        "packs",
    )

    def __init__(self, data: Buffer, source: str = "") -> None:
        """Check the outline; every row is checked when it is used, so opening costs the same at any size."""
        view = memoryview(data)
        self._data, self._source = view, source
        self._outline = outline = Outline.read(view, len(view), source)
        self.count = outline.blobs
        self._digests, self._places = outline.digests, outline.places
        self._recipes, self._chunks = outline.recipes, outline.chunks
        rows = PACK.iter_unpack(view[outline.packs : self._digests])
        self.packs = tuple(PackName(Digest(digest), size) for digest, size in rows)
        self._table: dict[bytes, int] | None = None
        self._starts: array[int] | None = None

    def __len__(self) -> int:
        return self.count

    def digests(self) -> Iterator[bytes]:
        """All blobs in packs, sorted."""
        return each_in(self._data[self._digests : self._places])

    def digest(self, row: int) -> bytes:
        """The blob of a row."""
        at = self._digests + row * _DIGEST
        return bytes(self._data[at : at + _DIGEST])

    def find(self, digest: bytes) -> int:
        """The row of a blob, or -1."""
        if self._table is not None:
            return self._table.get(digest, -1)
        starts = self._starts
        if starts is None:
            starts = self._starts = self._first_words()
        start = _START.unpack_from(digest)[0]
        row = bisect_left(starts, start)
        while row < self.count and starts[row] == start:
            at = self._digests + row * _DIGEST
            if self._data[at : at + _DIGEST] == digest:
                return row
            row += 1
        return -1

    def _first_words(self) -> "array[int]":
        """The first 64 bits of each digest as a number: bisecting these takes no code of ours."""
        starts = array("Q")
        words = self._data[self._digests : self._places].cast("Q")[:: _DIGEST // starts.itemsize]
        # Not all at once: that would take four times the memory of what is kept.
        for first in range(0, len(words), _ROWS):
            starts.frombytes(words[first : first + _ROWS].tobytes())
        if sys.byteorder == "little":
            starts.byteswap()
        return starts

    def rows(self, wanted: Collection[Name]) -> list[tuple[Name, int]]:
        """The blobs of `wanted` that are here, with their rows."""
        if self._table is None and len(wanted) * _MANY > self.count:
            self._table = dict(zip(self.digests(), range(self.count), strict=True))
        if self._table is not None:
            table = self._table
            return [(digest, table[digest]) for digest in wanted if digest in table]
        return [(digest, row) for digest in wanted if (row := self.find(digest)) >= 0]

    def hits(self, wanted: set[Name]) -> tuple[Sequence[int], set[Name]]:
        """The rows of the blobs of `wanted` that are here, in order, and the blobs that are not."""
        if len(wanted) * _MANY <= self.count:
            found = self.rows(wanted)
            return sorted(row for _, row in found), wanted.difference([digest for digest, _ in found])
        left = wanted.difference(self.digests())
        if len(wanted) - len(left) == self.count:
            return range(self.count), left
        return array("I", compress(range(self.count), map(wanted.__contains__, self.digests()))), left

    def lacking(self, wanted: set[Name]) -> set[Name]:
        """Those blobs of `wanted` that are not here."""
        if len(wanted) * _MANY > self.count:
            return wanted.difference(self.digests())
        return wanted.difference([digest for digest, _ in self.rows(wanted)])

    def numbers(self, rows: Sequence[int]) -> Sequence[int]:
        """The numbers of the packs that rows name."""
        numbers = self._words(0, rows)
        if max(numbers, default=-1) >= len(self.packs):
            raise _bad("the index names a pack that it does not list", self._source)
        return numbers

    def sizes(self, rows: Sequence[int]) -> Sequence[int]:
        """How many bytes the blobs of rows have."""
        return self._words(3, rows)

    def _words(self, word: int, rows: Sequence[int]) -> Sequence[int]:
        """One of the five numbers in the places of rows."""
        if len(rows) * _MANY <= self.count:
            start = self._places + word * _NUMBER.size
            return [_NUMBER.unpack_from(self._data, start + row * PLACE.size)[0] for row in rows]
        words = array("I")
        words.frombytes(self._data[self._places : self._recipes])
        if sys.byteorder == "big":
            words.byteswap()
        column = words[word :: PLACE.size // words.itemsize]
        return column if len(rows) == self.count else list(map(column.__getitem__, rows))

    def outside(self, rows: Sequence[int], packs: Collection[PackName]) -> Iterator[Digest]:
        """The blobs of those of these rows that name none of some packs."""
        listed = {number for number, pack in enumerate(self.packs) if pack in packs}
        if len(listed) == len(self.packs):
            return
        for row, number in zip(rows, self.numbers(rows), strict=True):
            if number not in listed:
                yield Digest(self.digest(row))

    def spots(self, rows: Sequence[int]) -> Iterator[tuple[bytes, int, int, int]]:
        """The blobs of rows that lie as they are: digest, the number of the pack, offset and size."""
        names = self.digests() if len(rows) == self.count else map(self.digest, rows)
        offsets, sizes, encodings = (self._words(word, rows) for word in (1, 3, 4))
        told = zip(names, self.numbers(rows), offsets, sizes, strict=True)
        return compress(told, map(RAW.__eq__, encodings))

    def mostly(self, rows: Sequence[int]) -> Iterator[PackName]:
        """The packs of which nine blobs in ten, or more, are these rows'; none that has compressed ones."""
        every = range(self.count)
        numbers = self.numbers(every)
        counted, wanted = Counter(numbers), Counter(self.numbers(rows))
        packed = set(compress(numbers, self._words(4, every)))
        for number in sorted(wanted.keys() - packed):
            if wanted[number] * 10 >= counted[number] * 9:
                yield self.packs[number]

    def pack_of(self, row: int) -> int:
        """The number of the pack that a row names."""
        number: int = struct.unpack_from("<I", self._data, self._places + row * PLACE.size)[0]
        if number >= len(self.packs):
            raise _bad("the index names a pack that it does not list", self._source)
        return number

    def places(self, rows: Collection[tuple[Digest, int]]) -> Iterator[tuple[Digest, Place]]:
        """Where the blobs of these rows lie; raise BadRecord for what no writer can have written."""
        column = self._data[self._places : self._recipes]
        if len(rows) * _MANY > self.count:
            table = list(PLACE.iter_unpack(column))
            found = ((digest, table[row]) for digest, row in rows)
        else:
            found = ((digest, PLACE.unpack_from(column, row * PLACE.size)) for digest, row in rows)
        packs, source = self.packs, self._source
        for digest, row in found:
            yield digest, placed(packs, row, source)

    def entries(self, pack: Digest) -> Iterator[Entry]:
        """All blobs of one pack, in no order."""
        rows = [(Digest(digest), row) for row, digest in enumerate(self.digests())]
        for digest, place in self.places(rows):
            if place.pack == pack:
                yield Entry(digest, place.offset, place.stored, place.size, place.encoding)

    def tables(self) -> dict[PackName, bytes]:
        """What is said of each pack, in rows as a pack's own table of contents has them."""
        rows: dict[PackName, list[bytes]] = {pack: [] for pack in self.packs}
        lists = [rows[pack] for pack in self.packs]
        places = _PLACED.iter_unpack(self._data[self._places : self._recipes])
        for digest, number, (_, where) in zip(
            self.digests(), self.numbers(range(self.count)), places, strict=True
        ):
            lists[number].append(digest + where)
        return {pack: b"".join(found) for pack, found in rows.items()}

    def recipe(self, digest: bytes) -> Recipe | None:
        """The recipe of a large file, if it is here."""
        data, start = self._data, self._recipes
        count = (self._chunks - start) // RECIPE.size
        row = bisect_left(
            range(count), digest, key=lambda at: bytes(data[start + at * 48 : start + at * 48 + 32])
        )
        if row >= count:
            return None
        name, size, first, length = RECIPE.unpack_from(data, start + row * RECIPE.size)
        return self._recipe(size, first, length) if name == digest else None

    def _recipe(self, size: int, first: int, length: int) -> Recipe:
        """Read a run of the table of chunks."""
        begin, end = self._outline.run(first, length, self._source)
        return run_of(self._data[begin:end], size, self._source)

    def recipes(self) -> Iterator[Digest]:
        """The large files whose recipes are here, sorted."""
        return (digest for digest, _ in self.files())

    def files(self) -> Iterator[tuple[Digest, int]]:
        """The same with their sizes."""
        rows = RECIPE.iter_unpack(self._data[self._recipes : self._chunks])
        return ((Digest(digest), size) for digest, size, _, _ in rows)


class Outline(NamedTuple):
    """Where an index's columns begin, and where it ends."""

    blobs: int
    packs: int
    digests: int
    places: int
    recipes: int
    chunks: int
    end: int

    @classmethod
    def read(cls, head: memoryview, size: int, source: str) -> "Outline":
        """From the first bytes of an index of so many; raise BadRecord where that can't be its size."""
        packs, count, recipes, chunks = _header(head, source)
        digests = HEADER.size + packs * PACK.size
        places = digests + count * _DIGEST
        files = places + count * PLACE.size
        rest = files + recipes * RECIPE.size
        if rest + chunks * CHUNK.size != size:
            raise _bad("the index is cut off or damaged", source)
        return cls(count, HEADER.size, digests, places, files, rest, size)

    def run(self, first: int, length: int, source: str) -> tuple[int, int]:
        """Where a recipe's chunks stand."""
        begin = self.chunks + first * CHUNK.size
        end = begin + length * CHUNK.size
        if end > self.end:
            raise _bad("the index holds a recipe that is cut off", source)
        return begin, end


def placed(packs: Sequence[PackName], row: tuple[int, ...], source: str) -> Place:
    """The place that a row names; raise BadRecord for what no writer can have written."""
    number, offset, stored, size, encoding = row
    if number >= len(packs):
        raise _bad("the index names a pack that it does not list", source)
    pack, length = packs[number]
    if offset + stored > length or not is_possible(stored, size, encoding):
        raise _bad("the index names an impossible place", source)
    return Place(pack, offset, stored, size, encoding)


def run_of(rows: Buffer, size: int, source: str) -> Recipe:
    """A recipe from its rows in the table of chunks; raise BadRecord if they don't make up its size."""
    chunks = tuple((Digest(digest), count) for digest, count in CHUNK.iter_unpack(rows))
    if sum(count for _, count in chunks) != size:
        raise _bad("the index holds a recipe that does not add up", source)
    return Recipe(size, chunks)


def _bad(reason: str, source: str) -> BadRecord:
    """The error that an index says what no writer of it can have meant."""
    return BadRecord(reason, source, hint="delete that index, then push again from where the data is")


def _header(view: memoryview, source: str) -> tuple[int, int, int, int]:
    """Read how many packs, blobs, recipes and chunks an index has."""
    if len(view) < HEADER.size:
        raise _bad("the index is cut off", source)
    magic, *counts = HEADER.unpack_from(view)
    if magic[:7] == MAGIC[:7] and magic != MAGIC:
        raise BadRecord(_LATER, source, hint="upgrade tallystick")
    if magic != MAGIC:
        raise _bad("this is no index", source)
    packs, blobs, recipes, chunks = counts
    return packs, blobs, recipes, chunks
