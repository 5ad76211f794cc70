"""Conditions on metrics, `accuracy < baseline - 0.01`: read, checked and computed, never evaluated."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import add, eq, ge, gt, le, lt, mul, ne, sub, truediv
from typing import Any, NamedTuple, NoReturn

from tallystick.errors import Refused, TallyError, WrongUsage
from tallystick.frozen import dataclass
from tallystick.patterns import regex

LONGEST = 500
"""Characters of a condition: it is computed as deep as it is long."""

DEEPEST = 30
"""How many brackets may stand in one another."""

BASELINE = "baseline"

_TOKEN = regex(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<operator><=|>=|==|!=|<|>|=)|(?P<sign>[-+*/])|(?P<bracket>[()])"
    r"|(?P<name>(?:baseline\.)?(?:\"[^\"]+\"|'[^']+'|`[^`]+`))"
    r"|(?P<word>[^\W\d]\w*(?:[.:@]\w+)*))"
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lt, "<=": le, ">": gt, ">=": ge, "=": eq, "==": eq, "!=": ne,
}  # fmt: skip
_SIGNS: dict[str, Callable[[Any, Any], float]] = {"+": add, "-": sub, "*": mul, "/": truediv}
_HINT = "for example: --fail-if 'accuracy < baseline - 0.01'"


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its name; of the baseline with `baseline.` before it. `at` is where it stands in the text.

    Without a name it is the baseline's metric of whatever name the rest of the comparison has.
    """

    name: str
    baseline: bool
    at: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    value: float
    at: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two values and one of + - * /."""

    sign: str
    left: "Value"
    right: "Value"
    at: int


Value = Metric | Number | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values and how they should stand to each other."""

    operator: str
    left: Value
    right: Value
    at: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Comparisons joined by `and`, or by `or`."""

    word: str
    parts: tuple["Test", ...]
    at: int


Test = Comparison | Joined
_Part = Test | Value


@dataclass(frozen=True, slots=True)
class Formula:
    """A condition: its text, and what that means."""

    text: str
    test: Test

    def metrics(self) -> Iterator[Metric]:
        """The metrics that it asks for, in the order in which they stand."""
        yield from dict.fromkeys(_metrics(self.test))

    def holds(self, values: Callable[[Metric], float]) -> bool:
        """Whether it is so; raise Refused where it can't be computed, as in a division by zero."""
        return self._is_so(self.test, values)

    def refusal(self, at: int, reason: str, hint: str | None = None) -> Refused:
        """The error for a place in it."""
        return Refused(_marked(self.text, at, reason), hint)

    def _is_so(self, test: Test, values: Callable[[Metric], float]) -> bool:
        if isinstance(test, Comparison):
            left, right = (self._value(side, values) for side in (test.left, test.right))
            return _ORDERS[test.operator](left, right)
        found = (self._is_so(part, values) for part in test.parts)
        return all(found) if test.word == "and" else any(found)

    def _value(self, value: Value, values: Callable[[Metric], float]) -> float:
        if isinstance(value, Number):
            return value.value
        if isinstance(value, Metric):
            return values(value)
        left, right = (self._value(side, values) for side in (value.left, value.right))
        try:
            return _SIGNS[value.sign](left, right)
        except ZeroDivisionError:
            raise self.refusal(value.at, "this divides by zero") from None
        except OverflowError:
            raise self.refusal(value.at, "these numbers are too large") from None


def parse(text: str) -> Formula:
    """Read a condition; raise WrongUsage, showing where it can't be read."""
    return Formula(text, _Reader(text).whole())


def is_plain(name: str) -> bool:
    """Whether a metric's name can stand in a condition without quotes."""
    match = _TOKEN.fullmatch(name)
    word = match["word"] if match is not None else None
    return word == name and name.lower() not in ("and", "or") and not name.startswith(BASELINE)


def _metrics(part: _Part) -> Iterator[Metric]:
    if isinstance(part, Metric):
        yield part
    elif isinstance(part, Joined):
        for one in part.parts:
            yield from _metrics(one)
    elif not isinstance(part, Number):
        yield from _metrics(part.left)
        yield from _metrics(part.right)


def _marked(text: str, at: int, reason: str) -> str:
    """A reason, the text, and a mark below the place that it is about."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"the condition can't be used: {reason}\n{line}\n{' ' * at}^"


class _Reader:
    """Reads from left to right: `or` of `and` of comparisons of sums of products."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._cut())
        self._next = 0
        self._depth = 0

    def whole(self) -> Test:
        found = self._joined("or")
        if self._now.kind != "end":
            self._bad(f"`{self._now.text}` is not expected here")
        return self._as_test(found)

    def _cut(self) -> Iterator[_Token]:
        if len(self._text) > LONGEST:
            raise WrongUsage(f"the condition is longer than {LONGEST} characters", hint=_HINT)
        start, end = 0, len(self._text.rstrip())
        while start < end:
            match = _TOKEN.match(self._text, start)
            if match is None:
                start += len(self._text[start:]) - len(self._text[start:].lstrip())
                self._bad(f"`{self._text[start]}` means nothing here", start)
            kind = match.lastgroup or ""
            yield _Token(kind, match[kind], match.start(kind))
            start = match.end()
        yield _Token("end", "", end)

    @property
    def _now(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _took_word(self, word: str) -> bool:
        taken = self._now.kind == "word" and self._now.text.lower() == word
        self._next += taken
        return taken

    def _joined(self, word: str) -> _Part:
        """Parts joined by `or`, each of parts joined by `and`, each a comparison or a single value."""
        first = self._joined("and") if word == "or" else self._comparison()
        parts = [first]
        while self._took_word(word):
            parts.append(self._joined("and") if word == "or" else self._comparison())
        if len(parts) == 1:
            return first
        return Joined(word, tuple(self._as_test(part) for part in parts), first.at)

    def _comparison(self) -> _Part:
        left = self._sum()
        if self._now.kind != "operator":
            return left
        operator = self._take()
        right = self._sum()
        if self._now.kind == "operator":
            self._bad("two comparisons are joined by `and`")
        found = Comparison(operator.text, self._as_value(left), self._as_value(right), left.at)
        return self._with_names(found)

    def _sum(self) -> _Part:
        found = self._product()
        while self._now.kind == "sign" and self._now.text in "+-":
            found = self._arithmetic(found, self._product)
        return found

    def _product(self) -> _Part:
        found = self._signed()
        while self._now.kind == "sign" and self._now.text in "*/":
            found = self._arithmetic(found, self._signed)
        return found

    def _arithmetic(self, left: _Part, read: Callable[[], _Part]) -> Arithmetic:
        sign = self._take()
        return Arithmetic(sign.text, self._as_value(left), self._as_value(read()), sign.at)

    def _signed(self) -> _Part:
        """A single value, or a bracket, with the signs before it."""
        at, negative = self._now.at, False
        signed = False
        while self._now.kind == "sign" and self._now.text in "+-":
            signed, negative = True, negative != (self._take().text == "-")
        found = self._single()
        if signed:
            found = self._as_value(found)
        return Arithmetic("*", Number(-1, at), self._as_value(found), at) if negative else found

    def _single(self) -> _Part:
        token = self._now
        if token.kind == "number":
            self._next += 1
            return self._number(token)
        if token.kind == "name" or (token.kind == "word" and token.text.lower() not in ("and", "or")):
            self._next += 1
            return _metric(token)
        if token.text != "(":
            self._bad("a metric or number is missing")
        return self._bracket()

    def _bracket(self) -> _Part:
        if self._depth == DEEPEST:
            self._bad("too many brackets stand in one another")
        self._next += 1
        self._depth += 1
        found = self._joined("or")
        if self._now.text != ")":
            self._bad("a bracket is not closed")
        self._next += 1
        self._depth -= 1
        return found

    def _number(self, token: _Token) -> Number:
        value = float(token.text)
        if value == float("inf"):
            self._bad("this number is too large", token.at)
        return Number(value, token.at)

    def _as_value(self, part: _Part) -> Value:
        if isinstance(part, Comparison | Joined):
            self._bad("a metric or number is expected here, not a comparison", part.at)
        return part

    def _as_test(self, part: _Part) -> Test:
        if isinstance(part, Metric) and not part.name:
            self._bad(
                "`baseline` of which metric? Compare it with one, or write `baseline.accuracy`", part.at
            )
        if not isinstance(part, Comparison | Joined):
            self._bad("this is not compared with anything", part.at)
        return part

    def _with_names(self, found: Comparison) -> Comparison:
        """Give `baseline` the name of the one metric that it is compared with."""
        names = list(dict.fromkeys(each.name for each in _metrics(found) if not each.baseline))
        bare = next((each for each in _metrics(found) if not each.name), None)
        if bare is None:
            return found
        if len(names) != 1:
            which = " or ".join(f"`{BASELINE}.{name}`" for name in names) or f"`{BASELINE}.accuracy`"
            self._bad(f"`{BASELINE}` of which metric? Write {which}", bare.at)
        return replace(found, left=_named(found.left, names[0]), right=_named(found.right, names[0]))

    def _bad(self, reason: str, at: int | None = None) -> NoReturn:
        place = self._now.at if at is None else at
        error: TallyError = WrongUsage(_marked(self._text, place, reason), hint=_HINT)
        raise error


def _metric(token: _Token) -> Metric:
    if token.kind == "name":
        prefix = f"{BASELINE}."
        return Metric(token.text.removeprefix(prefix)[1:-1], token.text.startswith(prefix), token.at)
    if token.text == BASELINE:
        return Metric("", True, token.at)
    name = token.text.removeprefix(f"{BASELINE}.")
    return Metric(name, name != token.text, token.at)


def _named(value: Value, name: str) -> Value:
    if isinstance(value, Metric):
        return value if value.name else replace(value, name=name)
    if isinstance(value, Arithmetic):
        return replace(value, left=_named(value.left, name), right=_named(value.right, name))
    return value
