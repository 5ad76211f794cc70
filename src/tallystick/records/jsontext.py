"""Finds where the values of a JSON text stand, so that one can be changed and the rest kept."""

import json
from typing import Any

from tallystick.patterns import regex

Path = tuple[str | int, ...]
Spans = dict[Path, tuple[int, int]]

_DECODER = json.JSONDecoder()
_BLANK = regex(r"[ \t\r\n]*")
_ATOM = regex(r"[^\s,\]}]+")


def spans(text: str) -> Spans:
    """Path -> start and end of every value of a text that is known to be valid JSON."""
    found: Spans = {}
    _scan(text, _blank(text, 0), (), found)
    return found


def dump(value: Any) -> str:
    """A value on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _scan(text: str, start: int, path: Path, found: Spans) -> int:
    """Note the value that begins at `start`; say where it ends."""
    if text[start] == "{":
        end = _scan_object(text, start + 1, path, found)
    elif text[start] == "[":
        end = _scan_array(text, start + 1, path, found)
    elif text[start] == '"':
        end = _DECODER.raw_decode(text, start)[1]
    else:
        match = _ATOM.match(text, start)
        end = match.end() if match else start
    found[path] = (start, end)
    return end


def _scan_object(text: str, position: int, path: Path, found: Spans) -> int:
    position = _blank(text, position)
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        colon = _blank(text, position)
        position = _blank(text, _scan(text, _blank(text, colon + 1), (*path, key), found))
        if text[position] == ",":
            position = _blank(text, position + 1)
    return position + 1


def _scan_array(text: str, position: int, path: Path, found: Spans) -> int:
    position, index = _blank(text, position), 0
    while text[position] != "]":
        position = _blank(text, _scan(text, position, (*path, index), found))
        index += 1
        if text[position] == ",":
            position = _blank(text, position + 1)
    return position + 1
