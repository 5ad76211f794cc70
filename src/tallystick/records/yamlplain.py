"""Reads YAML as most pipelines and parameters are written, line by line; leaves all else to PyYAML."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tallystick.records.yamltree import DEEPEST, resolve


class Table(dict[str, Any]):
    """A mapping that remembers the line of each key, for error messages."""

    lines: dict[str, int]


class Row(list[Any]):
    """A list that remembers the line of each item."""

    lines: list[int]


MANY = 50
"""So many plain items of a list, one a line, are read in one go."""

_LETTERS = "[\n\x20-\x7e\xa0-\u1fff\u3000-\ud7ff]*"
"""No letter that YAML takes for the end of a line, or refuses."""

# Whatever is taken is kept (`++`, `*+`), so that a text that doesn't fit is given up at once.
_KEY = r"[A-Za-z0-9_][A-Za-z0-9_./@-]{0,200}+"
_WORD = r"(?:[A-Za-z0-9_./]|-(?=[0-9.]))[A-Za-z0-9_./@=+~%$*-]*+"
_QUOTED = r""""[^"\\]*+"|'[^']*+'"""
_PAIR = rf"{_KEY}: ++{_WORD}"
_PLAIN = r"(?:[A-Za-z0-9_./$(+]|-(?=[0-9.]))(?:[^ #:]++|:(?=[^ #:])| ++(?=[^ #:]))*+"
_ROW = rf"\[ *+(?:{_WORD}(?: *+, *+{_WORD})*+)? *+\]"
_TABLE = rf"\{{ *+(?:{_PAIR}(?: *+, *+{_PAIR})*+)? *+\}}"
_VALUE = rf"{_QUOTED}|{_ROW}|{_TABLE}|{_PLAIN}"

_ITEMS = rf"^( *)- {_WORD}\n(?:\1- {_WORD}\n){{{MANY - 1},}}"
_LINE = rf"( *)(- +)?(?:({_KEY}):(?= |$)(?: +({_VALUE}))?|({_VALUE}))?(?: +#.*| *)"
_ENTRY = rf"({_KEY}): +({_WORD})"


@cache
def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compiled for the first text: it takes some milliseconds, and many commands read no YAML."""
    return re.compile(pattern, flags)


class _Line(NamedTuple):
    """A line that says something: where it begins, if it is an item of a list, and what it says.

    Or many items of a list, one behind the other.
    """

    indent: int
    dash: int
    key: str | None
    value: str | None
    number: int
    words: tuple[str, ...] = ()


_END = _Line(-1, 0, None, None, 0)


def read(text: str) -> Table | None:
    """What a text says, as PyYAML would read it and with the same lines, at a tenth of the cost.

    None for one that PyYAML has to read: anything unusual (a ValueError in here), and all that is wrong.
    """
    if _compiled(_LETTERS).fullmatch(text) is None:
        return None
    try:
        lines = _lines(text)
        table, end = _mapping(lines, 0, 0, 1)
    except ValueError:
        return None
    return table if lines[end] is _END else None


def _lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    at, number = 0, 1
    for items in _compiled(_ITEMS, re.MULTILINE).finditer(text):
        before = text[at : items.start()]
        found += _each_line(before, number)
        number += before.count("\n")
        words = tuple(_compiled(_WORD).findall(items[0].replace("- ", "")))
        found.append(_Line(len(items[1]), 2, None, None, number, words))
        at, number = items.end(), number + len(words)
    return [*found, *_each_line(text[at:], number), _END]


def _each_line(text: str, first: int) -> Iterator[_Line]:
    """The lines of a part of the text, by the number of the first."""
    match = _compiled(_LINE).fullmatch
    for number, line in enumerate(text.split("\n"), first):
        if line.lstrip(" ")[:1] in ("", "#"):
            continue
        seen = match(line)
        if seen is None:
            raise ValueError
        indent, dash, key, value, item = seen.groups()
        if key is None and (dash is None or item is None):
            raise ValueError
        yield _Line(len(indent), len(dash or ""), key, item if key is None else value, number)


def _mapping(lines: list[_Line], at: int, column: int, depth: int) -> tuple[Table, int]:
    """The mapping whose keys begin in a column, its first one at a line, and the line behind it."""
    if depth > DEEPEST - 2:
        raise ValueError
    table = Table()
    table.lines = {}
    line = lines[at]
    # The first key may stand behind the dash of a list's item.
    if line.indent + line.dash != column or line.key is None:
        raise ValueError
    while True:
        key = line.key
        if key is None or key in table:
            raise ValueError
        table.lines[key] = line.number
        table[key], at = _value(lines, at, column, depth)
        line = lines[at]
        if line.indent != column or line.dash:
            break
    if line.indent > column:
        raise ValueError
    return table, at


def _value(lines: list[_Line], at: int, column: int, depth: int) -> tuple[Any, int]:
    """What stands behind a key in a column, or below it, and the line behind that."""
    line, after = lines[at], lines[at + 1]
    if line.value is not None:
        if after.indent > column:
            raise ValueError
        return _scalar(line.value, line.number), at + 1
    if after.dash and after.indent >= column:
        return _sequence(lines, at + 1, after.indent, depth + 1)
    if after.indent > column:
        return _mapping(lines, at + 1, after.indent, depth + 1)
    return None, at + 1


def _sequence(lines: list[_Line], at: int, column: int, depth: int) -> tuple[Row, int]:
    """The list whose dashes stand in a column, and the line behind it."""
    if depth > DEEPEST - 2:
        raise ValueError
    row = Row()
    row.lines = []
    line = lines[at]
    while line.indent == column and line.dash:
        if line.words:
            row.lines.extend(range(line.number, line.number + len(line.words)))
            row.extend(map(resolve, line.words))
            line = lines[at := at + 1]
            continue
        row.lines.append(line.number)
        if line.key is None:
            row.append(_scalar(line.value or "", line.number))
            at += 1
        else:
            item, at = _mapping(lines, at, column + line.dash, depth + 1)
            row.append(item)
        line = lines[at]
    if line.indent > column:
        raise ValueError
    return row, at


def _scalar(text: str, number: int) -> Any:
    first = text[0]
    if first in "\"'":
        return text[1:-1]
    if first == "[":
        row = Row(map(resolve, _compiled(_WORD).findall(text)))
        row.lines = [number] * len(row)
        return row
    if first == "{":
        entries = _compiled(_ENTRY).findall(text)
        table = Table((key, resolve(value)) for key, value in entries)
        table.lines = dict.fromkeys(table, number)
        if len(table) != len(entries):
            raise ValueError
        return table
    return resolve(text)
