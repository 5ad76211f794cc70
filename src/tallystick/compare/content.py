"""Files of any kind side by side: from where on, and in how many bytes, they differ."""

from operator import ne
from typing import BinaryIO

from tallystick.compare.numbers import other
from tallystick.records.verdict import Difference

PIECE = 1 << 20


def compare_bytes(expected: BinaryIO, actual: BinaryIO, remark: str = "") -> Difference:
    """Say where two files differ, and what else is to be said."""
    position, first, count = 0, -1, 0
    while True:
        one, two = expected.read(PIECE), actual.read(PIECE)
        if not one and not two:
            break
        if one != two:
            if first < 0:
                first = position + _common(one, two)
            count += sum(map(ne, one, two)) + abs(len(one) - len(two))
        position += max(len(one), len(two))
    found = f"{count:,} of {position:,} bytes differ, the first at {first}"
    return other("bytes", "the recorded bytes", f"{found}{remark and '; '}{remark}")


def _common(one: bytes, two: bytes) -> int:
    """How many bytes two pieces begin with in common, found by halving."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == two[low:middle] else (low, middle - 1)
    return low
