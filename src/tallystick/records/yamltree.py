"""YAML as a tree of nodes that know where they stand, and what its plain words mean."""

import math
from importlib import import_module

from tallystick.frozen import dataclass
from tallystick.patterns import regex

DEEPEST = 64

READER = "tallystick.records.yamlreader"
"""Loaded for the first text that needs it: pointers as tally writes them do not, and PyYAML takes 20 ms."""

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = regex(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = regex(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar; `start` and `end` are positions in the text, `line` counts from 1."""

    value: Scalar
    text: str
    plain: bool
    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A mapping (`keys` beside `items`) or a list (no `keys`)."""

    keys: tuple[Leaf, ...] | None
    items: tuple["Node", ...]
    flow: bool
    start: int
    end: int
    line: int
    column: int

    def child(self, name: str) -> "Node | None":
        """A mapping's value by its key."""
        for key, item in zip(self.keys or (), self.items, strict=False):
            if key.text == name:
                return item
        return None


Node = Leaf | Branch


def resolve(text: str) -> Scalar:
    """A plain scalar's value by the core schema of YAML 1.2: `1e-3` is a number, `yes` is a word.

    What is not finite stays text, so that every value can be compared and written as JSON.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def parse_tree(text: str, source: str = "") -> Node | None:
    """Read one YAML document; None when it is empty. Raises BadRecord with the line."""
    found: Node | None = import_module(READER).read(text, source)
    return found
