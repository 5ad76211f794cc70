"""Safetensors: a header of JSON that says where each tensor lies, then their bytes."""

import math
import struct
import sys
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from tallystick.compare.forms import FORMS
from tallystick.compare.numbers import Policy, other
from tallystick.compare.tensors import LARGEST, Tensor, compare_named
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records.fields import Fields, top
from tallystick.records.syntax import load_json
from tallystick.records.verdict import Difference

LONGEST_HEADER = 1 << 24
METADATA = "__metadata__"

_TYPES = {
    "BOOL": "b1", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4", "U64": "u8",
    "I64": "i8", "F16": "f2", "BF16": "bf2", "F32": "f4", "F64": "f8", "F8_E4M3": "e4m3", "F8_E5M2": "e5m2",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies, counted from the end of the header."""

    type: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Weights:
    """What a file's header says."""

    places: dict[str, _Place]
    metadata: dict[str, str]
    start: int


def compare_safetensors(
    expected: BinaryIO, actual: BinaryIO, tolerances: Policy, prefix: str = f"{METADATA}."
) -> Iterator[Difference]:
    """How two files differ, tensor by tensor; raise BadRecord if one is not readable as such.

    `prefix` stands before the names of texts.
    """
    old, new = _weights(expected), _weights(actual)
    yield from compare_named(_named(old, expected), _named(new, actual), tolerances)
    for key in sorted(old.metadata.keys() | new.metadata.keys()):
        one, two = old.metadata.get(key, "nothing"), new.metadata.get(key, "nothing")
        if one != two:
            yield other(f"{prefix}{key}"[:400], one[:60], two[:60])


def _named(weights: _Weights, file: BinaryIO) -> dict[str, partial[Tensor]]:
    return {name: partial(_tensor, weights, place, file) for name, place in weights.places.items()}


def _tensor(weights: _Weights, place: _Place, file: BinaryIO) -> Tensor:
    """One tensor; the file then stands at its values."""
    file.seek(weights.start + place.begin)
    form = FORMS[_TYPES[place.type]]
    return Tensor(place.type, place.shape, form.width, form, file, turned=sys.byteorder == "big")


def _weights(file: BinaryIO) -> _Weights:
    size = file.seek(0, 2)
    file.seek(0)
    begin = file.read(8)
    if len(begin) < 8:
        raise BadRecord("not a safetensors file")
    (length,) = struct.unpack("<Q", begin)
    if length > min(LONGEST_HEADER, size - 8) or size > LARGEST:
        raise BadRecord("the header is longer than the file, or too large to be looked into")
    fields = top(load_json(file.read(length), limit=LONGEST_HEADER), "", "safetensors header")
    places = {name: _place(fields.fields(name)) for name in fields.value if name != METADATA}
    _check_places(places, size - 8 - length)
    return _Weights(places, _metadata(fields), 8 + length)


def _metadata(fields: Fields) -> dict[str, str]:
    if not fields.has(METADATA):
        return {}
    table = fields.fields(METADATA)
    return {key: table.text(key) for key in table.value}


def _place(fields: Fields) -> _Place:
    fields.only("dtype", "shape", "data_offsets")
    kind = fields.text("dtype")
    if kind not in _TYPES:
        fields.bad(f"tensors of `{kind[:40]}` can't be looked into")
    shape = tuple(_whole(item) for item, _ in fields.items("shape"))
    offsets = tuple(_whole(item) for item, _ in fields.items("data_offsets"))
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * FORMS[_TYPES[kind]].width:
        fields.bad("a tensor's place is not as long as its shape")
    return _Place(kind, shape, *offsets)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise BadRecord("shapes and offsets are whole numbers")
    return value


def _check_places(places: dict[str, _Place], size: int) -> None:
    """Each byte belongs to one tensor: what nobody names could differ unseen."""
    end = 0
    for place in sorted(places.values(), key=lambda place: (place.begin, place.end)):
        if place.begin != end:
            raise BadRecord("tensors overlap, or leave bytes between them")
        end = place.end
    if end != size:
        raise BadRecord("tensors reach beyond the file, or not to its end")
