"""Files that hold a pickle, by the values that somebody else reads out of them: nothing is loaded here."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from tallystick.compare.numbers import Policy
from tallystick.compare.safetensors import compare_safetensors
from tallystick.records.verdict import Difference

SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")

UNREAD = "it may hold a pickle, which runs code as it is read: with `--unpickle` that is done, within walls"

Unpickle = Callable[[BinaryIO, str], BinaryIO]
"""Reads a file, by its suffix, and answers with a safetensors file of its values; raises BadRecord."""


def compare_pickled(
    unpickle: Unpickle, suffix: str, expected: BinaryIO, actual: BinaryIO, tolerances: Policy
) -> Iterator[Difference]:
    """How two such files differ: arrays and numbers by their paths, and what is no number as text."""
    with unpickle(expected, suffix) as old, unpickle(actual, suffix) as new:
        yield from compare_safetensors(old, new, tolerances, prefix="")
