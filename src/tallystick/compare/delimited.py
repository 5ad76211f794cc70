"""Tables written as text: CSV and TSV, with a line of column names or without."""

import csv
import io
from collections.abc import Sequence
from typing import BinaryIO

from tallystick.compare.numbers import Policy
from tallystick.compare.shown import Only, whole
from tallystick.compare.tables import Table, check_cells, compare_tables
from tallystick.errors import BadRecord
from tallystick.records.verdict import Difference


def compare_csv(
    expected: BinaryIO, actual: BinaryIO, tolerances: Policy, delimiter: str = ","
) -> list[Difference] | Only:
    """How two tables differ; raise BadRecord if one is no table."""
    return compare_tables(_table(expected, delimiter), _table(actual, delimiter), tolerances)


def compare_tsv(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> list[Difference] | Only:
    """How two tables with tabulators differ; raise BadRecord if one is no table."""
    return compare_csv(expected, actual, tolerances, "\t")


def _table(file: BinaryIO, delimiter: str) -> Table:
    try:
        text = whole(file).decode("utf-8-sig")
        check_cells(text.count(delimiter) + text.count("\n"), 1)
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRecord(f"no table: {error}") from error
    if not rows:
        return Table((), [])
    width = max(map(len, rows))
    check_cells(len(rows), width)
    if _is_header(rows[0]):
        if width > len(rows[0]):
            raise BadRecord("rows have more cells than there are columns")
        return Table(_once(rows[0]), [_filled(row, width) for row in rows[1:]])
    return Table(tuple(f"column {place}" for place in range(1, width + 1)), [_filled(r, width) for r in rows])


def _is_header(row: Sequence[str]) -> bool:
    """Whether the first line names columns: then no cell of it is a number."""
    return not any(_is_number(cell) for cell in row)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _once(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, told apart by a number where two are the same."""
    found: dict[str, None] = {}
    for name in names:
        each, number = name, 1
        while each in found:
            number += 1
            each = f"{name} ({number})"
        found[each] = None
    return tuple(found)


def _filled(row: Sequence[str], width: int) -> tuple[str, ...]:
    return (*row, *[""] * (width - len(row)))
