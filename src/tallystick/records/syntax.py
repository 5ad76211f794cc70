"""YAML and JSON to plain values and back: bounded, strict, one canonical form."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NoReturn, SupportsIndex

from tallystick.errors import BadRecord
from tallystick.patterns import regex
from tallystick.records import yamlplain
from tallystick.records.yamlplain import Row, Table
from tallystick.records.yamltree import DEEPEST, Branch, Leaf, Node, parse_tree

POINTER_LIMIT = 64 << 10
PIPELINE_LIMIT = 4 << 20
RECEIPT_LIMIT = 16 << 20

_CONFLICT = regex(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)


def decode(data: bytes | str, source: str, limit: int) -> str:
    """Text of a bounded record; a byte order mark is dropped."""
    if len(data) > limit:
        raise BadRecord(f"larger than the {limit:,} bytes that such a record may have", source)
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadRecord("not UTF-8 text", source, line) from error


def refuse_conflict(text: str, source: str, hint: str = "resolve it, then `git add` the file") -> None:
    """Raise BadRecord for a text that git left half merged."""
    match = _CONFLICT.search(text)
    if match is not None:
        line = text.count("\n", 0, match.start()) + 1
        raise BadRecord("a merge conflict: both sides changed this file", source, line, hint)


def load_yaml(data: bytes | str, source: str = "", limit: int = PIPELINE_LIMIT) -> Any:
    """Read YAML into plain values; mappings are Table, lists are Row. An empty text is None."""
    text = decode(data, source, limit)
    refuse_conflict(text, source)
    found = yamlplain.read(text)
    if found is not None:
        return found
    node = parse_tree(text, source)
    return None if node is None else plain(node)


def plain(node: Node) -> Any:
    """The value that a node stands for."""
    if isinstance(node, Leaf):
        return node.value
    if node.keys is None:
        row = Row(plain(item) for item in node.items)
        row.lines = [item.line for item in node.items]
        return row
    return _table(node)


def _table(node: Branch) -> Table:
    keys = node.keys or ()
    table = Table((key.text, plain(item)) for key, item in zip(keys, node.items, strict=True))
    table.lines = {key.text: key.line for key in keys}
    return table


def line_of(value: object, key: SupportsIndex | str) -> int | None:
    """The line of a key or an item, where it is known."""
    lines = getattr(value, "lines", None)
    if isinstance(lines, dict):
        return lines.get(str(key))
    return lines[key] if isinstance(lines, list) and not isinstance(key, str) else None


def load_json(data: bytes | str, source: str = "", limit: int = RECEIPT_LIMIT) -> Any:
    """Read strict JSON: no NaN, no key twice, no lone surrogates, bounded depth."""
    text = decode(data, source, limit)
    refuse_conflict(text, source)
    try:
        value = _strict().decode(text)
    except json.JSONDecodeError as error:
        raise BadRecord(f"not valid JSON: {error.msg}", source, error.lineno) from error
    except RecursionError:
        raise BadRecord(f"nested deeper than {DEEPEST} levels", source) from None
    except ValueError as error:
        raise BadRecord(f"not valid JSON: {str(error)[:200]}", source) from error
    # Only escapes can smuggle a surrogate in: UTF-8 has none.
    surrogates = "\\u" in text
    if surrogates or text.count("{") + text.count("[") > DEEPEST:
        _check_json(value, source, surrogates)
    return value


def pieces(data: bytes | str, limit: int) -> dict[str, str] | None:
    """The values of a mapping that `dump_json` wrote, unread, by their keys; None for other texts.

    If each piece is JSON and the keys are known, the whole is the mapping that they make: no text in JSON
    holds a line break. Whatever would have to be looked at as a whole is left alone.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
    except UnicodeDecodeError:
        return None
    if len(data) > limit or "\\u" in text or not text.startswith('{\n  "') or not text.endswith("\n}\n"):
        return None
    parts = [part.partition('": ') for part in text[5:-3].split(',\n  "')]
    found = {key: value for key, _, value in parts}
    return found if len(found) == len(parts) and all(found.values()) else None


def load_piece(text: str) -> Any:
    """One value of such a mapping; raise ValueError for what has to be looked at as a whole."""
    if text.count("{") + text.count("[") >= DEEPEST:
        raise ValueError("perhaps nested too deeply")
    return _strict().decode(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key `{twice[:80]}` stands twice")
    return table


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


@cache
def _strict() -> "json.JSONDecoder":
    """What reads JSON here; made when there is some."""
    return json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)


def _check_json(root: Any, source: str, surrogates: bool) -> None:
    """Walk level by level, so that the walk itself needs no depth."""
    level = [root]
    for _ in range(DEEPEST + 1):
        if surrogates:
            _check_text(level, source)
        branches = [value for value in level if isinstance(value, dict | list)]
        level = [item for branch in branches for item in _children(branch, surrogates)]
        if not level:
            return
    raise BadRecord(f"nested deeper than {DEEPEST} levels", source)


def _children(value: dict[str, Any] | list[Any], names: bool) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    return [*value.keys(), *value.values()] if names else value.values()


def _check_text(values: list[Any], source: str) -> None:
    for value in values:
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise BadRecord("not valid JSON: half of a surrogate pair", source)


def dump_json(value: object) -> bytes:
    """The one canonical form: sorted keys, two spaces, UTF-8, a newline at the end."""
    return _encoded(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False))


def dump_with_rows(value: Mapping[str, object], rows: Mapping[str, Iterable[str]]) -> bytes:
    """The same form of a mapping whose empty lists get rows: each a flat mapping, as `row` writes it.

    Python writes indented JSON a word at a time, ten times slower than flat JSON.
    """
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    for key, texts in rows.items():
        if listed := ",\n".join(texts):
            # No text holds a line break as it is, and what lies deeper is indented further: it is this key.
            text = text.replace(f'\n  "{key}": []', f'\n  "{key}": [\n{listed}\n  ]', 1)
    return _encoded(text)


def row(value: Mapping[str, object]) -> str:
    """A flat mapping as it stands in a list of a mapping."""
    parted = (",\n      ", ": ")
    flat = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=parted)
    return f"    {{\n      {flat[1:-1]}\n    }}"


def _encoded(text: str) -> bytes:
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError as error:
        raise BadRecord("a text that is not Unicode can't be written down") from error
