"""Which of a remote's indexes are worth joining, and the larger ones that say the same."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tallystick.digest import Digest
from tallystick.store.assembling import assemble
from tallystick.store.index import Index, PackName, Recipe

MANY = 16
"""So many indexes of about one size are joined; an entry is then written anew once in each larger size."""

LARGEST = 64 << 20
"""An index of this size stays as it is, and no more is joined at a time: it is all in memory then."""


def chosen(sizes: Mapping[str, int], largest: int = LARGEST) -> list[str]:
    """The names of indexes to join, of some with these sizes; none if they are few, or large."""
    tiers: defaultdict[int, list[str]] = defaultdict(list)
    for name, size in sizes.items():
        if size < largest:
            # A tier's indexes differ in size by a factor of 16 at most.
            tiers[max(0, size.bit_length() - 12) // 4].append(name)
    many = [name for names in tiers.values() if len(names) >= MANY for name in names]
    found, left = [], LARGEST
    for name in sorted(many, key=lambda name: (sizes[name], name)):
        left -= sizes[name]
        if left >= 0:
            found.append(name)
    return sorted(found)


def joined(indexes: Iterable[Index]) -> list[bytes]:
    """Indexes that say all that these say.

    An index names each blob once; where two packs hold one blob, the second place goes into a further index.
    None may be dropped: a collection may spare either pack.
    """
    layers: list[_Layer] = []
    packs: dict[PackName, int] = {}
    rows: list[bytes] = []
    for index in indexes:
        for pack, table in index.tables().items():
            mark = packs.setdefault(pack, len(packs)).to_bytes(4, "big")
            rows += [name + mark + where for name, where in _ROW.iter_unpack(table)]
        for file in index.recipes():
            recipe = index.recipe(file)
            if recipe is not None:
                _note(layers, file, recipe)
    _place(layers, list(packs), rows)
    return [assemble(layer.tables.items(), layer.recipes) for layer in layers]


_ROW = struct.Struct("<32s16s")
"""A row of a pack's table of contents: a digest, and its place."""


class _Layer:
    """An index being made: each blob in one pack, each file in one way."""

    def __init__(self) -> None:
        self.tables: defaultdict[PackName, bytearray] = defaultdict(bytearray)
        self.recipes: dict[Digest, Recipe] = {}


def _place(layers: list[_Layer], packs: Sequence[PackName], rows: list[bytes]) -> None:
    """Put each row into the first layer that has no other place for its blob."""
    rows.sort(reverse=True)
    last, depth = b"", 0
    while rows:
        # From the end, so that memory shrinks on one side as it grows on the other.
        row = rows.pop()
        if row == last:
            continue
        depth = depth + 1 if row[:32] == last[:32] else 0
        layer = layers[depth] if depth < len(layers) else _added(layers)
        layer.tables[packs[int.from_bytes(row[32:36], "big")]] += row[:32] + row[36:]
        last = row


def _note(layers: list[_Layer], file: Digest, recipe: Recipe) -> None:
    """Put a recipe into the first layer that has no other one for its file."""
    for layer in layers:
        if layer.recipes.setdefault(file, recipe) == recipe:
            return
    _added(layers).recipes[file] = recipe


def _added(layers: list[_Layer]) -> _Layer:
    layers.append(_Layer())
    return layers[-1]


def is_worth_it(old: Sequence[object], new: Sequence[object]) -> bool:
    """Whether joining leaves fewer than half of the indexes."""
    return 2 * len(new) <= len(old)
