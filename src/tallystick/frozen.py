"""Frozen, slotted data classes that cost nothing until the first one is made.

The standard decorator compiles eight methods for each class, a millisecond. A short command loads eighty
classes and makes values of a few: compiling was a third of the time that it took.
"""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from operator import attrgetter
from typing import Any, Literal, NoReturn, TypeVar, dataclass_transform

Made = TypeVar("Made")


@dataclass_transform(field_specifiers=(dataclasses.field,))
def dataclass(*, frozen: Literal[True], slots: Literal[True]) -> Callable[[type[Made]], type[Made]]:
    """Do what `dataclasses.dataclass` does, for classes that are both; `fields` and `replace` know them."""
    assert frozen is slots is True

    def with_methods(written: type[Made]) -> type[Made]:
        def first(self: Made, *given: Any, **named: Any) -> None:
            made.__init__ = _constructor(made)
            made.__init__(self, *given, **named)

        made: Any = _slotted(written, {"__init__": first})
        return made  # type: ignore[no-any-return]

    return with_methods


def _slotted(written: type, own: dict[str, Any]) -> type:
    """The same class again with a slot for each field, and the methods that all such classes have."""
    names = tuple(written.__annotations__)
    taken = {name for base in written.__mro__[1:] for name in vars(base).get("__slots__", ())}
    unwanted = {"__dict__", "__weakref__", *names}
    kept = {name: value for name, value in vars(written).items() if name not in unwanted}
    slots = {"__slots__": tuple(name for name in names if name not in taken)}
    asked = {name: _Asked(name, written) for name in _ASKED}
    every = _SHARED | asked | kept | own | slots | {"__qualname__": written.__qualname__}
    return type(written)(written.__name__, written.__bases__, every)


_READING = threading.RLock()

_GATHERING: dict[type, Callable[[Any], Any]] = {}

_ASKED = ("__dataclass_fields__", "__dataclass_params__", "__match_args__")


class _Asked:
    """What the standard library knows of a data class: found out when it is asked for."""

    def __init__(self, name: str, written: type) -> None:
        self._name, self._written = name, written

    def __get__(self, value: object, kind: type) -> Any:
        # The standard library takes the defaults out of the class as it reads them: one thread at a time.
        with _READING:
            if self._name not in vars(self._written):
                # Without a text of its own it would get one that takes long to put together.
                self._written.__doc__ = self._written.__doc__ or self._written.__name__
                dataclasses.dataclass(init=False, repr=False, eq=False)(self._written)
        return getattr(self._written, self._name)


def _constructor(made: type) -> Callable[..., None]:
    """Compile `__init__`: one assignment a field, by the slot itself, since the class refuses its own."""
    known: dict[str, Any] = {"MISSING": MISSING}
    words, lines = ["self"], []
    for field in dataclasses.fields(made):
        name, value = field.name, field.name
        known[f"set_{name}"] = getattr(made, name).__set__
        if field.default is not MISSING:
            known[f"default_{name}"] = field.default
            words.append(f"{name}=default_{name}")
        elif field.default_factory is not MISSING:
            known[f"make_{name}"] = field.default_factory
            words.append(f"{name}=MISSING")
            value = f"make_{name}() if {name} is MISSING else {name}"
        else:
            words.append(name)
        lines.append(f" set_{name}(self, {value})")
    if hasattr(made, "__post_init__"):
        lines.append(" self.__post_init__()")
    # Made of names that stand in our own source, as the standard library makes its own.
    exec(f"def __init__({', '.join(words)}):\n" + "\n".join(lines or [" pass"]), known)  # noqa: S102
    known["__init__"].__qualname__ = f"{made.__qualname__}.__init__"
    constructor: Callable[..., None] = known["__init__"]
    return constructor


def _values(kind: type) -> Callable[[Any], Any]:
    """What gathers the fields that count when values are compared."""
    gather = _GATHERING.get(kind)
    if gather is None:
        names = [field.name for field in dataclasses.fields(kind) if field.compare]
        gather = _GATHERING[kind] = attrgetter(*names) if names else lambda _self: None
    return gather


def _is_equal(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    values = _values(type(self))
    return bool(values(self) == values(other))


def _hash(self: Any) -> int:
    return hash(_values(type(self))(self))


def _text(self: Any) -> str:
    names = [field.name for field in dataclasses.fields(self) if field.repr]
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def _refuse(self: Any, name: str, _value: object = None) -> NoReturn:
    raise FrozenInstanceError(f"`{type(self).__qualname__}.{name}` can't be changed")


def _made_again(self: Any) -> tuple[type, tuple[Any, ...]]:
    """How a value is copied, and travels to another process."""
    return type(self), tuple(getattr(self, field.name) for field in dataclasses.fields(self))


_SHARED: dict[str, Any] = {
    "__eq__": _is_equal,
    "__hash__": _hash,
    "__repr__": _text,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__reduce__": _made_again,
}
