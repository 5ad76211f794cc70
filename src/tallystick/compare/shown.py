"""What readers of all kinds have in common: bounded texts, and how they say that nothing but form differs."""

from typing import BinaryIO, Literal

from tallystick.errors import BadRecord

Only = Literal["order", "layout"]
"""Nothing differs but the order of the parts, or how they are written."""

LARGEST = 1 << 26
"""Bytes of the largest text that is looked into."""

LONGEST_SHOWN = 60


def shown(value: object) -> str:
    """A value, shortened, as a difference shows it."""
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def whole(file: BinaryIO, largest: int = LARGEST) -> bytes:
    """All bytes of a file, unless it is too large to be looked into."""
    data = file.read(largest + 1)
    if len(data) > largest:
        raise BadRecord("too large to be looked into")
    return data
