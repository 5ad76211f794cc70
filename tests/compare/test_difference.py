"""How two files differ, in the terms of what they hold."""

import gzip
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.compare.difference import MOST
from tallystick.records.tolerance import EVERY, Tolerance
from tests.compare.files import between, found, npy, npz


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


def test_layout_alone_is_said_to_be_no_more() -> None:
    told = found("m.json", b'{"a":1,"b":2}', b'{\n "a": 1, "b": 2.0}\n')
    assert (told.only, [each.name for each in told.differences]) == ("layout", ["layout"])


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
    (found,) = between("model.bin", b"abcdef\0", b"abXdefgh")
    assert found.actual == "3 of 8 bytes differ, the first at 2"


def test_many_differences_are_summed_up() -> None:
    old = "{" + ", ".join(f'"k{i}": 1' for i in range(200)) + "}"
    found = between("m.json", old.encode(), old.replace("1", "2").replace("k2", "k1").encode())
    assert len(found) <= MOST + 1


def test_what_is_not_named_keeps_its_widest_distance() -> None:
    old = "{" + ", ".join(f'"k{i}": {i}' for i in range(200)) + "}"
    new = "{" + ", ".join(f'"k{i}": {2 * i}' for i in range(200)) + "}"
    rest = between("m.json", old.encode(), new.encode(), {EVERY: Tolerance(1000)})[-1]
    assert (rest.actual, rest.absolute, rest.within) == ("149 more differences", 199, True)


def test_what_no_tolerance_covers_is_named_first() -> None:
    old = "{" + ", ".join(f'"k{i}": 0' for i in range(200)) + "}"
    new = old.replace(": 0", ": 1")
    told = between("m.json", old.encode(), new.encode(), {EVERY: Tolerance(1), "k199": Tolerance(0.5)})
    assert (told[0].name, told[0].within, len(told)) == ("k199", False, MOST + 1)


@pytest.mark.parametrize("suffix", ["pkl", "joblib", "pt", "pth", "ckpt"])
def test_pickles_are_compared_as_bytes_and_said_to_be_such(suffix: str) -> None:
    old = b"\x80\x04cos\nsystem\n."
    (found,) = between(f"model.{suffix}", old, old[:-1] + b"!")
    told = "1 of 14 bytes differ, the first at 13; it may hold a pickle, which runs code as it is read"
    assert str(found.actual).startswith(told)
    assert "--unpickle" in str(found.actual)


def test_why_a_file_was_not_looked_into_is_said() -> None:
    (found,) = between("a.npy", npy([1, 2]), npy([1, 2])[:-1])
    assert "the array is cut off" in str(found.actual)


def test_packed_files_are_compared_by_what_is_in_them() -> None:
    old, new = (gzip.compress(text, mtime=0) for text in (b"a,b\n1,2\n", b"a,b\n1,3\n"))
    told = found("t.csv.gz", old, new)
    assert (told.kind, [each.name for each in told.differences]) == ("table", ["b"])


def test_the_time_that_gzip_writes_down_is_layout() -> None:
    old, new = (gzip.compress(b"a,b\n1,2\n", mtime=time) for time in (1, 2))
    assert found("t.csv.gz", old, new).only == "layout"


def test_a_bomb_of_zeros_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1 << 27))
    (told,) = between("t.csv.gz", bomb, bomb[:-1] + b"!")
    assert "too large" in str(told.actual)


def test_tables_of_pyarrow_say_what_would_tell_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "tallystick.compare.parquet", raising=False)
    (told,) = between("t.parquet", b"PAR1\0a", b"PAR1\0b")
    assert "pip install 'tallystick[parquet]'" in str(told.actual)


SUFFIXES = [
    "a", "a.json", "a.jsonl", "a.yaml", "a.toml", "a.csv", "a.tsv", "a.npy", "a.npz", "a.safetensors",
    "a.png", "a.pgm", "a.bmp", "a.csv.gz", "a.pt",
]  # fmt: skip


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(SUFFIXES))
def test_whatever_the_bytes_there_is_an_answer(old: bytes, new: bytes, path: str) -> None:
    told = found(path, old, new)
    assert told.differences
    assert not any(difference.within for difference in told.differences)


@given(st.text(max_size=60), st.sampled_from(SUFFIXES))
def test_a_file_beside_itself_is_no_difference_but_in_layout(text: str, path: str) -> None:
    told = found(path, text.encode(), text.encode())
    assert told.only == "layout" or "0 of" in str(told.differences[0].actual)


@given(st.binary(max_size=120))
def test_a_broken_array_is_still_bytes(tail: bytes) -> None:
    assert between("a.npy", npy([1, 2]), npy([1, 2])[:10] + tail)
