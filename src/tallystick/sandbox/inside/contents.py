"""Everything that a value is made of, part by part: as its own pickle would be made from it."""

from __future__ import annotations

import copyreg
import struct
import sys
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from tallystick.sandbox.inside.arrays import Arrays
from tallystick.sandbox.inside.sheet import Sheet, digest

FEW = 16
MEMBERS = ("_parameters", "_buffers", "_modules")
"""Where a network keeps what its users know by name alone."""

CODE = (type, types.FunctionType, types.BuiltinFunctionType)


class Contents:
    """Tells of a value on a sheet."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._within: dict[int, str] = {}
        self._arrays = Arrays(sheet, self.add)
        # The first that fits tells; what none of them knows is told by what its pickle is made from.
        self._ways: list[tuple[Callable[[Any], bool], Callable[[str, Any], None]]] = [
            (_exactly(type(None), str, bytes, bytearray), self._plain),
            (_exactly(bool, int, float, complex), self._number),
            (lambda value: isinstance(value, CODE), self._code),
            (_of("torch", "Tensor"), self._arrays.tensor),
            (_of("numpy", "dtype"), lambda path, value: sheet.text(path, str(value))),
            (_of("numpy", "ndarray", "generic"), self._arrays.array),
            (_of("pandas", "DataFrame"), self._frame),
            (_of("pandas", "Series", "Index"), self._series),
            (_exactly(dict, OrderedDict, defaultdict), self._mapping),
            (_exactly(list, tuple), self._sequence),
            (_exactly(set, frozenset), self._set),
        ]

    def add(self, path: str, value: Any) -> None:
        """Add a value and all that it is made of; what leads back to what it lies in is said so."""
        if id(value) in self._within:
            self._sheet.text(path, "the same as " + (self._within[id(value)] or "the whole"))
            return
        self._within[id(value)] = path
        for fits, way in self._ways:
            if fits(value):
                way(path, value)
                break
        else:
            self._reduced(path, value)
        del self._within[id(value)]

    def _plain(self, path: str, value: Any) -> None:
        if isinstance(value, (bytes, bytearray)):
            self._sheet.text(path, f"{len(value)} bytes, sha256 {digest(bytes(value))}")
        else:
            self._sheet.text(path, repr(value))

    def _number(self, path: str, value: Any) -> None:
        if isinstance(value, bool):
            self._sheet.numbers(path, "BOOL", [], bytes([value]))
        elif isinstance(value, complex):
            self._sheet.numbers(path, "F64", [2], struct.pack("<2d", value.real, value.imag))
        elif isinstance(value, float):
            self._sheet.numbers(path, "F64", [], struct.pack("<d", value))
        elif -(1 << 63) <= value < 1 << 63:
            self._sheet.numbers(path, "I64", [], struct.pack("<q", value))
        else:
            self._sheet.text(path, str(value))

    def _code(self, path: str, value: Any) -> None:
        """A class or function by its name; code that a pickle brings itself by its digest, too."""
        text = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)}"
        code = getattr(value, "__code__", None)
        told = "" if code is None else " " + digest(code.co_code + repr(code.co_names).encode())
        self._sheet.text(path, text + told)

    def _frame(self, path: str, value: Any) -> None:
        self.add(f"{path}.columns", list(value.columns))
        self.add(f"{path}.index", value.index)
        for at, name in enumerate(value.columns):
            self._arrays.values(f"{path}[{name!r}]", value.iloc[:, at].to_numpy())

    def _series(self, path: str, value: Any) -> None:
        self.add(f"{path}.name", value.name)
        if hasattr(value, "index"):
            self.add(f"{path}.index", value.index)
        self._arrays.values(path, value.to_numpy())

    def _mapping(self, path: str, value: Any) -> None:
        for key, each in value.items():
            self.add(_below(path, key), each)
        for key, each in getattr(value, "__dict__", {}).items():
            self.add(_below(f"{path}(attributes)", key), each)

    def _set(self, path: str, value: Any) -> None:
        self._sheet.text(f"{path} (type)", type(value).__name__)
        self._sequence(path, sorted(value, key=repr))

    def _sequence(self, path: str, value: Any) -> None:
        """Many numbers of one kind are an array."""
        self._sheet.text(f"{path} (length)", f"{type(value).__name__} of {len(value)}")
        if len(value) > FEW and {type(each) for each in value} == {float}:
            self._sheet.numbers(path, "F64", [len(value)], struct.pack(f"<{len(value)}d", *value))
            return
        for at, each in enumerate(value):
            self.add(f"{path}[{at}]", each)

    def _reduced(self, path: str, value: Any) -> None:
        """Any other object: what its own pickle would be made from."""
        reduce = copyreg.dispatch_table.get(type(value))
        made = value.__reduce_ex__(4) if reduce is None else reduce(value)
        if isinstance(made, str):
            self._sheet.text(path, made)
            return
        maker, args, state, items, pairs = (*made, None, None, None)[:5]
        if maker is copyreg.__newobj__ and args:  # type: ignore[attr-defined]
            maker, args = args[0], args[1:]
        self._sheet.text(f"{path} (type)", f"{maker.__module__}.{getattr(maker, '__qualname__', maker)}")
        for at, each in enumerate(args):
            self.add(f"{path}({at})", each)
        for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
            self._state(path, part)
        for at, each in enumerate(items or ()):
            self.add(f"{path}[{at}]", each)
        for key, each in pairs or ():
            self.add(_below(path, key), each)

    def _state(self, path: str, state: Any) -> None:
        if state is None:
            return
        if not isinstance(state, dict):
            self.add(f"{path} (state)", state)
            return
        for key, each in state.items():
            if key in MEMBERS and isinstance(each, dict):
                self._mapping(path, dict(each))
            else:
                self.add(_below(path, key), each)


def _exactly(*kinds: type) -> Callable[[Any], bool]:
    """A test for values of these classes, and of none that is made from them."""
    return lambda value: type(value) in kinds


def _of(module: str, *names: str) -> Callable[[Any], bool]:
    """A test for values of a library's classes, if it was loaded at all."""

    def fits(value: Any) -> bool:
        library = sys.modules.get(module)
        found = tuple(getattr(library, name) for name in names if hasattr(library, name))
        return bool(found) and isinstance(value, found)

    return fits


def _below(path: str, key: Any) -> str:
    if not isinstance(key, str):
        return f"{path}[{key!r}]"
    return f"{path}.{key}" if path else key
