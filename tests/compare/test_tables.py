"""Tables beside each other: columns, rows that came, went or moved, and cells."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.compare.difference import Found
from tallystick.records.tolerance import EVERY, Tolerance
from tests.compare.files import between, found

ANY = {EVERY: Tolerance(any_order=True)}


def told(told: Found) -> dict[str, tuple[object, object, str | None]]:
    return {each.name: (each.expected, each.actual, each.where) for each in told.differences}


def test_a_cell_is_told_by_column_and_row() -> None:
    old = b"step,loss,who\n0,1.0,me\n1,0.5,me\n2,0.25,me\n"
    new = b"step,loss,who\n0,1.0,me\n1,0.75,me\n2,0.25,you\n"
    differences = found("p.csv", old, new).differences
    assert told(found("p.csv", old, new)) == {"loss": (0.5, 0.75, "row 2"), "who": ("me", "you", "row 3")}
    assert {(each.differing, each.values) for each in differences} == {(1, 3)}


def test_rows_that_came_and_went_are_found_by_their_key_and_the_others_compared() -> None:
    old = b"step,loss\n0,1\n1,2\n2,3\n3,4\n"
    new = b"step,loss\n0,1\n2,3.5\n3,4\n4,5\n9,9\n"
    assert told(found("p.csv", old, new)) == {
        "rows": ("4 rows", "5 rows: 1 gone (first: row 2), 2 new (first: row 4)", None),
        "loss": (3, 3.5, "row 3"),
    }


def test_rows_without_a_key_are_found_by_what_they_hold() -> None:
    old, new = b"a,b\n1,1\n1,2\n1,2\n", b"a,b\n1,2\n1,7\n"
    assert told(found("p.csv", old, new)) == {
        "rows": ("3 rows", "2 rows: 2 gone (first: row 1), 1 new (first: row 2)", None)
    }


def test_columns_that_came_and_went_are_named_and_the_others_compared() -> None:
    old, new = b"id,a,b\n1,2,3\n2,3,4\n", b"id,b,c\n1,3,9\n2,5,9\n"
    assert told(found("p.csv", old, new)) == {
        "columns": ("id, a, b", "id, b, c", None),
        "b": (4, 5, "row 2"),
    }


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("p.csv", b"a,b\n1,x\n2,y\n2,y\n", b"a,b\n2,y\n1,x\n2,y\n"),
        ("p.csv", b"a,b\n1,x\n2,y\n", b"b,a\nx,1\ny,2\n"),
        ("p.tsv", b"a\tb\n1\tx\n2\ty\n", b"a\tb\n2\ty\n1\tx\n"),
        ("p.csv", b"1,2\n3,4\n", b"3,4\n1,2\n"),
        ("p.jsonl", b'{"a": 1}\n{"a": [2, {"b": null}]}\n', b'{"a": [2, {"b": null}]}\n{"a": 1}\n'),
        ("p.txt", b"b\na\n", b"a\nb\n"),
    ],
)
def test_rows_in_another_order_are_said_to_be_just_that(name: str, old: bytes, new: bytes) -> None:
    without, allowed = found(name, old, new), found(name, old, new, ANY)
    assert (without.only, allowed.only) == ("order", "order")
    assert [each.within for each in (*without.differences, *allowed.differences)] == [False, True]
    assert allowed.differences[0].allowed == "any order"


def test_any_order_allows_no_other_cell() -> None:
    differences = between("p.csv", b"a,b\n1,2\n3,4\n", b"a,b\n3,4\n1,5\n", ANY)
    assert [(each.name, each.within) for each in differences] == [("b", False), ("order", True)]


def test_a_tolerance_and_any_order_go_together() -> None:
    bounds = {**ANY, "b": Tolerance(0.5)}
    differences = between("p.csv", b"a,b\n1,2\n3,4\n", b"a,b\n3,4.5\n1,2\n", bounds)
    assert [(each.name, each.within) for each in differences] == [("order", True), ("b", True)]


def test_lines_of_json_are_compared_by_key() -> None:
    old, new = b'{"a": {"x": 1}, "ok": true}\n\n{"b": 1}\n', b'{"a": {"x": 2}, "ok": 1}\n{"b": "1"}\n'
    assert told(found("p.jsonl", old, new)) == {
        "a.x": (1, 2, "row 1"),
        "ok": ("true", "1", "row 1"),
    }
    # As in CSV, a number is a number in quotes, too.
    assert told(found("p.jsonl", b'{"a": 1}\n', b'{"a": 1, "b": null}\n')) == {"columns": ("a", "a, b", None)}


def test_quotes_and_line_ends_are_layout() -> None:
    assert found("p.csv", b'a,b\n"1",2\n', b"\xef\xbb\xbfa,b\r\n1,2\r\n").only == "layout"


def test_two_columns_of_one_name_are_told_apart() -> None:
    assert set(told(found("p.csv", b"a,a\n1,2\n", b"a,a\n1,3\n"))) == {"a (2)"}


def test_a_row_that_is_longer_than_the_table_is_wide_is_no_table() -> None:
    differences = found("p.csv", b"a,b\n1,2\n", b"a,b\n1,2,3\n")
    assert (differences.kind, differences.differences[0].where) == ("text", "line 2")


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_a_table_that_would_fill_the_memory_is_compared_as_text(name: str) -> None:
    lines = [b"1" * 3] * 30_000 if name == "p.csv" else [b'{"k%d": 1}' % i for i in range(30_000)]
    old = b"\n".join([b"," * 30_000, *lines] if name == "p.csv" else lines)
    assert found(name, old, old + b"\n4").kind == "text"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("m.json", b'{"a": 1, "b": {"c": [1, 2]}}', b'{"b": {"c": [1, 2]}, "a": 1}'),
        ("m.json", b'[{"a": 1}, {"b": 2}]', b'[{"b": 2}, {"a": 1}]'),
        ("m.yaml", b"a: 1\nb: 2\n", b"b: 2\na: 1\n"),
        ("m.toml", b"a = 1\nb = 2\n", b"b = 2\na = 1\n"),
    ],
)
def test_keys_in_another_order_are_said_to_be_just_that(name: str, old: bytes, new: bytes) -> None:
    without, allowed = found(name, old, new), found(name, old, new, ANY)
    assert (without.kind, without.only, without.differences[0].within) == ("keys", "order", False)
    assert allowed.differences[0].within


def test_numbers_in_a_list_mean_something_by_their_order() -> None:
    differences = between("m.json", b'{"a": [1, 2]}', b'{"a": [2, 1]}', ANY)
    assert [each.name for each in differences] == ["a.0", "a.1"]


def test_true_is_not_one() -> None:
    assert between("m.json", b'{"a": true}', b'{"a": 1}')[0].actual == "1"


cells = st.lists(st.tuples(st.integers(0, 9), st.floats(0, 9, width=16)), min_size=1, max_size=12)


def csv(rows: list[tuple[int, float]]) -> bytes:
    return ("a,b\n" + "".join(f"{one},{two}\n" for one, two in rows)).encode()


@given(st.data(), cells)
def test_whatever_rows_are_permuted_it_is_only_the_order(
    data: st.DataObject, rows: list[tuple[int, float]]
) -> None:
    other = data.draw(st.permutations(rows))
    assert found("t.csv", csv(rows), csv(other)).only == ("layout" if rows == other else "order")


@given(cells, cells)
def test_what_differs_between_tables_differs_from_both_sides(
    old: list[tuple[int, float]], new: list[tuple[int, float]]
) -> None:
    there, back = found("t.csv", csv(old), csv(new)), found("t.csv", csv(new), csv(old))
    assert there.only == back.only
    assert [(each.name, each.absolute) for each in there.differences] == [
        (each.name, each.absolute) for each in back.differences
    ]


class TestParquet:
    """Read by pyarrow, where it is installed."""

    @pytest.fixture
    def write(self) -> object:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")

        def write(**columns: list[object]) -> bytes:
            sink = arrow.BufferOutputStream()
            parquet.write_table(arrow.table(columns), sink)
            data: bytes = sink.getvalue().to_pybytes()
            return data

        return write

    def test_rows_and_columns_are_told(self, write) -> None:  # type: ignore[no-untyped-def]
        old = write(id=[1, 2, 3], loss=[0.5, 0.25, float("nan")], who=["a", None, "c"])
        new = write(id=[1, 2, 3], loss=[0.5, 0.75, float("nan")], who=["a", "b", "c"])
        told_ = found("t.parquet", old, new)
        assert told_.kind == "table"
        assert told(told_) == {"loss": (0.25, 0.75, "row 2"), "who": ("null", "b", "row 2")}

    def test_another_type_and_another_order_are_told(self, write) -> None:  # type: ignore[no-untyped-def]
        assert told(found("t.parquet", write(a=[1]), write(a=["1"]))) == {"a": ("int64", "string", None)}
        assert found("t.parquet", write(a=[1, 2]), write(a=[2, 1]), ANY).only == "order"

    def test_a_broken_one_is_bytes(self, write) -> None:  # type: ignore[no-untyped-def]
        assert found("t.parquet", write(a=[1]), write(a=[1])[:-9]).kind == "bytes"
        assert "tallystick.compare.parquet" in sys.modules
