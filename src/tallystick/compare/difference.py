"""How two files differ, in terms of what they hold: cells, keys, arrays, or only bytes."""

import csv
import io
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from tallystick.compare.arrays import compare_npy, compare_npz
from tallystick.compare.numbers import apart, other
from tallystick.errors import BadRecord
from tallystick.records import values
from tallystick.records.tolerance import Tolerance
from tallystick.records.verdict import Difference

LARGEST = 1 << 26
"""Bytes of the largest text that is looked into."""

PIECE = 1 << 20
MOST = 50
"""Differences that are named one by one."""

Tolerances = Mapping[str, Tolerance]


def differences(
    path: str, expected: BinaryIO, actual: BinaryIO, tolerances: Tolerances
) -> tuple[Difference, ...]:
    """How a file differs from what was expected; nothing when it only looks different."""
    compare = _BY_SUFFIX.get(posixpath.splitext(path)[1].lower())
    if compare is not None:
        try:
            return _bounded(list(compare(path, expected, actual, tolerances)))
        except (BadRecord, UnicodeDecodeError, csv.Error):
            # What can't be read as what its name says is still bytes.
            expected.seek(0)
            actual.seek(0)
    return (_bytes(expected, actual),)


def _bounded(found: list[Difference]) -> tuple[Difference, ...]:
    """The differences that matter most: those no tolerance covers first."""
    ranked = sorted(found, key=lambda each: each.within)
    if len(ranked) <= MOST:
        return tuple(ranked)
    rest = ranked[MOST:]
    return (
        *ranked[:MOST],
        Difference("", "", f"{len(rest)} more differences", within=all(each.within for each in rest)),
    )


def _values(path: str, expected: BinaryIO, actual: BinaryIO, tolerances: Tolerances) -> Iterator[Difference]:
    """Compare two files of keys and values."""
    old, new = (_flat(values.load(_text(file), path)) for file in (expected, actual))
    for key in dict.fromkeys((*old, *new)):
        if key not in new:
            yield other(key, _shown(old[key]), "nothing")
        elif key not in old:
            yield other(key, "nothing", _shown(new[key]))
        elif _is_number(old[key]) and _is_number(new[key]):
            difference = apart(key, [(old[key], new[key])], tolerances)
            if difference is not None:
                yield difference
        elif old[key] != new[key] or type(old[key]) is not type(new[key]):
            yield other(key, _shown(old[key]), _shown(new[key]))


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


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _table(delimiter: str) -> Callable[[str, BinaryIO, BinaryIO, Tolerances], Iterator[Difference]]:
    """Make the comparison for tables with a line of column names."""

    def compare(
        _path: str, expected: BinaryIO, actual: BinaryIO, tolerances: Tolerances
    ) -> Iterator[Difference]:
        old, new = (_rows(file, delimiter) for file in (expected, actual))
        if old[:1] != new[:1]:
            yield other("columns", ", ".join(old[0] if old else ()), ", ".join(new[0] if new else ()))
        elif len(old) != len(new):
            yield other("rows", str(len(old) - 1), str(len(new) - 1))
        elif old:
            for number, name in enumerate(old[0]):
                yield from _column(name, _cells(old, number), _cells(new, number), tolerances)

    return compare


def _rows(file: BinaryIO, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(_text(file).decode()), delimiter=delimiter))


def _cells(rows: list[list[str]], column: int) -> list[str]:
    return [row[column] if column < len(row) else "" for row in rows[1:]]


def _column(name: str, old: list[str], new: list[str], tolerances: Tolerances) -> Iterator[Difference]:
    """Compare one column: as numbers where both cells are, else as text."""
    pairs, texts = [], []
    for one, two in zip(old, new, strict=True):
        if one != two:
            numbers = _number(one), _number(two)
            if numbers[0] is None or numbers[1] is None:
                texts.append((one, two))
            else:
                pairs.append((numbers[0], numbers[1]))
    if texts:
        yield other(name, _shown(texts[0][0]), f"{_shown(texts[0][1])} ({len(texts)} cells differ)")
    difference = apart(name, pairs, tolerances)
    if difference is not None:
        yield difference


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(file: BinaryIO) -> bytes:
    """A whole file, unless it is too large to be looked into."""
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise BadRecord("too large to be looked into")
    return data


def _bytes(expected: BinaryIO, actual: BinaryIO) -> Difference:
    """Say from where on, and in how many bytes, two files differ."""
    position, first, count = 0, None, 0
    while True:
        one, two = expected.read(PIECE), actual.read(PIECE)
        if not one and not two:
            break
        if one != two:
            at = [index for index, (old, new) in enumerate(zip(one, two, strict=False)) if old != new]
            at.extend(range(min(len(one), len(two)), max(len(one), len(two))))
            first = position + at[0] if first is None else first
            count += len(at)
        position += max(len(one), len(two))
    return other(
        "bytes", "the recorded bytes", f"{count:,} of {position:,} bytes differ, the first at {first}"
    )


def _npy(_path: str, expected: BinaryIO, actual: BinaryIO, tolerances: Tolerances) -> Iterator[Difference]:
    return compare_npy(expected, actual, tolerances)


def _npz(_path: str, expected: BinaryIO, actual: BinaryIO, tolerances: Tolerances) -> Iterator[Difference]:
    return compare_npz(expected, actual, tolerances)


_BY_SUFFIX: dict[str, Callable[[str, BinaryIO, BinaryIO, Tolerances], Iterator[Difference]]] = {
    ".json": _values,
    ".yaml": _values,
    ".yml": _values,
    ".toml": _values,
    ".csv": _table(","),
    ".tsv": _table("\t"),
    ".npy": _npy,
    ".npz": _npz,
}
