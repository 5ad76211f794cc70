"""NumPy's array files, read without NumPy and without ever unpickling."""

import ast
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import BinaryIO

from tallystick.compare.forms import FORMS, Form
from tallystick.compare.numbers import Policy
from tallystick.compare.tensors import LARGEST, MOST_TENSORS, Tensor, compare_named, compare_tensors
from tallystick.errors import BadRecord
from tallystick.patterns import regex
from tallystick.records.verdict import Difference

ARRAY = "array"
"""What the one array of a `.npy` file is called."""

LONGEST_HEADER = 1 << 16
WIDEST = 1 << 16
"""Bytes of the longest text in an array of texts."""

MAGIC = b"\x93NUMPY"
_TYPE = regex(r"([<>|=]?)([A-Za-z])([0-9]{0,9})(\[[^\]]{1,20}\])?")


def compare_npy(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterator[Difference]:
    """How two `.npy` files differ; raise BadRecord if one is not readable as such."""
    return compare_tensors(ARRAY, _npy(expected, _size(expected)), _npy(actual, _size(actual)), tolerances)


def compare_npz(expected: BinaryIO, actual: BinaryIO, tolerances: Policy) -> Iterator[Difference]:
    """How two `.npz` files differ, array by array; raise BadRecord if one is not readable as such."""
    try:
        with zipfile.ZipFile(expected) as old, zipfile.ZipFile(actual) as new:
            yield from compare_named(_members(old), _members(new), tolerances)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BadRecord(f"no readable archive of arrays: {error}") from error


def _size(file: BinaryIO) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size


def _members(archive: zipfile.ZipFile) -> dict[str, partial[Tensor]]:
    infos = archive.infolist()
    if len(infos) > MOST_TENSORS or sum(info.file_size for info in infos) > LARGEST:
        raise BadRecord("the arrays are too large to be looked into")
    return {info.filename.removesuffix(".npy"): partial(_member, archive, info) for info in infos}


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Tensor:
    """One array, never more bytes of it than the archive says it has."""
    # Closed with the archive: its bytes are read while the other one's are.
    return _npy(archive.open(info), info.file_size)  # type: ignore[arg-type]


def _npy(file: BinaryIO, size: int) -> Tensor:
    """An array by the header of a `.npy` file of a size; the file then stands at its values."""
    header, start = _header(file)
    descr, shape, fortran = header.get("descr"), header.get("shape"), header.get("fortran_order")
    if not isinstance(descr, str) or not isinstance(shape, tuple) or not isinstance(fortran, bool):
        raise BadRecord("the array holds no plain numbers")
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise BadRecord("the array has no sensible shape")
    width, form, parts = _type(descr)
    turned = form is not None and descr[0] in "<>" and (descr[0] == ">") != (sys.byteorder == "big")
    tensor = Tensor(descr.lstrip("<>|="), shape, width, form, file, parts, turned, fortran)
    if start + tensor.count * width != size:
        raise BadRecord("the array is cut off")
    if size > LARGEST:
        raise BadRecord("the array is too large to be looked into")
    return tensor


def _type(descr: str) -> tuple[int, Form | None, int]:
    """The width of a value, how its numbers are written, and how many it is made of."""
    match = _TYPE.fullmatch(descr)
    kind, digits = (match[2], match[3]) if match is not None else ("", "")
    width = int(digits or 0) * (4 if kind == "U" else 1)
    if kind in "US" and 0 < width <= WIDEST:
        return width, None, 1
    if kind == "c" and width in (8, 16):
        return width, FORMS[f"f{width // 2}"], 2
    # Times are counted in whole numbers.
    form = FORMS.get(f"{'i' if kind in 'mM' else kind}{digits}")
    if kind not in "biufmM" or form is None:
        raise BadRecord(f"arrays of `{descr[:40]}` can't be looked into")
    return width, form, 1


def _header(file: BinaryIO) -> tuple[Mapping[str, object], int]:
    """The description at an array's beginning, and where its numbers start."""
    begin = file.read(8)
    if begin[:6] != MAGIC or len(begin) < 8:
        raise BadRecord("not an array file")
    wide = begin[6] > 1
    count = file.read(4 if wide else 2)
    if len(count) != (4 if wide else 2):
        raise BadRecord("the array is cut off")
    length = struct.unpack("<I" if wide else "<H", count)[0]
    if length > LONGEST_HEADER:
        raise BadRecord("the array's header is too long")
    try:
        header = ast.literal_eval(file.read(length).decode("utf-8").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise BadRecord("the array's header can't be read") from error
    if not isinstance(header, dict):
        raise BadRecord("the array's header can't be read")
    return header, 8 + len(count) + length
