"""Writes YAML scalars that the YAML 1.1 of PyYAML and the YAML 1.2 of others read alike."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tallystick.errors import BadRecord
from tallystick.patterns import regex
from tallystick.records.yamltree import resolve

_PLAIN = regex(r"[A-Za-z_/.][A-Za-z0-9_/.@%+=~-]*(?: [A-Za-z0-9_/.@%+=~-]+)*")
_OLD_WORDS = regex(r"y|yes|n|no|on|off|true|false|null|~|=|<<|\.|\.(inf|nan)", re.IGNORECASE)
"""What YAML 1.1 takes for something else than a word."""

_UNPRINTABLE = regex("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def quoted(text: str) -> str:
    """A text as a YAML scalar on one line: plain where nobody can misread it."""
    if _PLAIN.fullmatch(text) and not _OLD_WORDS.fullmatch(text) and isinstance(resolve(text), str):
        return text
    return double_quoted(text)


def double_quoted(text: str) -> str:
    """A text in double quotes, as YAML and TOML read it; everything invisible is escaped."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise BadRecord(f"{text[:120]!a} is not Unicode: it can't be written into a text file")
    escaped = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)


def scalar(value: Any) -> str:
    """Any plain value on one line, lists and mappings in flow style."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    return _flow(value)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(str(key))}: {scalar(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    raise BadRecord(f"a {type(value).__name__} can't be written as YAML")


def decimal(value: float) -> str:
    """A float that YAML 1.1 takes for a number too: it wants a dot before an exponent."""
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if mark and "." not in mantissa else text
