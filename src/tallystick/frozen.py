"""Frozen, slotted data classes that cost nothing until the first one is made.

The standard decorator compiles eight methods for each class, a millisecond. A short command loads eighty
classes and makes values of a few: compiling was a third of the time that it took.
"""

import dataclasses
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
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(written)

        def first(self: Made, *given: Any, **named: Any) -> None:
            made.__init__ = _constructor(made)
            made.__init__(self, *given, **named)

        made.__init__ = first
        for name, method in (_SHARED | _comparison(made)).items():
            if name not in vars(written):
                setattr(made, name, method)
        return made  # type: ignore[no-any-return]

    return with_methods


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


def _comparison(made: type) -> dict[str, Callable[..., Any]]:
    """Equality and hash of the fields that count."""
    names = [field.name for field in dataclasses.fields(made) if field.compare]
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _self: None

    def is_equal(self: Any, other: object) -> bool:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    return {"__eq__": is_equal, "__hash__": lambda self: hash(values(self))}


def _text(self: Any) -> str:
    names = [field.name for field in dataclasses.fields(self) if field.repr]
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def _refuse(self: Any, name: str, _value: object = None) -> NoReturn:
    raise FrozenInstanceError(f"`{type(self).__qualname__}.{name}` can't be changed")


def _made_again(self: Any) -> tuple[type, tuple[Any, ...]]:
    """How a value is copied, and travels to another process."""
    return type(self), tuple(getattr(self, field.name) for field in dataclasses.fields(self))


_SHARED: dict[str, Callable[..., Any]] = {
    "__repr__": _text,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__reduce__": _made_again,
}
