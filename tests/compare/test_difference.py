"""How two files differ, in the terms of what they hold."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.compare.difference import MOST, differences
from tallystick.records.tolerance import EVERY, Tolerance
from tallystick.records.verdict import Difference

NONE: dict[str, Tolerance] = {}


def between(
    path: str, old: bytes, new: bytes, tolerances: dict[str, Tolerance] = NONE
) -> tuple[Difference, ...]:
    return differences(path, io.BytesIO(old), io.BytesIO(new), tolerances)


def npy(numbers: list[float], descr: str = "<f4", shape: str | None = None) -> bytes:
    code = {"<f4": "<f", ">f8": ">d", "<f2": "<e", "<i8": "<q", "|b1": "<B"}[descr]
    text = (
        f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape or f'({len(numbers)},)'}, }}".encode()
    )
    data = b"".join(struct.pack(code, number) for number in numbers)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npz(**arrays: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def test_numbers_in_json_are_told_by_key_and_distance() -> None:
    (found,) = between("m.json", b'{"a": {"b": 0.5}, "c": 1}', b'{"a": {"b": 0.75}, "c": 1}')
    assert (found.name, found.expected, found.actual) == ("a.b", 0.5, 0.75)
    assert (found.absolute, found.relative, found.within) == (0.25, 0.5, False)


@pytest.mark.parametrize(
    ("tolerance", "within"),
    [
        (Tolerance(absolute=0.25), True),
        (Tolerance(absolute=0.2), False),
        (Tolerance(relative=0.5), True),
        (Tolerance(relative=0.4), False),
        (Tolerance(absolute=0.1, relative=0.5), True),
    ],
)
def test_either_bound_of_a_tolerance_is_enough(tolerance: Tolerance, within: bool) -> None:
    for key in ("a", EVERY):
        (found,) = between("m.json", b'{"a": 0.5}', b'{"a": 0.75}', {key: tolerance})
        assert found.within is within


def test_a_key_of_its_own_goes_before_the_tolerance_for_all() -> None:
    bounds = {EVERY: Tolerance(absolute=9), "a": Tolerance(absolute=0.1)}
    found = between("m.json", b'{"a": 1, "b": 1}', b'{"a": 2, "b": 2}', bounds)
    assert {each.name: each.within for each in found} == {"a": False, "b": True}


def test_no_tolerance_covers_a_word_that_changed() -> None:
    (found,) = between("m.json", b'{"a": "x"}', b'{"a": "y"}', {EVERY: Tolerance(absolute=9)})
    assert not found.within


def test_keys_that_came_or_went_are_named() -> None:
    found = between("m.json", b'{"a": 1}', b'{"b": 1}')
    assert {(each.name, each.expected, each.actual) for each in found} == {
        ("a", "1", "nothing"),
        ("b", "nothing", "1"),
    }


def test_layout_alone_is_no_difference() -> None:
    assert between("m.json", b'{"a":1,"b":2}', b'{\n "b": 2, "a": 1}\n') == ()


def test_a_table_is_compared_column_by_column() -> None:
    old = b"step,loss,who\n0,1.0,me\n1,0.5,me\n"
    found = between("p.csv", old, b"step,loss,who\n0,1.5,me\n1,0.5,you\n")
    assert [(each.name, each.absolute) for each in found] == [("loss", 0.5), ("who", None)]


def test_tables_of_other_shape_say_so() -> None:
    assert between("p.csv", b"a\n1\n", b"a\n1\n2\n")[0].name == "rows"
    assert between("p.csv", b"a\n1\n", b"b\n1\n")[0].name == "columns"


@pytest.mark.parametrize("descr", ["<f4", ">f8", "<f2", "<i8"])
def test_arrays_are_compared_without_numpy(descr: str) -> None:
    (found,) = between("a.npy", npy([1, 2, 4], descr), npy([1, 2, 5], descr))
    assert (found.expected, found.actual, found.absolute, found.relative) == (4, 5, 1, 0.25)


def test_every_array_of_an_archive_is_named() -> None:
    old, new = npz(w=npy([1, 2]), b=npy([0]), gone=npy([1])), npz(w=npy([1, 3]), b=npy([0]), new=npy([1]))
    assert [each.name for each in between("m.npz", old, new)] == ["gone", "new", "w"]


def test_a_tolerance_for_an_array_covers_it() -> None:
    bounds = {"w": Tolerance(absolute=1.0)}
    (found,) = between("m.npz", npz(w=npy([1, 2])), npz(w=npy([1, 3])), bounds)
    assert found.within
    assert found.allowed == "1"


def test_arrays_of_other_shape_or_type_say_so() -> None:
    (found,) = between("a.npy", npy([1, 2]), npy([1, 2, 3]), {EVERY: Tolerance(absolute=9)})
    assert (found.expected, found.actual, found.within) == ("f4 2", "f4 3", False)


def test_nan_is_as_far_away_as_can_be() -> None:
    (found,) = between("a.npy", npy([1.0]), npy([float("nan")]), {EVERY: Tolerance(absolute=1e9)})
    assert (found.within, found.absolute) == (False, None)


def test_the_same_nan_twice_is_no_difference() -> None:
    nan = float("nan")
    (found,) = between("a.npy", npy([nan, 1.0]), npy([nan, 2.0]))
    assert found.absolute == 1.0


def test_pickled_objects_are_never_loaded_but_compared_as_bytes() -> None:
    text = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    old = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"cos\nsystem\n(S'false'\ntR."
    (found,) = between("a.npy", old, old + b"!")
    assert found.name == "bytes"


def test_other_files_are_compared_as_bytes() -> None:
    (found,) = between("model.bin", b"abcdef", b"abXdefgh")
    assert found.actual == "3 of 8 bytes differ, the first at 2"


def test_many_differences_are_summed_up() -> None:
    old = "{" + ", ".join(f'"k{i}": 1' for i in range(200)) + "}"
    found = between("m.json", old.encode(), old.replace("1", "2").replace("k2", "k1").encode())
    assert len(found) <= MOST + 1


@given(
    st.binary(max_size=200),
    st.binary(max_size=200),
    st.sampled_from(["a.json", "a.csv", "a.npy", "a.npz", "a"]),
)
def test_whatever_the_bytes_there_is_an_answer(old: bytes, new: bytes, path: str) -> None:
    for difference in between(path, old, new):
        assert difference.within is False


@given(st.binary(max_size=120))
def test_a_broken_array_is_still_bytes(tail: bytes) -> None:
    assert between("a.npy", npy([1, 2]), npy([1, 2])[:10] + tail)
