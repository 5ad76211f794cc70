"""Small files of many kinds, made without the libraries that usually make them."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence

from tallystick.compare.difference import Found, compare_files
from tallystick.records.tolerance import Tolerance
from tallystick.records.verdict import Difference

NONE: dict[str, Tolerance] = {}


def found(path: str, old: bytes, new: bytes, tolerances: dict[str, Tolerance] = NONE) -> Found:
    return compare_files(path, io.BytesIO(old), io.BytesIO(new), tolerances)


def between(
    path: str, old: bytes, new: bytes, tolerances: dict[str, Tolerance] = NONE
) -> tuple[Difference, ...]:
    return found(path, old, new, tolerances).differences


_CODES = {
    "<f4": "<f",
    ">f8": ">d",
    "<f2": "<e",
    "<i8": "<q",
    "|b1": "<B",
    ">i2": ">h",
    "<u8": "<Q",
    "<c8": "<f",
}


def raw_npy(data: bytes, descr: str, shape: str, fortran: bool = False) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npy(
    numbers: Sequence[float], descr: str = "<f4", shape: str | None = None, fortran: bool = False
) -> bytes:
    data = b"".join(struct.pack(_CODES[descr], number) for number in numbers)
    return raw_npy(data, descr, shape or f"({len(numbers)},)", fortran)


def npz(**arrays: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]], **metadata: str) -> bytes:
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (kind, shape, each) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(each)]}
        data += each
    return with_header(header, data)


def with_header(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    rows: Sequence[bytes], width: int, colour: int, depth: int = 8, *extra: bytes, height: int | None = None
) -> bytes:
    """An image of rows that begin with the number of their filter."""
    size = len(rows) if height is None else height
    header = struct.pack(">IIBBBBB", width, size, depth, colour, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *extra,
            chunk(b"IDAT", zlib.compress(b"".join(rows))),
            chunk(b"IEND", b""),
        )
    )
