"""Tell what a pickle holds as plain numbers: a rebuilt Python runs this within walls."""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tallystick.sandbox.inside.contents import Contents
from tallystick.sandbox.inside.sheet import Sheet

DEEPEST = 20_000
WEIGHTS = (".pt", ".pth", ".ckpt")


def main() -> None:
    """Read a pickle from standard input, and answer as a file of tensors; complaints go to standard error."""
    # What a library prints while it is loaded must not pass for the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.setrecursionlimit(DEEPEST)
    with open(0, "rb", closefd=False) as file:
        value = loaded(file, sys.argv[1])
    sheet = Sheet()
    Contents(sheet).add("", value)
    sheet.write(answer)
    answer.flush()


def loaded(file: Any, suffix: str) -> Any:
    """Load a file with what made it: torch, joblib, or pickle alone."""
    begin = file.read(4)
    file.seek(0)
    if suffix in WEIGHTS or begin == b"PK\x03\x04":
        return _by_torch(file)
    try:
        joblib = import_module("joblib.numpy_pickle")
    except ImportError:
        return Reader(file).load()
    joblib.NumpyUnpickler.find_class = lambda self, module, name: found_class(
        lambda: pickle._Unpickler.find_class(self, module, name), module, name
    )
    return joblib.load(file)


def _by_torch(file: Any) -> Any:
    torch = import_module("torch")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # whatever it refuses may be a whole network, for which there was leave
        file.seek(0)
    module = types.ModuleType("pickle")
    module.__dict__.update({**vars(pickle), "Unpickler": Reader, "load": lambda file: Reader(file).load()})
    try:
        return torch.load(file, map_location="cpu", weights_only=False, pickle_module=module)
    except TypeError:
        file.seek(0)
        return torch.load(file, map_location="cpu", pickle_module=module)


class Reader(pickle.Unpickler):
    """Puts something in the place of classes that are not here: those of the project's own code."""

    def find_class(self, module: str, name: str) -> Any:
        """Find a class, or make one that only keeps what it is given."""
        return found_class(lambda: super(Reader, self).find_class(module, name), module, name)


def found_class(find: Callable[[], Any], module: str, name: str) -> Any:
    """Find a class; one of a script, or of a module that is not here, is made to keep what it is given."""
    if module != "__main__":
        try:
            return find()
        except (ImportError, AttributeError):
            pass
    return type(name, (Absent,), {"__module__": module})


class Absent:
    """Keeps what a pickle says of an object whose class is not here."""

    def __new__(cls, *args: Any, **named: Any) -> Absent:
        """Keep what it would have been made from."""
        made = object.__new__(cls)
        if args or named:
            made.__dict__["(arguments)"] = [list(args), named]
        return made

    def __init__(self, *args: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict) and all(isinstance(key, str) for key in state):
            self.__dict__.update(state)
        else:
            self.__dict__["(state)"] = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__.setdefault("(items)", {})[key] = value

    def append(self, value: Any) -> None:
        """Keep one of its parts."""
        self.__dict__.setdefault("(parts)", []).append(value)

    def extend(self, values: Any) -> None:
        """Keep several of its parts."""
        self.__dict__.setdefault("(parts)", []).extend(values)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.stderr.write(f"\n{type(error).__name__}: {error}\n")
        sys.exit(1)
