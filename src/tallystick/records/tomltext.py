"""Finds where the values of a TOML text stand, so that one can be changed and the rest kept."""

import tomllib
from typing import Any

from tallystick.patterns import regex
from tallystick.records.yamlwrite import double_quoted

Path = tuple[str | int, ...]
Spans = dict[Path, tuple[int, int]]

_BARE = r"[A-Za-z0-9_-]+"
_STRING = r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'"
_KEY = rf"(?:{_BARE}|{_STRING})(?:[ \t]*\.[ \t]*(?:{_BARE}|{_STRING}))*"
_VALUE = rf"{_STRING}|\[[^\[\]#\n\"']*\]|[^\s\"'\[{{#][^#\n]*?"
_LINE = regex(rf"[ \t]*({_KEY})[ \t]*=[ \t]*({_VALUE})[ \t]*(?:#.*)?")
_TABLE = regex(rf"[ \t]*\[[ \t]*({_KEY})[ \t]*\][ \t]*(?:#.*)?")


def spans(text: str) -> Spans:
    """Path -> start and end of the values that stand on one line, in no array of tables.

    A line inside a longer text may look like a setting: whoever changes one must read the result again.
    """
    found: Spans = {}
    table: Path | None = ()
    position = 0
    for line in text.splitlines(keepends=True):
        content = line.rstrip("\r\n")
        if header := _TABLE.fullmatch(content):
            table = _parts(header[1])
        elif content.lstrip().startswith("[["):
            table = None
        elif table is not None and (match := _LINE.fullmatch(content)):
            found.setdefault(
                (*table, *_parts(match[1])), (position + match.start(2), position + match.end(2))
            )
        position += len(line)
    return found


def _parts(key: str) -> Path:
    """The parts of a dotted key, read by the TOML reader itself."""
    value: Any = tomllib.loads(f"{key} = 0")
    parts: list[str] = []
    while isinstance(value, dict):
        ((part, value),) = value.items()
        parts.append(part)
    return tuple(parts)


def literal(value: Any) -> str | None:
    """A value as TOML writes it; None for what TOML has no word for."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return double_quoted(value)
    if isinstance(value, list):
        items = [literal(item) for item in value]
        return None if None in items else f"[{', '.join(item for item in items if item is not None)}]"
    return None
