"""What arrays of numpy and tensors of torch hold, written on a sheet as numbers."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

from tallystick.sandbox.inside.sheet import Sheet

KINDS = {"b": "BOOL", "i": "I", "u": "U", "f": "F"}
NAMED = {"bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}
TORCH = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "uint16": "U16", "uint32": "U32", "uint64": "U64", "float16": "F16", "float32": "F32", "float64": "F64",
    **NAMED,
}  # fmt: skip


class Arrays:
    """Writes arrays on a sheet; `add` tells of values of any other kind that lie in them."""

    def __init__(self, sheet: Sheet, add: Callable[[str, Any], None]) -> None:
        self._sheet = sheet
        self._add = add
        # The sheet has the places of their bytes, which must stay theirs until it is written.
        self._kept: list[Any] = []

    def tensor(self, path: str, value: Any) -> None:
        """Write a tensor of torch, wherever its values lie and however they are packed."""
        torch = sys.modules["torch"]
        tensor = value.detach().cpu().resolve_conj().resolve_neg()
        if tensor.is_quantized:
            tensor = self._of_quantized(path, tensor, torch)
        if tensor.layout != torch.strided:
            tensor = self._of_sparse(path, tensor)
        tensor = (torch.view_as_real(tensor) if tensor.is_complex() else tensor).contiguous()
        size = tensor.numel() * tensor.element_size()
        self._kept.append(tensor)
        data = memoryview((ctypes.c_ubyte * size).from_address(tensor.data_ptr()) if size else b"")
        kind = TORCH[str(tensor.dtype).partition(".")[2]]
        self._sheet.numbers(path, kind, list(tensor.shape), data)

    def _of_quantized(self, path: str, tensor: Any, torch: Any) -> Any:
        self._sheet.text(f"{path} (quantized)", f"{tensor.qscheme()} {tensor.dtype}")
        if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            scale = [tensor.q_scale(), tensor.q_zero_point()]
        else:
            scale = [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]
        self._add(f"{path} (scale)", scale)
        return tensor.int_repr()

    def _of_sparse(self, path: str, tensor: Any) -> Any:
        self._sheet.text(f"{path} (layout)", f"{tensor.layout} {list(tensor.shape)}")
        listed = tensor.to_sparse_coo().coalesce()
        self.tensor(f"{path} (indices)", listed.indices())
        return listed.values()

    def array(self, path: str, value: Any) -> None:
        """Write an array of numpy, or a single number of it."""
        numpy = sys.modules["numpy"]
        if isinstance(value, numpy.ma.MaskedArray):
            self.values(f"{path} (mask)", numpy.ma.getmaskarray(value))
        self.values(path, numpy.asarray(value))

    def values(self, path: str, array: Any) -> None:
        """An array of anything: of numbers as they are, of records field by field, of objects one by one."""
        kind, width = array.dtype.kind, array.dtype.itemsize
        if array.dtype.names:
            for name in array.dtype.names:
                self.values(f"{path}.{name}", array[name])
        elif kind == "O" and not all(type(each) is str for each in array.flat):
            self._sheet.text(f"{path} (shape)", str(array.shape))
            for at, each in enumerate(array.flat):
                self._add(f"{path}[{at}]", each)
        elif kind in "OUS" or (kind == "f" and width > 8) or (kind == "c" and width > 16):
            self._sheet.text(path, f"{array.dtype} {list(array.shape)} {array.tolist()!r}")
        elif kind in "mM":
            self._sheet.text(f"{path} (type)", str(array.dtype))
            self._numbers(path, array.view("i8"))
        elif kind == "c":
            self._numbers(path, sys.modules["numpy"].stack([array.real, array.imag], axis=-1))
        else:
            self._numbers(path, array)

    def _numbers(self, path: str, array: Any) -> None:
        numpy, kind = sys.modules["numpy"], array.dtype.kind
        named = NAMED.get(array.dtype.name)
        if named is None and kind not in KINDS:
            raise ValueError(f"arrays of {array.dtype} can't be told")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        data = numpy.ascontiguousarray(little).reshape(-1).view(numpy.uint8)
        self._kept.append(data)
        bits = "" if kind == "b" else 8 * array.dtype.itemsize
        self._sheet.numbers(path, named or f"{KINDS[kind]}{bits}", list(array.shape), memoryview(data))
