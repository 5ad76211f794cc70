"""Tables side by side: columns, rows that came and went, and cells, by key where the rows have one."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tallystick.compare.numbers import Policy, apart, other, reordered
from tallystick.compare.shown import Only, shown
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records.fields import is_number
from tallystick.records.verdict import Difference

Cell = str | int | float | tuple[str, ...]
"""A text, a number, or a word that is neither (`true`, `null`) as a tuple; an empty one for no cell."""

Row = tuple[Cell, ...]

MOST_CELLS = 1 << 22
"""Cells of the largest table that is looked into."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, no name twice, and rows of as many cells."""

    columns: tuple[str, ...]
    rows: list[Row]

    def only(self, columns: Sequence[str]) -> list[Row]:
        """The rows with some of the columns, in their order."""
        if tuple(columns) == self.columns:
            return self.rows
        places = [self.columns.index(name) for name in columns]
        return [tuple(row[place] for place in places) for row in self.rows]


def check_cells(rows: int, columns: int) -> None:
    """Refuse a table that would fill the memory, before its short rows are filled up."""
    if rows * columns > MOST_CELLS:
        raise BadRecord("the table is too large to be looked into")


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Rows that belong together, with the number that each has in the recorded table; the others' numbers."""

    pairs: list[tuple[int, Row, Row]]
    gone: list[int]
    come: list[int]
    moved: bool = False


def compare_tables(expected: Table, actual: Table, tolerances: Policy) -> list[Difference] | Only:
    """How two tables differ, or that only their order or layout does."""
    shared = [name for name in expected.columns if name in actual.columns]
    old, new = expected.only(shared), actual.only(shared)
    same_columns = len(shared) == len(expected.columns) == len(actual.columns)
    if same_columns and Counter(old) == Counter(new):
        return "layout" if old == new and expected.columns == actual.columns else "order"
    found = list(_columns(expected, actual, same_columns))
    aligned = _aligned(old, new)
    if aligned.gone or aligned.come:
        found.append(_rows(len(old), len(new), aligned))
    if aligned.moved or (same_columns and expected.columns != actual.columns):
        found.append(reordered(tolerances))
    for place, name in enumerate(shared):
        found.extend(_column(name, place, aligned.pairs, tolerances))
    return found


def _columns(expected: Table, actual: Table, same: bool) -> Iterator[Difference]:
    if not same:
        yield other("columns", shown(", ".join(expected.columns)), shown(", ".join(actual.columns)))


def _rows(expected: int, actual: int, aligned: _Aligned) -> Difference:
    """Say how many rows came and went, and which were the first."""
    changes = [
        f"{len(numbers)} {word} (first: row {numbers[0]})"
        for word, numbers in (("gone", aligned.gone), ("new", aligned.come))
        if numbers
    ]
    return other("rows", f"{expected} rows", f"{actual} rows: {', '.join(changes)}")


def _aligned(old: list[Row], new: list[Row]) -> _Aligned:
    """Find the rows that belong together: by place, by key, or else only those that are equal."""
    keys, others = ({row[0]: number for number, row in enumerate(rows) if row} for rows in (old, new))
    unique = len(keys) == len(old) and len(others) == len(new)
    shared = len(keys.keys() & others.keys())
    in_place = sum(one[:1] == two[:1] for one, two in zip(old, new, strict=False))
    # Keys find more rows again than places do; measurements are no keys, and find no more.
    if len(old) == len(new) and not (unique and shared > in_place):
        return _by_place(old, new)
    return (
        _by_key(old, new, keys, others)
        if unique and 2 * shared >= min(len(old), len(new))
        else _by_content(old, new)
    )


def _by_place(old: list[Row], new: list[Row]) -> _Aligned:
    pairs = [(number, *both) for number, both in enumerate(zip(old, new, strict=True), 1)]
    return _Aligned(pairs, [], [])


def _by_key(old: list[Row], new: list[Row], keys: dict[Cell, int], others: dict[Cell, int]) -> _Aligned:
    """Rows with the same first cell belong together."""
    places = [others[key] for key in keys if key in others]
    return _Aligned(
        [(number + 1, old[number], new[others[key]]) for key, number in keys.items() if key in others],
        [number + 1 for key, number in keys.items() if key not in others],
        [number + 1 for key, number in others.items() if key not in keys],
        moved=places != sorted(places),
    )


def _by_content(old: list[Row], new: list[Row]) -> _Aligned:
    return _Aligned([], _without(old, new), _without(new, old))


def _without(rows: list[Row], others: list[Row]) -> list[int]:
    """The numbers of the rows that are not among others, each of which counts once."""
    left, found = Counter(others), []
    for number, row in enumerate(rows, 1):
        if left[row] > 0:
            left[row] -= 1
        else:
            found.append(number)
    return found


def _column(
    name: str, place: int, pairs: list[tuple[int, Row, Row]], tolerances: Policy
) -> Iterator[Difference]:
    """Compare one column: as numbers where both cells are, else as text."""
    numbers: list[tuple[int, float, float]] = []
    texts: list[tuple[int, Cell, Cell]] = []
    for row, one, two in pairs:
        if one[place] != two[place]:
            old, new = _number(one[place]), _number(two[place])
            if old is None or new is None:
                texts.append((row, one[place], two[place]))
            else:
                numbers.append((row, old, new))
    if texts:
        row, first, second = texts[0]
        yield Difference(
            name,
            _text(first),
            _text(second),
            where=f"row {row}",
            differing=len(texts),
            values=len(pairs),
        )
    found = apart(
        name,
        ((old, new) for _, old, new in numbers),
        tolerances,
        lambda position: f"row {numbers[position][0]}",
        len(pairs),
    )
    if found is not None:
        yield found


def _text(cell: Cell) -> str:
    return shown(cell if not isinstance(cell, tuple) else cell[0] if cell else "nothing")


def _number(cell: Cell) -> float | None:
    if isinstance(cell, tuple) or (not isinstance(cell, str) and not is_number(cell)):
        return None
    try:
        return float(cell) if isinstance(cell, str) else cell
    except ValueError:
        return None
