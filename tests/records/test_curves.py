"""Curves out of series, tables and JSON, and their thinning."""

import json
import math

import pytest

from tallystick.errors import BadRecord
from tallystick.records.curves import Frame, Grid, curves, read_series, read_table, thinned


def frame(data: bytes, path: str) -> Frame:
    (found,) = read_table(data, path)
    assert isinstance(found, Frame)
    return found


def test_a_series_has_a_column_for_each_metric_and_gaps_where_there_was_none() -> None:
    data = b'{"step": 0, "loss": 1.5}\n{"step": 1, "loss": "nan", "acc": 0.5}\nno\n{"step": 2, "lo'
    over, found = curves(read_series(data, "series"))
    assert over == "step"
    assert found["loss"][0] == (0, 1.5)
    assert math.isnan(found["loss"][1][1])
    assert found["acc"][1] == (1, 0.5)


@pytest.mark.parametrize(
    ("text", "over", "names"),
    [
        ("epoch,loss,acc\n0,1,2\n1,2,3\n", "epoch", ["loss", "acc"]),
        ("loss,step\n1,5\n2,6\n", "step", ["loss"]),
        ("time,loss\n1.5,3\n2.5,4\n", "time", ["loss"]),
        ("fpr,tpr\n0,0\n0,1\n", "row", ["fpr", "tpr"]),
        ("loss\n3\n2\n", "row", ["loss"]),
        ("name,loss\na,3\nb,2\n", "row", ["loss"]),
    ],
)
def test_a_table_is_drawn_over_its_steps(text: str, over: str, names: list[str]) -> None:
    found = curves(frame(text.encode(), "a.csv"))
    assert (found[0], list(found[1])) == (over, names)


def test_what_is_named_is_drawn() -> None:
    table = frame(b"fpr\ttpr\tother\n0\t0\t5\n0\t1\t6\n", "a.tsv")
    assert curves(table, "fpr", ["tpr"]) == ("fpr", {"tpr": ((0.0, 0.0), (0.0, 1.0))})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[{"step": 0, "a": 1}, {"step": 1, "a": NaN}]', {"": ["step", "a"]}),
        (
            '{"roc": [{"fpr": 0, "tpr": 1}], "auc": 0.5, "loss": [3, 2]}',
            {"roc": ["fpr", "tpr"], "": ["loss"]},
        ),
        ("[3, 2, 1]", {"": ["value"]}),
        ('{"a": [1, 2, 3], "b": [1]}', {"": ["a", "b"]}),
    ],
)
def test_json_holds_tables_in_several_ways(text: str, wanted: dict[str, list[str]]) -> None:
    frames = read_table(text.encode(), "a.json")
    assert {each.name: list(each.columns) for each in frames if isinstance(each, Frame)} == wanted


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", "a.csv"),
        (b"{", "a.json"),
        (b"3", "a.json"),
        (b"[" * 100_000, "a.json"),
        (b"\xff\xfe", "a.csv"),
        (b"a,b\n" + b"x" * 200_000, "a.csv"),
    ],
)
def test_what_holds_no_table_is_a_bad_record(data: bytes, path: str) -> None:
    with pytest.raises(BadRecord) as bad:
        read_table(data, path)
    assert path in bad.value.message


def test_columns_without_names_or_with_the_same_are_numbered() -> None:
    table = frame(b"a,,a\n1,2,3\n4\n", "a.csv")
    assert list(table.columns) == ["a", "column 2", "a 3"]
    assert math.isnan(table.columns["a 3"][1])


def test_a_square_of_numbers_is_a_matrix() -> None:
    (grid,) = read_table(b"digit,taken for 0,taken for 1\n0,5,1\n1,2,7\n", "a.csv")
    assert grid == Grid(("0", "1"), ("taken for 0", "taken for 1"), ((5, 1), (2, 7)))


def test_pairs_of_actual_and_predicted_are_counted() -> None:
    (grid,) = read_table(b"actual,predicted\ncat,dog\ncat,cat\ncat,dog\n", "a.csv")
    assert grid == Grid(("cat", "dog"), ("cat", "dog"), ((1, 2), (0, 0)))


def test_a_long_curve_keeps_its_ends_and_its_spikes() -> None:
    points = [(float(n), math.sin(n / 5000)) for n in range(100_000)]
    points[50_001] = (50_001.0, 99.0)
    points[70_001] = (70_001.0, -99.0)
    found = thinned(points)
    assert len(found) <= 1202
    assert {points[0], points[50_001], points[70_001], points[-1]} <= set(found)
    assert list(found) == sorted(found)


def test_gaps_stay_gaps_and_short_curves_stay_whole() -> None:
    points = [(float(n), math.nan if 4000 <= n < 6000 else 1.0) for n in range(10_000)]
    assert any(math.isnan(y) for _, y in thinned(points))
    assert thinned(points[:50]) == tuple(points[:50])


def test_predictions_in_json_are_counted_into_a_matrix() -> None:
    rows = [
        {"actual": "b", "predicted": "a"},
        {"predicted": "a", "actual": "a"},
        {"actual": "b", "predicted": "b"},
    ]
    (grid,) = read_table(json.dumps(rows).encode(), "cm.json")
    assert grid == Grid(("a", "b"), ("a", "b"), ((1.0, 0.0), (1.0, 1.0)))
    (frame,) = read_table(json.dumps([*rows, {"actual": "b"}]).encode(), "cm.json")
    assert isinstance(frame, Frame)
