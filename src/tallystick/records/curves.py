"""Curves: numbers out of metric series, tables and JSON, thinned to what an eye can tell apart."""

import csv
import io
import json
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from typing import Any

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records import series
from tallystick.records.syntax import decode
from tallystick.records.values import suffix_of

LIMIT = 64 << 20
"""Bytes of the largest table that is drawn."""

COLUMNS = 600
"""Columns of pixels: of longer curves each gets the lowest and the highest of its points."""

MOST = 100
"""Columns of a table that are looked at."""

ROW = "row"
"""What a table without steps is drawn over: the number of the row."""

STEPS = ("step", "steps", "epoch", "epochs", "iteration", "iter", "batch", "global_step", "x")
"""Columns, by their names in lower case, that others are drawn over."""

LARGEST_GRID = 60
"""Rows and columns of the largest matrix that is shown as one."""

DELIMITERS = {".csv": ",", ".tsv": "\t"}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of numbers, equally long, NaN where there is none; `name` tells tables of one file apart."""

    name: str
    columns: Mapping[str, "array[float]"]


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix with names for its rows and columns: who was taken for whom."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    numbers: tuple[tuple[float, ...], ...]


def is_table(path: str) -> bool:
    """Whether a file, by its suffix, can hold curves."""
    return suffix_of(path) in (*DELIMITERS, ".json")


def read_series(data: bytes, source: str) -> Frame:
    """Read what `tallystick.log` wrote; raise BadRecord where it is too much."""
    if len(data) > LIMIT:
        raise BadRecord(f"it is larger than {LIMIT >> 20} MiB", source)
    return Frame("", _columns({series.STEP: step.step, **step.values} for step in series.read(data)))


def read_table(data: bytes, path: str) -> list[Frame | Grid]:
    """Read a CSV, TSV or JSON file; raise BadRecord for one that holds no table."""
    delimiter = DELIMITERS.get(suffix_of(path))
    if delimiter is None:
        return [_predictions(rows) or Frame(name, _columns(rows)) for name, rows in _json_rows(data, path)]
    reader = csv.reader(io.StringIO(decode(data, path, LIMIT), newline=""), delimiter=delimiter)
    try:
        return [_cells(_distinct(next(reader)), filter(None, reader))]
    except StopIteration as error:
        raise BadRecord("it is empty", path) from error
    except csv.Error as error:
        raise BadRecord(f"not a valid table: {error}", path, reader.line_num) from error


def _cells(names: Sequence[str], rows: Iterator[list[str]]) -> Frame | Grid:
    """A table of text as what it is drawn as."""
    first = list(islice(rows, LARGEST_GRID + 1))
    grid = _square(names, first)
    if grid is None and _is_predictions(names):
        grid = _counted(names, chain(first, rows))
    if grid is not None:
        return grid
    columns = {name: array("d") for name in names[:MOST]}
    for row in chain(first, rows):
        for place, column in enumerate(columns.values()):
            column.append(_number(row[place] if place < len(row) else None))
    return Frame("", columns)


def _distinct(heading: Iterable[str]) -> list[str]:
    """The names of columns; one that is missing, or stands twice, is numbered."""
    names: dict[str, None] = {}
    for number, name in enumerate(heading, 1):
        plain = name.strip() or "column"
        names[plain if plain not in names and name.strip() else f"{plain} {number}"] = None
    return list(names)


def curves(
    frame: Frame, x: str | None = None, y: Sequence[str] = ()
) -> tuple[str, dict[str, tuple[Point, ...]]]:
    """The columns that are drawn, and the name of the one that they are drawn over.

    What isn't named is chosen: a column of steps, else the first if it only rises, else the row's number.
    """
    over = x if x is not None and x in frame.columns else _over(frame)
    steps = frame.columns.get(over)
    found = {}
    for name, column in frame.columns.items():
        if name != over and (not y or name in y) and any(map(math.isfinite, column)):
            found[name] = tuple(zip(range(len(column)) if steps is None else steps, column, strict=True))
    return over, found


def thinned(points: Sequence[Point], columns: int = COLUMNS) -> tuple[Point, ...]:
    """As many points of a curve as can be seen: of each stretch the lowest and the highest, and both ends."""
    if len(points) <= 2 * columns:
        return tuple(points)
    kept = {0, len(points) - 1}
    for column in range(columns):
        stretch = range(column * len(points) // columns, (column + 1) * len(points) // columns)
        finite = [place for place in stretch if math.isfinite(points[place][1])]
        if finite:
            kept.add(min(finite, key=lambda place: points[place][1]))
            kept.add(max(finite, key=lambda place: points[place][1]))
        else:
            kept.add(stretch[0])
    return tuple(points[place] for place in sorted(kept))


def _over(frame: Frame) -> str:
    for name in STEPS:
        for column in frame.columns:
            if column.lower() == name:
                return column
    first = next(iter(frame.columns), None)
    if first is None or len(frame.columns) == 1:
        return ROW
    values = frame.columns[first]
    rises = all(one < two for one, two in pairwise(values))
    return first if len(values) > 1 and rises else ROW


def _json_rows(data: bytes, path: str) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """The tables in a JSON file: a list of objects, lists by name, or lists of objects by name."""
    try:
        # Not as strict as records are: NaN, which Python writes, is a gap in a curve.
        value = json.loads(decode(data, path, LIMIT))
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"not valid JSON: {str(error)[:200]}", path) from error
    if isinstance(value, list):
        yield "", _objects(value)
        return
    if not isinstance(value, dict):
        raise BadRecord("it holds no table: a list of objects, or lists by name", path)
    plain = {name: item for name, item in value.items() if isinstance(item, list)}
    for name in [name for name, item in plain.items() if item and isinstance(item[0], dict)]:
        yield name, _objects(plain.pop(name))
    if plain:
        longest = max(map(len, plain.values()))
        yield "", [_row(plain, place) for place in range(longest)]


def _row(lists: Mapping[str, list[Any]], place: int) -> dict[str, Any]:
    return {name: values[place] for name, values in lists.items() if place < len(values)}


def _objects(values: list[Any]) -> list[Mapping[str, Any]]:
    return [
        value if isinstance(value, dict) else {"value": value}
        for value in values
        if not isinstance(value, list)
    ]


def _columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, "array[float]"]:
    """Rows as columns; one that comes late has no numbers before."""
    columns: dict[str, array[float]] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                if len(columns) == MOST:
                    continue
                column = columns[name] = array("d")
            column.extend([math.nan] * (number - len(column)))
            column.append(_number(value))
    longest = max(map(len, columns.values()), default=0)
    for column in columns.values():
        column.extend([math.nan] * (longest - len(column)))
    return columns


def _number(value: Any) -> float:
    """A cell as a number, NaN where it is none."""
    try:
        return math.nan if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _is_predictions(names: Iterable[str]) -> bool:
    return sorted(map(str.lower, names)) == ["actual", "predicted"]


def _predictions(rows: Sequence[Mapping[str, Any]]) -> Grid | None:
    """Objects that each say what was and what was predicted, as dvclive writes them."""
    names = tuple(rows[0]) if rows else ()
    if not _is_predictions(names) or any(row.keys() != rows[0].keys() for row in rows):
        return None
    return _counted(names, ([str(row[name]) for name in names] for row in rows))


def _counted(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Grid | None:
    """A table of what was and what was predicted, counted."""
    actual = 0 if names[0].lower() == "actual" else 1
    counts = Counter((row[actual], row[1 - actual]) for row in rows if len(row) > 1)
    labels = sorted({label for pair in counts for label in pair})
    if not labels or len(labels) > LARGEST_GRID:
        return None
    numbers = tuple(tuple(float(counts[one, two]) for two in labels) for one in labels)
    return Grid(tuple(labels), tuple(labels), numbers)


def _square(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid | None:
    """A table whose columns are called after its rows, one by one: a matrix, not curves."""
    size = len(names) - 1
    if not 2 <= size <= LARGEST_GRID or len(rows) != size or any(len(row) != size + 1 for row in rows):
        return None
    numbers = tuple(tuple(map(_number, row[1:])) for row in rows)
    called = all(row[0].strip() and row[0] in name for row, name in zip(rows, names[1:], strict=True))
    if not called or not all(math.isfinite(each) for row in numbers for each in row):
        return None
    return Grid(tuple(row[0] for row in rows), tuple(names[1:]), numbers)
