"""Parquet files side by side, read by pyarrow: the extra `parquet`."""

import json
import math
from typing import Any, BinaryIO

import pyarrow
from pyarrow import parquet

from tallystick.compare.numbers import Policy
from tallystick.compare.shown import Only
from tallystick.compare.tables import Cell, Table, check_cells, compare_tables
from tallystick.errors import BadRecord
from tallystick.records.fields import is_number
from tallystick.records.verdict import Difference


def compare_parquet(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> list[Difference] | Only:
    """How two files differ, column by column; raise BadRecord if one is not readable as such."""
    try:
        old, new = (parquet.ParquetFile(file) for file in (expected, actual))
        if changed := _types(old, new):
            return changed
        return compare_tables(_table(old), _table(new), tolerances)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadRecord(f"no readable Parquet file: {str(error)[:200]}") from error


def _types(old: Any, new: Any) -> list[Difference]:
    """Columns that hold another type, before any row is read."""
    known = {each.name: str(each.type) for each in old.schema_arrow}
    found = {each.name: str(each.type) for each in new.schema_arrow}
    return [
        Difference(name, known[name][:60], found[name][:60])
        for name in known
        if name in found and known[name] != found[name]
    ]


def _table(file: Any) -> Table:
    """All rows; how many there are is known before one is read."""
    names = tuple(file.schema_arrow.names)
    if len(set(names)) < len(names):
        raise BadRecord("two columns have the same name")
    check_cells(file.metadata.num_rows, len(names))
    columns = [[_cell(value) for value in column.to_pylist()] for column in file.read().columns]
    return Table(names, list(zip(*columns, strict=True)))


def _cell(value: Any) -> Cell:
    """A value as a cell; nested ones, bytes and times as texts."""
    if value is None or isinstance(value, bool):
        return (json.dumps(value),)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str) or is_number(value) else str(value)
