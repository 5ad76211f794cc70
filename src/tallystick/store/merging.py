"""Which of a remote's indexes are worth joining, and the larger ones that say the same."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tallystick.digest import Digest
from tallystick.store.index import Index, PackName, Recipe, assemble

MANY = 16
"""So many indexes of about one size are joined; an entry is then written anew once in each larger size."""

_LARGEST = 64 << 20
"""An index of this size stays as it is."""


def chosen(sizes: Mapping[str, int]) -> list[str]:
    """The names of indexes to join, of some with these sizes; none if they are few, or large."""
    tiers: defaultdict[int, list[str]] = defaultdict(list)
    for name, size in sizes.items():
        if size < _LARGEST:
            # A tier's indexes differ in size by a factor of 16 at most.
            tiers[max(0, size.bit_length() - 12) // 4].append(name)
    many = [tier for tier, names in tiers.items() if len(names) >= MANY]
    return sorted(name for tier in many for name in tiers[tier])


def joined(indexes: Iterable[Index]) -> list[bytes]:
    """Indexes that say all that these say.

    An index names each blob once; where two packs hold one blob, the second place goes into a further index.
    None may be dropped: a collection may spare either pack.
    """
    layers: list[_Layer] = []
    for index in indexes:
        for pack, rows in index.tables().items():
            for at in range(0, len(rows), 48):
                _place(layers, pack, rows[at : at + 48])
        for file in index.recipes():
            recipe = index.recipe(file)
            if recipe is not None:
                _note(layers, file, recipe)
    return [assemble(layer.tables.items(), layer.recipes) for layer in layers]


class _Layer:
    """An index being made: each blob in one pack, each file in one way."""

    def __init__(self) -> None:
        self.where: dict[bytes, tuple[PackName, bytes]] = {}
        self.tables: defaultdict[PackName, bytearray] = defaultdict(bytearray)
        self.recipes: dict[Digest, Recipe] = {}


def _place(layers: list[_Layer], pack: PackName, row: bytes) -> None:
    """Put a row into the first layer that has no other place for its blob."""
    digest = row[:32]
    for layer in layers:
        known = layer.where.setdefault(digest, (pack, row))
        if known == (pack, row):
            if known[1] is row:
                layer.tables[pack] += row
            return
    _added(layers).where[digest] = (pack, row)
    layers[-1].tables[pack] += row


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
