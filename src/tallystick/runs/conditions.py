"""Conditions on runs, `accuracy > 0.9 and stage = train`: read, checked and applied, never evaluated."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from operator import ge, gt, le, lt
from typing import Any, NoReturn

from tallystick.errors import WrongUsage
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.fields import is_number
from tallystick.runs.naming import BEGINNINGS, Values

DEEPEST = 50
"""How many brackets may stand in one another."""

LONGEST = 10_000

_TOKEN = regex(
    r"\s*(?:(?P<operator><=|>=|==|!=|<|>|=|~)|(?P<bracket>[()])"
    r"|(?P<quoted>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<word>[^\s()<>=!~\"']+))"
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_HINT = "for example: --where 'accuracy > 0.9 and stage = train'"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One name and what its value should be."""

    name: str
    operator: str
    text: str

    def fits(self, values: Values) -> bool:
        """Whether a run's value is so; one that isn't there is nothing but `none`."""
        value = values.find(self.name)
        if self.operator in ("=", "!="):
            return self._is_equal(value) == (self.operator == "=") and (value is not None or self._asks_none)
        if value is None:
            return False
        if self.operator == "~":
            return self.text in plain_text(value)
        return self._is_ordered(value)

    @property
    def _asks_none(self) -> bool:
        return self.text == "none"

    def _is_equal(self, value: Any) -> bool:
        if value is None:
            return self._asks_none
        number = as_number(self.text) if is_number(value) else None
        if number is not None:
            return bool(value == number)
        text = plain_text(value)
        return text.startswith(self.text) if self.name in BEGINNINGS else text == self.text

    def _is_ordered(self, value: Any) -> bool:
        order = _ORDERS[self.operator]
        if is_number(value):
            number = as_number(self.text)
            return number is not None and order(value, number)
        return isinstance(value, str) and order(value, self.text)


@dataclass(frozen=True, slots=True)
class Every:
    """All of some conditions."""

    parts: tuple["Condition", ...]

    def fits(self, values: Values) -> bool:
        """Whether a run fits them all."""
        return all(part.fits(values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either:
    """One of some conditions."""

    parts: tuple["Condition", ...]

    def fits(self, values: Values) -> bool:
        """Whether a run fits one of them."""
        return any(part.fits(values) for part in self.parts)


Condition = Comparison | Every | Either


def names(condition: Condition) -> Iterator[str]:
    """The names that a condition asks for."""
    if isinstance(condition, Comparison):
        yield condition.name
    else:
        for part in condition.parts:
            yield from names(part)


def parse(text: str) -> Condition:
    """Read a condition; raise WrongUsage, saying what is wrong with it."""
    return _Reader(text).whole()


def plain_text(value: Any) -> str:
    """A value as it is typed: `true`, `none`, `0.1`."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return str(value)


@cache
def as_number(text: str) -> float | int | None:
    """The number that a text is."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


class _Reader:
    """Reads a condition from left to right: `or` of `and` of comparisons and brackets."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._cut())
        self._next = 0

    def whole(self) -> Condition:
        found = self._either(0)
        if self._next < len(self._tokens):
            self._bad(f"`{self._peek()[1]}` is not expected here")
        return found

    def _cut(self) -> Iterator[tuple[str, str]]:
        if len(self._text) > LONGEST:
            self._bad("it is too long")
        start, end = 0, len(self._text.rstrip())
        while start < end:
            match = _TOKEN.match(self._text, start)
            if match is None:
                self._bad(f"`{self._text[start:].strip()[:40]}` can't be read")
            kind = match.lastgroup or ""
            word = match[kind]
            yield kind, re.sub(r"\\(.)", r"\1", word[1:-1]) if kind == "quoted" else word
            start = match.end()

    def _either(self, depth: int) -> Condition:
        parts = [self._every(depth)]
        while self._took("or"):
            parts.append(self._every(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _every(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._took("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, depth: int) -> Condition:
        if self._peek() == ("bracket", "("):
            if depth == DEEPEST:
                self._bad("too many brackets stand in one another")
            self._next += 1
            found = self._either(depth + 1)
            if self._peek() != ("bracket", ")"):
                self._bad("a bracket is not closed")
            self._next += 1
            return found
        return self._comparison()

    def _comparison(self) -> Comparison:
        name = self._take("word", "quoted", wanted="a name")
        operator = self._take("operator", wanted=f"one of = != < <= > >= ~ after `{name}`")
        text = self._take("word", "quoted", wanted=f"a value after `{name} {operator}`")
        return Comparison(name, "=" if operator == "==" else operator, text)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _took(self, word: str) -> bool:
        kind, found = self._peek()
        taken = kind == "word" and found.lower() == word
        self._next += taken
        return taken

    def _take(self, *kinds: str, wanted: str) -> str:
        kind, word = self._peek()
        if kind not in kinds:
            self._bad(f"{wanted} is missing")
        self._next += 1
        return word

    def _bad(self, reason: str) -> NoReturn:
        raise WrongUsage(f"the condition `{self._text[:200]}` can't be read: {reason}", hint=_HINT)
