"""Files of keys and values side by side: JSON, YAML, TOML, and JSON lines as a table."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from tallystick.compare.numbers import Policy, apart, other
from tallystick.compare.shown import Only, shown, whole
from tallystick.compare.tables import Cell, Row, Table, check_cells, compare_tables
from tallystick.records.fields import is_number
from tallystick.records.syntax import load_json, load_yaml
from tallystick.records.values import load_toml
from tallystick.records.verdict import Difference

LARGEST_TREE = 1 << 23
"""Bytes of the largest file of nested values that is looked into: they take much memory."""


def compare_json(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """How two JSON files differ; raise BadRecord if one is none."""
    old, new = (load_json(whole(file, LARGEST_TREE), limit=LARGEST_TREE) for file in (expected, actual))
    return _compare(old, new, tolerances)


def compare_yaml(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """How two YAML files differ; raise BadRecord if one is none."""
    old, new = (load_yaml(whole(file)) for file in (expected, actual))
    return _compare(old, new, tolerances)


def compare_toml(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """How two TOML files differ; raise BadRecord if one is none."""
    old, new = (load_toml(whole(file)) for file in (expected, actual))
    return _compare(old, new, tolerances)


def compare_lines(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterable[Difference] | Only:
    """How two files with a JSON value on each line differ, as tables of keys."""
    old, new = ([_flat(value) for value in _lines(file)] for file in (expected, actual))
    return compare_tables(_table(old), _table(new), tolerances)


def _compare(old: Any, new: Any, tolerances: Policy) -> Iterable[Difference] | Only:
    known, now = _flat(old), _flat(new)
    found = _differences(known, now, tolerances)
    first = next(found, None)
    if first is None:
        return "layout" if list(known) == list(now) else "order"
    return "order" if _sorted(old) == _sorted(new) else chain([first], found)


def _differences(old: dict[str, Any], new: dict[str, Any], tolerances: Policy) -> Iterator[Difference]:
    for key in dict.fromkeys((*old, *new)):
        if key not in new:
            yield other(key, shown(old[key]), "nothing")
        elif key not in old:
            yield other(key, "nothing", shown(new[key]))
        elif is_number(old[key]) and is_number(new[key]):
            difference = apart(key, [(old[key], new[key])], tolerances)
            if difference is not None:
                yield difference
        elif old[key] != new[key] or type(old[key]) is not type(new[key]):
            yield other(key, shown(old[key]), shown(new[key]))


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """A nested value as leaves by dotted key."""
    if isinstance(value, dict) and value:
        parts = value.items()
    elif isinstance(value, list) and value:
        parts = enumerate(value)  # type: ignore[assignment]
    else:
        return {prefix or "value": value}
    flat: dict[str, Any] = {}
    for key, part in parts:
        flat.update(_flat(part, f"{prefix}.{key}" if prefix else str(key)))
    return flat


def _sorted(value: Any) -> str:
    """A value as text in which neither the order of keys counts, nor that of records in a list."""
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{json.dumps(key)}:{_sorted(part)}' for key, part in value.items()))}}}"
    if isinstance(value, list):
        parts = [_sorted(part) for part in value]
        records = all(isinstance(part, dict) for part in value)
        return f"[{','.join(sorted(parts) if records else parts)}]"
    return json.dumps(value)


def _lines(file: BinaryIO) -> list[Any]:
    data = whole(file)
    check_cells(data.count(b",") + data.count(b"\n"), 1)
    return [load_json(line, limit=LARGEST_TREE) for line in data.splitlines() if line.strip()]


def _table(records: list[dict[str, Any]]) -> Table:
    columns = tuple(dict.fromkeys(key for record in records for key in record))
    check_cells(len(records), len(columns))
    return Table(columns, [_row(record, columns) for record in records])


def _row(record: dict[str, Any], columns: tuple[str, ...]) -> Row:
    return tuple(_cell(record[name]) if name in record else () for name in columns)


def _cell(value: Any) -> Cell:
    """A leaf as a cell: `true`, `null` and what is empty can't be taken for a text or number."""
    return value if isinstance(value, str) or is_number(value) else (json.dumps(value),)
