"""How numbers of fixed width are written as bytes: whole numbers and floats, those of 16 and 8 bits too."""

import array
import struct
import sys
from collections.abc import Callable, Sequence

from tallystick.frozen import dataclass

_WHOLE = {1: "b", 2: "h", 4: "i", 8: "q"}
"""Signed whole numbers by their width."""

_LITTLE = sys.byteorder == "little"


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing numbers; `whole` says that each step between two of them is 1."""

    width: int
    whole: bool
    read: Callable[[bytes], Sequence[float]]

    def ranks(self, data: bytes) -> Sequence[int]:
        """The places of numbers among all numbers of this form."""
        if self.whole:
            return self.read(data)  # type: ignore[return-value]
        lowest = -1 << (8 * self.width - 1)
        return [bits if bits >= 0 else lowest - bits for bits in array.array(_WHOLE[self.width], data)]


def turned(data: bytes, width: int) -> bytes:
    """Numbers of the other byte order."""
    numbers = array.array(_WHOLE[width], data)
    numbers.byteswap()
    return numbers.tobytes()


def _array(code: str) -> Form:
    return Form(array.array(code).itemsize, code not in "fd", lambda data: array.array(code, data))


def _half(data: bytes) -> Sequence[float]:
    return struct.unpack(f"={len(data) // 2}e", data)


def _brain(data: bytes) -> Sequence[float]:
    """The upper halves of 32-bit floats."""
    wide = bytearray(2 * len(data))
    high = 2 if _LITTLE else 0
    wide[high::4], wide[high + 1 :: 4] = data[0::2], data[1::2]
    return array.array("f", bytes(wide))


def _eight(table: Sequence[float]) -> Form:
    return Form(1, False, lambda data: list(map(table.__getitem__, data)))


def _e4m3() -> Sequence[float]:
    """Eight bits with three of mantissa: no infinity, and one NaN of each sign."""
    return [_e4m3_value(bits) for bits in range(256)]


def _e4m3_value(bits: int) -> float:
    if bits & 0x7F == 0x7F:
        return float("nan")
    sign, exponent, mantissa = -1.0 if bits & 0x80 else 1.0, bits >> 3 & 15, bits & 7
    return sign * (mantissa / 8 * 2.0**-6 if exponent == 0 else (1 + mantissa / 8) * 2.0 ** (exponent - 7))


def _e5m2() -> Sequence[float]:
    """Eight bits with two of mantissa: the upper halves of 16-bit floats."""
    return struct.unpack("<256e", b"".join(bytes((0, bits)) for bits in range(256)))


FORMS = {
    "b1": _array("B"),
    **{name: _array(code) for name, code in zip(("i1", "i2", "i4", "i8"), "bhiq", strict=True)},
    **{name: _array(code) for name, code in zip(("u1", "u2", "u4", "u8"), "BHIQ", strict=True)},
    "f4": _array("f"),
    "f8": _array("d"),
    "f2": Form(2, False, _half),
    "bf2": Form(2, False, _brain),
    "e4m3": _eight(_e4m3()),
    "e5m2": _eight(_e5m2()),
}
