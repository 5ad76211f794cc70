"""The Python processes of a command, as each told of itself when it began."""

import ast
import os
from collections.abc import Iterator
from dataclasses import replace

from tallystick.frozen import dataclass

LARGEST = 8 << 20
"""Bytes of what processes told that are read: a command may start very many."""

_BEGAN, _ENDED = "began", "ended"


@dataclass(frozen=True, slots=True)
class PythonProcess:
    """One interpreter: which it is, the script that it ran, how many modules it had loaded at its end.

    `script` is an absolute path, `-c`, `-m`, or nothing for what came on standard input. `modules` is 0 where
    a process did not come to its end. `borrowed` is of an environment without packages of its own: the Python
    itself, where packages would be in the environment, and the folders that it imported from.
    """

    number: int
    version: str
    executable: str
    prefix: str
    script: str
    modules: int = 0
    borrowed: tuple[str, ...] = ()

    @property
    def environment(self) -> tuple[str, str]:
        """What two processes of one environment share: names of one interpreter lie side by side."""
        return os.path.dirname(self.executable), self.version


def parse(data: bytes) -> tuple[PythonProcess, ...]:
    """Every process that did not become another one, in the order in which they began.

    A line that can't be read, as the last one of a process that was killed, is passed over.
    """
    found: dict[int, PythonProcess] = {}
    for kind, number, rest in _told(data[:LARGEST]):
        if kind == _BEGAN and len(rest) >= 4 and all(isinstance(each, str) for each in rest):
            # A program that a process becomes keeps its number: `poetry run` is gone once the command runs.
            found.pop(number, None)
            version, executable, prefix, script, *borrowed = map(str, rest)
            found[number] = PythonProcess(
                number, version, executable, prefix, script, borrowed=tuple(borrowed)
            )
        elif kind == _ENDED and len(rest) == 1 and isinstance(rest[0], int) and number in found:
            found[number] = replace(found[number], modules=rest[0])
    return tuple(each for each in found.values() if os.path.isabs(each.executable))


def _told(data: bytes) -> Iterator[tuple[object, int, tuple[object, ...]]]:
    for line in data.decode("ascii", "replace").splitlines():
        try:
            value = ast.literal_eval(line)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, tuple) and len(value) >= 2 and isinstance(value[1], int):
            yield value[0], value[1], value[2:]
