"""Typed access to the fields of a loaded record, with errors that name file, line and field."""

import math
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.paths import check_path, is_plain
from tallystick.patterns import regex
from tallystick.records.syntax import line_of

T = TypeVar("T")

LARGEST = 1 << 63
"""Sizes and counts are below this."""

LARGEST_NUMBER = 1 << 1000
"""Whole numbers are below this, so that each has a float near it."""

_CONTROL = regex("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What could forge another line, or another order of words, on somebody's terminal."""


def single_line(text: str) -> bool:
    """Whether a text can be shown on one line as it is."""
    return _CONTROL.search(text) is None


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping being read; `what` says in messages whose fields they are."""

    value: Mapping[str, Any]
    source: str = ""
    what: str = ""

    def bad(self, reason: str, key: str | None = None, hint: str | None = None) -> NoReturn:
        """Raise BadRecord about a field."""
        line = None if key is None else line_of(self.value, key)
        raise BadRecord(f"{self.what}: {reason}" if self.what else reason, self.source, line, hint)

    def only(self, *known: str) -> None:
        """Refuse every key that is not known."""
        for key in self.value if self.value.keys() - known else ():
            if key not in known:
                self.bad(f"unknown key `{key[:80]}`", key, f"there are: {', '.join(known)}")

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def has(self, key: str) -> bool:
        """Whether a field is there and not null."""
        return self.value.get(key) is not None

    def require(self, key: str) -> Any:
        """A field of any type that must be there."""
        if key not in self.value:
            self.bad(f"`{key}` is missing")
        return self.value[key]

    def text(self, key: str) -> str:
        """A text of any number of lines."""
        value = self.require(key)
        if not isinstance(value, str):
            self.bad(f"`{key}` must be a text", key)
        return value

    def line(self, key: str) -> str:
        """A text that can be shown on one line."""
        value = self.text(key)
        if not single_line(value):
            self.bad(f"`{key}` holds control characters", key)
        return value

    def choice(self, key: str, choices: Mapping[str, T]) -> T:
        """One word of several."""
        value = self.text(key)
        if value not in choices:
            self.bad(f"`{key}` must be one of {', '.join(choices)}", key)
        return choices[value]

    def integer(self, key: str, least: int = 0, most: int = LARGEST) -> int:
        """A whole number within bounds."""
        value = self.require(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.bad(f"`{key}` must be a whole number from {least} to {most}", key)
        return value

    def number(self, key: str) -> float:
        """A finite number that is not negative."""
        value = self.require(key)
        if not is_number(value) or value < 0:
            self.bad(f"`{key}` must be a number, 0 or more", key)
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false, a default when it is absent."""
        value = self.value.get(key, default)
        if not isinstance(value, bool):
            self.bad(f"`{key}` must be true or false", key)
        return value

    def digest(self, key: str) -> Digest:
        """A digest."""
        return Digest.parse(self.line(key), self.source, line_of(self.value, key))

    def path(self, key: str) -> str:
        """A safe path (rule P1)."""
        return check_path(self.text(key), self.source, line_of(self.value, key))

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """What a reader of this class says, or None where the field is absent or null."""
        return read(key) if self.has(key) else None

    def fields(self, key: str, what: str | None = None) -> "Fields":
        """A mapping; an absent one is an error."""
        return self.nested(key, self.require(key), what)

    def nested(self, key: str, value: Any, what: str | None = None) -> "Fields":
        """A value of this mapping as fields of its own."""
        if not isinstance(value, dict):
            self.bad(f"`{key}` must be a mapping", key)
        return Fields(value, self.source, what if what is not None else self.what)

    def items(self, key: str) -> Iterator[tuple[Any, int | None]]:
        """The items of a list with their lines; nothing when the list is absent or null."""
        value = self.value.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.bad(f"`{key}` must be a list", key)
        own = line_of(self.value, key)
        lines = getattr(value, "lines", None) or [None] * len(value)
        for item, line in zip(value, lines, strict=True):
            yield item, line or own

    def each(self, key: str) -> Iterator["Fields"]:
        """The items of a list of mappings."""
        for item, line in self.items(key):
            if not isinstance(item, dict):
                raise BadRecord(f"`{key}` must hold mappings", self.source, line)
            yield Fields(item, self.source, self.what)

    def lines(self, key: str) -> tuple[str, ...]:
        """A list of texts of one line each."""
        if self.value.get(key) == []:
            return ()
        return tuple(self._item_text(key, item, line) for item, line in self.items(key))

    def paths(self, key: str) -> tuple[str, ...]:
        """A list of safe paths."""
        if self.value.get(key) == []:
            return ()
        return tuple(
            check_path(self._item_text(key, item, line), self.source, line) for item, line in self.items(key)
        )

    def _item_text(self, key: str, item: Any, line: int | None) -> str:
        if not isinstance(item, str) or not single_line(item):
            raise BadRecord(f"`{key}` must be a list of plain texts", self.source, line)
        return item


def item_text(key: str, value: Any, line: int | None, fields: Fields) -> str:
    """An item of a list, or a key, that must be a text; of one line, unless it is part of a command."""
    if not isinstance(value, str) or (key != "cmd" and not single_line(value)):
        raise BadRecord(f"{fields.what}: `{key}` must hold texts, not {value!r:.80}", fields.source, line)
    return value


def item_path(key: str, value: Any, line: int | None, fields: Fields) -> str:
    """A path as the user writes it, normalised; it may begin with `..`, which only the project can judge."""
    if isinstance(value, str) and is_plain(value):
        return value
    text = item_text(key, value, line, fields)
    plain = posixpath.normpath(text) if text else ""
    inner = plain
    while inner.startswith("../"):
        inner = inner[3:]
    if text.startswith("/") or "://" in text:
        raise BadRecord(f"{fields.what}: `{text[:120]}` is outside of the project", fields.source, line)
    check_path(inner, fields.source, line)
    return plain


def is_number(value: object) -> bool:
    """Whether a value is a finite number; true and false are none."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) < LARGEST_NUMBER
    return isinstance(value, float) and math.isfinite(value)


def top(value: Any, source: str, kind: str) -> Fields:
    """The fields of a whole record, which must be a mapping."""
    if not isinstance(value, dict):
        raise BadRecord(f"not a {kind}: a mapping is wanted", source, 1)
    return Fields(value, source)


def versioned(value: Any, source: str, kind: str, version: int = 1) -> Fields:
    """Like `top`, for records that begin with `tally: <version>`."""
    fields = top(value, source, kind)
    if "tally" not in fields:
        raise BadRecord(f"not a {kind}: `tally: {version}` is missing", source, 1)
    found = fields.value["tally"]
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        fields.bad("`tally` must be the format's version, a whole number", "tally")
    if found > version:
        fields.bad(
            f"written by a later version of tally (format {found}, this one reads up to {version})",
            "tally",
            "upgrade tallystick",
        )
    return fields
