"""Texts side by side: how many lines came and went, and where the first difference is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import BinaryIO

from tallystick.compare.numbers import Policy, other
from tallystick.compare.shown import Only, shown, whole
from tallystick.errors import BadRecord
from tallystick.records.verdict import Difference

NO_LINE = "the end"
MOST_LINES = 1 << 20
"""Lines of the longest text that is looked into: each takes more memory than its bytes."""


def compare_text(expected: BinaryIO, actual: BinaryIO, _tolerances: Policy) -> list[Difference] | Only:
    """How two texts differ; raise BadRecord if one is none."""
    one, two = _text(expected), _text(actual)
    old, new = _lines(one), _lines(two)
    if old == new:
        return "layout"
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    if not gone and not come:
        return "order"
    return list(_differences(old, new, gone.total(), come.total()))


def _text(file: BinaryIO) -> str:
    data = whole(file)
    if b"\0" in data or data.count(b"\n") > MOST_LINES:
        raise BadRecord("not a text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRecord("not a text") from error


def _lines(text: str) -> list[str]:
    """Lines however they end: with a carriage return or not, the last one with a break or not."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def _differences(old: Sequence[str], new: Sequence[str], gone: int, come: int) -> Iterator[Difference]:
    """The first line that differs, and how many came and went."""
    number, first, second = next(
        (number, one, two)
        for number, (one, two) in enumerate(zip_longest(old, new, fillvalue=NO_LINE), 1)
        if one != two
    )
    yield Difference(
        "lines",
        shown(first),
        shown(second),
        where=f"line {number}",
        differing=max(gone, come),
        values=max(len(old), len(new)),
    )
    if gone != come:
        yield other("number of lines", f"{len(old)}", f"{len(new)}: {gone} gone, {come} new")
