"""NumPy's array files, read without NumPy and without ever unpickling: how far two are apart."""

import array
import ast
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from tallystick.compare.numbers import allowed_text, apart, other, tolerance_for
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records.tolerance import Tolerance
from tallystick.records.verdict import Difference

LARGEST = 1 << 28
"""Bytes of the largest array that is looked into."""

LONGEST_HEADER = 1 << 16
MAGIC = b"\x93NUMPY"
BLOCK = 4096
"""Numbers that are compared as bytes first: almost all blocks are equal or almost none."""

_CODES = {
    "b1": "B", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d", "c8": "f", "c16": "d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Array:
    """One array: how it is laid out, and its bytes."""

    descr: str
    shape: tuple[int, ...]
    fortran: bool
    data: memoryview

    @property
    def layout(self) -> str:
        """Type and shape for people."""
        return f"{self.descr.lstrip('<>|=')} {'x'.join(map(str, self.shape)) or 'scalar'}"


def compare_npy(
    expected: BinaryIO, actual: BinaryIO, tolerances: Mapping[str, Tolerance]
) -> Iterator[Difference]:
    """How two `.npy` files differ; raise BadRecord if one is not readable as such."""
    yield from _compare("array", _npy(expected.read(LARGEST + 1)), _npy(actual.read(LARGEST + 1)), tolerances)


def compare_npz(
    expected: BinaryIO, actual: BinaryIO, tolerances: Mapping[str, Tolerance]
) -> Iterator[Difference]:
    """How two `.npz` files differ, array by array; raise BadRecord if one is not readable as such."""
    try:
        with zipfile.ZipFile(expected) as old, zipfile.ZipFile(actual) as new:
            yield from _compare_members(old, new, tolerances)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BadRecord(f"no readable archive of arrays: {error}") from error


def _compare_members(
    old: zipfile.ZipFile, new: zipfile.ZipFile, tolerances: Mapping[str, Tolerance]
) -> Iterator[Difference]:
    known, found = _members(old), _members(new)
    for name in sorted(known.keys() | found.keys()):
        if name not in found:
            yield other(name, "an array", "no such array")
        elif name not in known:
            yield other(name, "no such array", "an array")
        else:
            one, two = _member(old, known[name]), _member(new, found[name])
            yield from _compare(name, one, two, tolerances)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    """Read one array, never more bytes than a small archive may claim to hold."""
    with archive.open(info) as file:
        return _npy(file.read(LARGEST + 1))


def _npy(data: bytes) -> Array:
    """Read an array from the bytes of a `.npy` file."""
    if len(data) > LARGEST:
        raise BadRecord("the array is too large to be looked into")
    header, start = _header(data)
    descr, shape, fortran = header.get("descr"), header.get("shape"), header.get("fortran_order")
    if not isinstance(descr, str) or not isinstance(shape, tuple) or not isinstance(fortran, bool):
        raise BadRecord("the array holds no plain numbers")
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise BadRecord("the array has no sensible shape")
    return Array(descr, shape, fortran, memoryview(data)[start:])


def _header(data: bytes) -> tuple[Mapping[str, object], int]:
    """The description at an array's beginning, and where its numbers start."""
    if data[:6] != MAGIC or len(data) < 12:
        raise BadRecord("not an array file")
    wide = data[6] > 1
    start = 12 if wide else 10
    length = struct.unpack_from("<I" if wide else "<H", data, 8)[0]
    if length > LONGEST_HEADER:
        raise BadRecord("the array's header is too long")
    try:
        header = ast.literal_eval(data[start : start + length].decode("utf-8").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise BadRecord("the array's header can't be read") from error
    if not isinstance(header, dict):
        raise BadRecord("the array's header can't be read")
    return header, start + length


def _compare(
    name: str, expected: Array, actual: Array, tolerances: Mapping[str, Tolerance]
) -> Iterator[Difference]:
    """How two arrays differ; nothing when they hold the same numbers."""
    if expected.layout != actual.layout or expected.fortran != actual.fortran:
        yield other(name, expected.layout, actual.layout)
    elif expected.data != actual.data:
        difference = apart(name, _pairs(_numbers(expected), _numbers(actual)), tolerances)
        yield difference or _only_written_differently(name, tolerances)


def _only_written_differently(name: str, tolerances: Mapping[str, Tolerance]) -> Difference:
    """`-0.0` for `0.0`, or another NaN: no distance, but other bytes."""
    allowed = allowed_text(tolerance_for(name, tolerances))
    expected, actual = "the same numbers", "written as other bytes"
    return Difference(name, expected, actual, 0.0, 0.0, allowed, within=allowed is not None)


def _numbers(source: Array) -> Sequence[float]:
    """An array's numbers in the order in which they are stored."""
    code = _CODES.get(source.descr.lstrip("<>|="))
    if code is None:
        raise BadRecord(f"arrays of `{source.descr}` can't be looked into")
    try:
        if code == "e":
            sign = ">" if source.descr.startswith(">") else "<"
            return struct.unpack(f"{sign}{len(source.data) // 2}e", source.data)
        numbers = array.array(code, source.data.tobytes())
    except (ValueError, struct.error) as error:
        raise BadRecord("the array is cut off") from error
    if source.descr.startswith(">") != (sys.byteorder == "big") and source.descr[0] in "<>":
        numbers.byteswap()
    return numbers


def _pairs(expected: Sequence[float], actual: Sequence[float]) -> Iterator[tuple[float, float]]:
    """The numbers of two arrays side by side, without the blocks that are equal."""
    if len(expected) != len(actual):
        raise BadRecord("the array is cut off")
    for start in range(0, len(expected), BLOCK):
        one, two = expected[start : start + BLOCK], actual[start : start + BLOCK]
        if one != two:
            yield from zip(one, two, strict=True)
