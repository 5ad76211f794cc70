"""Write indexes: of packs that come with their tables of contents, and of large files' recipes."""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import eq

from tallystick.digest import Buffer, Digest
from tallystick.store.index import CHUNK, HEADER, MAGIC, PACK, PLACE, RECIPE, PackName, Recipe
from tallystick.store.pack import Entry, table

_NUMBER = struct.Struct("<I")
_TABLE = struct.Struct("<32s16s")
"""A row of a pack's table of contents: a digest, and its place but for the pack."""
_DIGEST = 32
_EACH = struct.Struct("32s")
_WORDS = (_DIGEST + PLACE.size) // 4
"""Words of a digest and its place together."""
_ROW = struct.Struct(f"{_WORDS * 4}s")
_AT_ONCE = 4 << 20
"""Bytes of tables that are sorted as a whole."""


def build(packs: Iterable[tuple[PackName, Sequence[Entry]]], recipes: Mapping[Digest, Recipe]) -> bytes:
    """Write the index of some packs and large files; equal input gives equal bytes."""
    return assemble([(name, table(entries)) for name, entries in packs], recipes)


def assemble(packs: Iterable[tuple[PackName, Buffer]], recipes: Mapping[Digest, Recipe]) -> bytes:
    """Write the index of packs that come with their tables of contents, and of some large files."""
    named = sorted(packs, key=lambda pack: pack[0].digest)
    digests, places = _sorted([table for _, table in named], is_once=True)
    return _file([name for name, _ in named], digests, places, recipes)


class Draft:
    """An index of packs whose names are not known yet: to sort their rows is most of the work."""

    def __init__(self, tables: Sequence[Buffer] = ()) -> None:
        self._tables = tables
        self._digests, self._places = _sorted(tables)
        self._repeats = _repeats(self._digests)

    def finish(self, packs: Sequence[tuple[PackName, Buffer]], recipes: Mapping[Digest, Recipe]) -> bytes:
        """As `assemble` writes it; faster if these are the packs whose tables the draft was made of."""
        names = {id(table): name for name, table in packs}
        # Of a blob that two packs hold, the packs' names say which of its places counts.
        if self._repeats or names.keys() != set(map(id, self._tables)):
            return assemble(packs, recipes)
        found = [names[id(table)] for table in self._tables]
        order = sorted(range(len(found)), key=lambda number: found[number].digest)
        places = memoryview(bytearray(self._places))
        _renumber(places, order)
        return _file([found[number] for number in order], self._digests, places, recipes)


def _sorted(tables: Sequence[Buffer], *, is_once: bool = False) -> tuple[memoryview, memoryview]:
    """The digests and the places of all rows, sorted; if asked, each digest once, in its first pack."""
    digests, places = bytearray(), bytearray()
    for rows in _parts(tables):
        # By digest, then by the number's bytes: a blob that two packs hold gets its place in one of them.
        rows.sort()
        joined = b"".join(rows)
        some, where = _columns(joined)
        if is_once and _repeats(some):
            some, where = _columns(b"".join(_first_of_each(joined)))
        digests += some
        places += where
    return memoryview(digests), memoryview(places)


def _parts(tables: Sequence[Buffer]) -> Iterator[list[bytes]]:
    """Packs' rows, numbered; of many a part at a time, by their first byte, as all would take much memory."""
    if sum(map(len, tables)) <= _AT_ONCE:
        yield [row for number, rows in enumerate(tables) for row in _numbered(rows, number)]
        return
    parts = [bytearray() for _ in range(256)]
    for number, rows in enumerate(tables):
        mark = _NUMBER.pack(number)
        for digest, where in _TABLE.iter_unpack(rows):
            parts[digest[0]] += digest + mark + where
    for first, part in enumerate(parts):
        parts[first] = bytearray()
        yield [row for (row,) in _ROW.iter_unpack(part)]


def _renumber(places: memoryview, order: Sequence[int]) -> None:
    """Give packs other numbers: each its rank in an order."""
    stored = [int.from_bytes(_NUMBER.pack(number), sys.byteorder) for number in range(len(order))]
    new = {stored[number]: stored[rank] for rank, number in enumerate(order)}
    column = places.cast("I")[:: PLACE.size // _NUMBER.size]
    column[:] = memoryview(array("I", map(new.__getitem__, column.tolist())))


def _file(
    names: Sequence[PackName], digests: Buffer, places: Buffer, recipes: Mapping[Digest, Recipe]
) -> bytes:
    """An index, made of its columns."""
    ordered = sorted(recipes.items())
    count = sum(len(recipe.chunks) for _, recipe in ordered)
    return b"".join(
        (
            HEADER.pack(MAGIC, len(names), len(digests) // _DIGEST, len(ordered), count),
            *(PACK.pack(name.digest, name.size) for name in names),
            digests,
            places,
            *_recipe_rows(ordered),
            *(CHUNK.pack(*chunk) for _, recipe in ordered for chunk in recipe.chunks),
        )
    )


def _repeats(digests: memoryview) -> bool:
    """Whether one of sorted digests stands there twice."""
    return any(map(eq, _EACH.iter_unpack(digests), _EACH.iter_unpack(digests[_DIGEST:])))


def _numbered(table: Buffer, number: int) -> list[bytes]:
    """A pack's rows, with its number behind each digest."""
    mark = _NUMBER.pack(number)
    return [digest + mark + where for digest, where in _TABLE.iter_unpack(table)]


def _columns(rows: bytes) -> tuple[memoryview, memoryview]:
    """The digests and the places in numbered rows; word by word, so that no row becomes an object."""
    words, width = memoryview(rows).cast("I"), _DIGEST // 4
    count = len(words) // _WORDS
    digests, places = memoryview(bytearray(count * _DIGEST)), memoryview(bytearray(count * PLACE.size))
    for word in range(_WORDS):
        column, at, step = (digests, word, width) if word < width else (places, word - width, _WORDS - width)
        column.cast("I")[at::step] = words[word::_WORDS]
    return digests, places


def _first_of_each(rows: bytes) -> Iterator[bytes]:
    """Sorted rows without those whose blob has one already."""
    last = b""
    for (row,) in _ROW.iter_unpack(rows):
        if row[:_DIGEST] != last:
            yield row
        last = row[:_DIGEST]


def _recipe_rows(ordered: Iterable[tuple[Digest, Recipe]]) -> Iterator[bytes]:
    """Name each recipe's run in the table of chunks."""
    first = 0
    for digest, recipe in ordered:
        yield RECIPE.pack(digest, recipe.size, first, len(recipe.chunks))
        first += len(recipe.chunks)
