"""Arrays and weights beside each other: by block, in every type, and never more than they say they hold."""

import io
import math
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.compare.forms import FORMS
from tallystick.compare.numbers import gap_of, share_of
from tallystick.records.tolerance import EVERY, Measured, Tolerance
from tests.compare.files import between, found, npy, npz, raw_npy, safetensors, with_header

single = st.floats(width=32)
some = st.lists(single, min_size=1, max_size=40)


def test_weights_are_told_by_tensor_with_place_and_count() -> None:
    old = safetensors(
        {"a": ("F32", [2, 2], struct.pack("<4f", 1, 2, 4, 8)), "b": ("F32", [1], struct.pack("<f", 0))}
    )
    new = safetensors(
        {"a": ("F32", [2, 2], struct.pack("<4f", 1, 2.5, 4, 9)), "b": ("F32", [1], struct.pack("<f", 0))}
    )
    told = found("m.safetensors", old, new)
    (one,) = told.differences
    assert (told.kind, one.name, one.expected, one.actual) == ("arrays", "a", 8, 9)
    assert (one.absolute, one.relative, one.where, one.differing, one.values) == (1, 0.25, "index 1, 1", 2, 4)


@pytest.mark.parametrize(
    ("kind", "old", "new", "values"),
    [
        ("F16", struct.pack("<2e", 1, 2), struct.pack("<2e", 1, 3), (2, 3)),
        ("BF16", b"\x80\x3f\x00\x40", b"\x80\x3f\x40\x40", (2, 3)),
        ("F8_E4M3", b"\x38\x40", b"\x38\x44", (2, 3)),
        ("F8_E5M2", b"\x3c\x40", b"\x3c\x42", (2, 3)),
        ("F64", struct.pack("<2d", 1, 2), struct.pack("<2d", 1, 3), (2, 3)),
        ("I64", struct.pack("<2q", 1, -2), struct.pack("<2q", 1, 3), (-2, 3)),
        ("U8", b"\0\2", b"\0\3", (2, 3)),
        ("BOOL", b"\0\1", b"\0\0", (1, 0)),
    ],
)
def test_numbers_of_all_widths_are_read(
    kind: str, old: bytes, new: bytes, values: tuple[float, float]
) -> None:
    (told,) = between(
        "m.safetensors", safetensors({"w": (kind, [2], old)}), safetensors({"w": (kind, [2], new)})
    )
    assert ((told.expected, told.actual), told.where) == (values, "index 1")


def test_the_smallest_and_largest_numbers_of_eight_bits_are_right() -> None:
    assert FORMS["e4m3"].read(b"\x01\x7e\xfe")[:3] == [2.0**-9, 448.0, -448.0]
    assert math.isnan(FORMS["e4m3"].read(b"\x7f")[0])
    assert list(FORMS["e5m2"].read(b"\x01\x7b\x7c")) == [2.0**-16, 57344.0, math.inf]


def test_tensors_that_came_went_or_changed_their_shape_are_named() -> None:
    old = safetensors({"a": ("F32", [2], bytes(8)), "gone": ("U8", [1], b"a")})
    new = safetensors({"a": ("F16", [4], bytes(8)), "new": ("U8", [], b"a")})
    told = {each.name: (each.expected, each.actual) for each in between("m.safetensors", old, new)}
    assert told == {
        "a": ("F32 2", "F16 4"),
        "gone": ("U8 1", "no such array"),
        "new": ("no such array", "U8 scalar"),
    }


def test_metadata_is_compared_and_the_order_of_tensors_is_layout() -> None:
    one, two = ("U8", [1], b"a"), ("U8", [1], b"b")
    told = between("m.safetensors", safetensors({"a": one}, epoch="1"), safetensors({"a": one}, epoch="2"))
    assert [(each.name, each.expected, each.actual) for each in told] == [("__metadata__.epoch", "1", "2")]
    old, new = safetensors({"a": one, "b": two}), safetensors({"b": two, "a": one})
    assert found("m.safetensors", old, new).only == "layout"


F4 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
HOSTILE = {
    "empty": b"",
    "a huge header": struct.pack("<Q", 1 << 62) + b"{}",
    "a header beyond the end": struct.pack("<Q", 100) + b"{}",
    "no JSON": struct.pack("<Q", 2) + b"{]",
    "a list": with_header([], b""),
    "overlapping": with_header({"a": F4, "b": F4}, bytes(4)),
    "a gap": with_header({"a": {**F4, "data_offsets": [4, 8]}}, bytes(8)),
    "bytes after the last": with_header({"a": F4}, bytes(8)),
    "cut off": with_header({"a": F4}, bytes(3)),
    "backwards": with_header({"a": {**F4, "data_offsets": [4, 0]}}, bytes(4)),
    "negative": with_header({"a": {**F4, "shape": [-1, -1]}}, bytes(4)),
    "too short for its shape": with_header({"a": {**F4, "shape": [1 << 30, 1 << 30]}}, bytes(4)),
    "an unknown type": with_header({"a": {**F4, "dtype": "F4"}}, bytes(4)),
    "one offset": with_header({"a": {**F4, "data_offsets": [4]}}, bytes(4)),
    "an unknown key": with_header({"a": {**F4, "code": "x"}}, bytes(4)),
    "texts for numbers": with_header({"a": {**F4, "shape": ["1"]}}, bytes(4)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_weights_that_make_no_sense_are_bytes(data: bytes) -> None:
    good = with_header({"a": F4}, bytes(4))
    for old, new in ((good, data), (data, good)):
        assert found("m.safetensors", old, new).kind in ("bytes", "text")


def test_an_archive_that_would_unpack_to_more_than_it_may_is_not_unpacked() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("w.npy", npy([1]))
    size = struct.pack("<I", len(npy([1])))
    # The table of contents says that it is of 4 GiB.
    old = file.getvalue().replace(size * 2, struct.pack("<I", len(npy([1]))) + b"\xff\xff\xff\xfe")
    assert old != file.getvalue()
    (told,) = between("m.npz", old, npz(w=npy([2])))
    assert told.name == "bytes"


@pytest.mark.parametrize(
    "shape", ["(1 << 40,)", "(-1,)", "(1e3,)", "(10 ** 9, 10 ** 9)", "(1000000000, 1000000000)"]
)
def test_shapes_that_are_not_there_are_bytes(shape: str) -> None:
    (told,) = between("a.npy", npy([1]), npy([1], shape=shape))
    assert told.name == "bytes"


@pytest.mark.parametrize("descr", ["|O", "|V8", "<f16", "<U0", "<U99999999", "f", "", "|b7", "<c4"])
def test_types_that_are_not_numbers_are_bytes(descr: str) -> None:
    (told,) = between("a.npy", raw_npy(bytes(8), descr, "(1,)"), raw_npy(bytes(7) + b"\1", descr, "(1,)"))
    assert told.name == "bytes"


def test_arrays_of_texts_say_how_many_differ() -> None:
    old, new = (raw_npy("".join(text).encode("utf-32-le"), "<U2", "(3,)") for text in ("aabbcc", "aaxxcc"))
    (told,) = between("a.npy", old, new)
    assert (told.where, told.differing, told.values, told.within) == ("index 1", 1, 3, False)


def test_times_and_complex_numbers_are_compared() -> None:
    (told,) = between(
        "a.npy",
        raw_npy(struct.pack("<q", 5), "<M8[ns]", "(1,)"),
        raw_npy(struct.pack("<q", 7), "<M8[ns]", "(1,)"),
    )
    assert told.absolute == 2
    (told,) = between("a.npy", npy([1, 0, 2, 0], "<c8", "(2,)"), npy([1, 0, 2, 3], "<c8", "(2,)"))
    assert (told.absolute, told.where, told.values) == (3, "index 1", 4)


@pytest.mark.parametrize(("fortran", "where"), [(False, "index 1, 0"), (True, "index 1, 1")])
def test_the_index_follows_the_order_in_memory(fortran: bool, where: str) -> None:
    old, new = (
        npy(range(6), shape="(2, 3)", fortran=fortran),
        npy([0, 1, 2, 9, 4, 5], shape="(2, 3)", fortran=fortran),
    )
    assert between("a.npy", old, new)[0].where == where


def test_an_array_turned_on_its_side_says_so() -> None:
    (told,) = between("a.npy", npy([1, 2], shape="(2, 1)"), npy([1, 2], shape="(2, 1)", fortran=True))
    assert (told.expected, told.actual) == ("f4 2x1 by rows", "f4 2x1 by columns")


def test_of_many_blocks_the_furthest_number_is_found() -> None:
    numbers = [1.0] * 50_000
    changed = numbers.copy()
    changed[10], changed[40_000], changed[49_999] = 1.5, 3.0, 0.0
    (told,) = between("a.npy", npy(numbers), npy(changed))
    assert (told.absolute, told.where, told.differing, told.values) == (2, "index 40000", 3, 50_000)


@pytest.mark.parametrize("descr", ["<f4", "<f2", ">f8"])
def test_units_in_last_place_are_those_of_the_type(descr: str) -> None:
    step = {"<f4": 2.0**-23, "<f2": 2.0**-10, ">f8": 2.0**-52}[descr]
    old, new = npy([1.0, -1.0], descr), npy([1.0 + 3 * step, -1.0 - 3 * step], descr)
    for ulps, within in ((3, True), (2, False)):
        (told,) = between("a.npy", old, new, {EVERY: Tolerance(ulps=ulps)})
        assert (told.within, told.allowed) == (within, f"{ulps} ulps")


def test_zero_is_two_steps_from_its_smallest_neighbours_neighbour() -> None:
    tiny = 2.0**-149
    (told,) = between("a.npy", npy([tiny]), npy([-tiny]), {EVERY: Tolerance(ulps=2)})
    assert told.within
    (told,) = between("a.npy", npy([tiny]), npy([-tiny]), {EVERY: Tolerance(ulps=1)})
    assert not told.within


@pytest.mark.parametrize("strange", [math.nan, math.inf])
def test_no_bound_covers_what_is_not_finite(strange: float) -> None:
    largest = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
    bounds = Tolerance(1e300, 1e300, 1 << 60, Measured(1e300, 5))
    (told,) = between("a.npy", npy([largest, 1]), npy([strange, 1]), {EVERY: bounds})
    assert (told.within, told.absolute) == (False, None)


def test_a_measured_spread_counts_twice() -> None:
    bounds = {EVERY: Tolerance(measured=Measured(0.5, 5))}
    (told,) = between("a.npy", npy([1]), npy([2]), bounds)
    assert (told.within, told.allowed) == (True, "1 as measured in 5 runs")
    assert not between("a.npy", npy([1]), npy([2.5]), bounds)[0].within


@given(st.data(), some)
def test_the_fast_way_finds_what_one_by_one_finds(data: st.DataObject, old: list[float]) -> None:
    new = [data.draw(st.just(number) | single) for number in old]
    gaps = [gap_of(one, two) for one, two in zip(old, new, strict=True)]
    told = between("a.npy", npy(old), npy(new), {EVERY: Tolerance(1.0, 0.1)})
    if npy(old) == npy(new):
        return
    if not any(gaps):
        assert (told[0].absolute, told[0].differing) == (0, None)
        return
    (one,) = told
    finite = math.isfinite(max(gaps))
    assert one.absolute == (max(gaps) if finite else None)
    assert one.differing in (None, sum(gap > 0 for gap in gaps))
    shares = [share_of(gap, number) for gap, number in zip(gaps, old, strict=True) if gap]
    assert one.relative == (max(shares) if math.isfinite(max(shares)) else None)
    assert one.within == all(
        not gap or (math.isfinite(gap) and (gap <= 1 or share_of(gap, number) <= 0.1))
        for gap, number in zip(gaps, old, strict=True)
    )


@given(st.data(), some)
def test_distances_are_the_same_from_both_sides(data: st.DataObject, old: list[float]) -> None:
    new = data.draw(st.permutations(old))
    there, back = between("a.npy", npy(old), npy(new)), between("a.npy", npy(new), npy(old))
    assert [each.absolute for each in there] == [each.absolute for each in back]
