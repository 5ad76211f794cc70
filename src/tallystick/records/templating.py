"""Templates: `${train.lr}` in a text, filled in from variables; data in, data out, nothing is evaluated."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal, NoReturn

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.syntax import line_of
from tallystick.records.yamlplain import Row, Table

LARGEST = 64 << 20
"""Characters that the templates of one pipeline may grow to; a value counts for `VALUE` of them."""

VALUE = 16

COPIED = 128
"""What a value counts for that a reference copies: lists of references grow by themselves."""

DEEPEST = 64
"""How many variables may refer to each other in a row."""

TYPED = frozenset(("seed", "frozen", "always_changed", "cache", "tolerance", "network"))
"""Keys below which `${x}` keeps its type; everywhere else it becomes text."""

Mode = Literal["text", "typed", "cmd"]

_TEMPLATE = regex(r"\\\$\{|\$\{([^}]*)(\}?)")
_EXACT = regex(r"\$\{([^{}]*)\}")
_PART = r"[^.\[\]{}$\s](?:[^.\[\]{}$]*[^.\[\]{}$\s])?"
_NAME = regex(rf"{_PART}(?:\.{_PART}|\[[^\[\]{{}}$]+\])*")
_STEP = regex(r"\[([^\]]+)\]|([^.\[\]]+)")


def escaped(text: str) -> str:
    """A text in which what looks like a template is none."""
    return text.replace("${", "\\${")


def is_templated(value: object) -> bool:
    """Whether a text has to be filled in."""
    return isinstance(value, str) and "${" in value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template stands, for error messages."""

    source: str
    line: int | None = None
    what: str = ""

    def complaint(self, reason: str, hint: str | None = None) -> BadRecord:
        """An error about what stands here."""
        return BadRecord(f"{self.what}: {reason}" if self.what else reason, self.source, self.line, hint)

    def bad(self, reason: str, hint: str | None = None) -> NoReturn:
        """Raise BadRecord about what stands here."""
        raise self.complaint(reason, hint)

    def at(self, line: int | None) -> "Place":
        """The same, on another line if that is known."""
        return self if line is None or line == self.line else replace(self, line=line)


@dataclass(frozen=True, slots=True)
class Template:
    """The text of a variable that itself refers to others; filled in when it is asked for."""

    text: str
    place: Place


class Allowance:
    """How much more may grow out of one pipeline; a text of a kilobyte can ask for a terabyte."""

    def __init__(self, size: int = LARGEST) -> None:
        self._left = size

    def take(self, size: int, place: Place) -> None:
        """Use some; raise BadRecord when there is no more."""
        self._left -= size
        if self._left < 0:
            place.bad(f"templates grow to more than {LARGEST >> 20} Mi characters")


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables that a template sees; those of an earlier layer hide those of a later one."""

    layers: tuple[Mapping[str, Any], ...] = ()
    allowance: Allowance = field(default_factory=Allowance)
    known: dict[Template, Any] = field(default_factory=dict)
    active: dict[Template, None] = field(default_factory=dict)

    def within(self, layer: Mapping[str, Any]) -> "Scope":
        """This scope with more variables in front."""
        return Scope((layer, *self.layers), self.allowance)

    def settled(self, layer: Mapping[str, Any], place: Place) -> "Scope":
        """This scope with variables in front that may refer to each other, all of them filled in."""
        whole = self.within(layer)._whole(layer, place)
        return self.within(whole)

    def value(self, reference: str, place: Place) -> Any:
        """What a reference like `a.b[0]` stands for."""
        name = reference.strip()
        if not _NAME.fullmatch(name):
            place.bad(f"`${{{reference[:80]}}}` is no reference", "write it like `${train.lr}`")
        steps = [index or key for index, key in _STEP.findall(name)]
        for layer in self.layers:
            found, value = self._follow(layer, steps)
            if found:
                return self._whole(value, place)
        raise place.complaint(f"`${{{name[:80]}}}` refers to nothing", self._hint(steps[0]))

    def _follow(self, layer: Mapping[str, Any], steps: Sequence[str]) -> tuple[bool, Any]:
        value: Any = layer
        for step in steps:
            value = self._settled(value)
            if isinstance(value, Mapping) and step in value:
                value = value[step]
            elif isinstance(value, list) and _is_index(step, value):
                value = value[int(step)]
            else:
                return False, None
        return True, value

    def _hint(self, head: str) -> str:
        if head.partition(":")[0].isupper():
            short = "" if ":" in head else f"`${head}` or "
            return f"a variable of the shell is written {short}`\\${{{head}}}`"
        known = sorted({str(name) for layer in self.layers for name in layer})
        return f"there are: {', '.join(known[:10])}" if known else "`params.yaml` and `vars` define none"

    def _settled(self, value: Any) -> Any:
        """A value that is itself a template, filled in; once, however often it is asked for."""
        if not isinstance(value, Template):
            return value
        if value not in self.known:
            if value in self.active:
                value.place.bad(f"`{value.text[:80]}` refers to itself")
            if len(self.active) >= DEEPEST:
                value.place.bad(f"more than {DEEPEST} variables refer to each other in a row")
            self.active[value] = None
            self.known[value] = self.filled(value.text, value.place, "typed")
            del self.active[value]
        return self.known[value]

    def _whole(self, value: Any, place: Place) -> Any:
        """A value with all that is inside filled in."""
        value = self._settled(value)
        self.allowance.take(COPIED + (len(value) if isinstance(value, str) else 0), place)
        if isinstance(value, Mapping):
            return {key: self._whole(item, place) for key, item in value.items()}
        if isinstance(value, list):
            return [self._whole(item, place) for item in value]
        return value

    def filled(self, text: str, place: Place, mode: Mode = "text") -> Any:
        """A text with its references filled in; one that is a reference and nothing else may be any value."""
        if "${" not in text:
            return text
        exact = _EXACT.fullmatch(text)
        if exact is not None:
            value = self.value(exact[1], place)
            return value if mode == "typed" or isinstance(value, dict | list) else _text(value, text, place)
        self.allowance.take(len(text), place)
        return "".join(self._pieces(text, place, mode))

    def _pieces(self, text: str, place: Place, mode: Mode) -> Iterator[str]:
        position = 0
        for match in _TEMPLATE.finditer(text):
            yield text[position : match.start()]
            position = match.end()
            if match[1] is None:
                yield "${"
                continue
            if not match[2]:
                place.bad(f"`{match[0][:80]}` is not closed", "close it with `}`, or write `\\${`")
            value = self.value(match[1], place)
            words = flags(value, place) if mode == "cmd" and isinstance(value, dict) else None
            piece = _text(value, match[0], place) if words is None else shlex.join(words)
            self.allowance.take(len(piece), place)
            yield piece
        yield text[position:]


def _is_index(step: str, value: list[Any]) -> bool:
    return step.isascii() and step.isdigit() and len(step) < 10 and int(step) < len(value)


def _text(value: Any, template: str, place: Place) -> str:
    """A single value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    kind = "null" if value is None else "a mapping" if isinstance(value, dict) else "a list"
    raise place.complaint(f"`{template[:80]}` is {kind}, where a text is needed")


def flags(values: Mapping[str, Any], place: Place, prefix: str = "") -> list[str]:
    """A mapping as the words of a command line: `--lr 0.1 --model.depth 3 --verbose`."""
    words: list[str] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            words.extend(flags(value, place, f"{name}."))
        elif isinstance(value, list):
            words.extend((f"--{name}", *(_text(item, name, place) for item in value)))
        elif value is not False:
            words.extend((f"--{name}",) if value is True else (f"--{name}", _text(value, name, place)))
    return words


def expand(value: Any, scope: Scope, place: Place, mode: Mode = "text") -> Any:
    """A value of a pipeline with every template inside filled in; it keeps its lines."""
    if isinstance(value, str):
        found = scope.filled(value, place, mode)
        if not isinstance(found, dict | list):
            return found
        if mode == "cmd" and isinstance(found, dict):
            return shlex.join(flags(found, place))
        return _placed(found, place, mode)
    if isinstance(value, dict):
        return _expanded_table(value, scope, place, mode)
    if isinstance(value, list):
        return _expanded_row(value, scope, place, mode)
    return value


def _expanded_table(value: Mapping[str, Any], scope: Scope, place: Place, mode: Mode) -> Table:
    scope.allowance.take(VALUE * len(value), place)
    table = Table()
    table.lines = {}
    for key, item in value.items():
        line = line_of(value, key)
        here = place.at(line)
        name = expand(key, scope, here) if "${" in key else key
        if not isinstance(name, str):
            here.bad(f"`{key[:80]}` is not a text, where a key is needed")
        if name in table:
            here.bad(f"the key `{name[:80]}` stands twice")
        table[name] = expand(item, scope, here, "typed" if name in TYPED else mode)
        table.lines[name] = line or here.line or 0
    return table


def _expanded_row(value: Sequence[Any], scope: Scope, place: Place, mode: Mode) -> Row:
    scope.allowance.take(VALUE * len(value), place)
    row = Row()
    row.lines = []
    for position, item in enumerate(value):
        here = place.at(line_of(value, position))
        found = _words(item, scope, here) if mode == "cmd" else [expand(item, scope, here, mode)]
        row.extend(found)
        row.lines.extend([here.line or 0] * len(found))
    return row


def _words(item: Any, scope: Scope, place: Place) -> list[Any]:
    """One word of a command that is a list; a mapping or a list becomes several."""
    found = scope.filled(item, place) if isinstance(item, str) else item
    if isinstance(found, dict):
        return flags(found, place)
    return list(_placed(found, place, "text")) if isinstance(found, list) else [found]


def _placed(value: Any, place: Place, mode: Mode) -> Any:
    """A value that came out of a variable, with the lines of the template; texts where texts are wanted."""
    if isinstance(value, dict):
        table = Table((key, _placed(item, place, mode)) for key, item in value.items())
        table.lines = dict.fromkeys(table, place.line or 0)
        return table
    if isinstance(value, list):
        row = Row(_placed(item, place, mode) for item in value)
        row.lines = [place.line or 0] * len(row)
        return row
    return value if mode == "typed" or value is None else _text(value, "", place)
