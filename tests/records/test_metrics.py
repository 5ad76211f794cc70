"""Metrics: numbers by dotted key, and never one that equals nothing."""

import pytest

from tallystick.errors import BadRecord
from tallystick.records.metrics import read


@pytest.mark.parametrize(
    ("file", "data"),
    [
        (
            "m.json",
            b'{"accuracy": 0.975, "val": {"loss": 1}, "name": "best", "ok": true, "all": [1, 2], "x": null}',
        ),
        ("m.yaml", b"accuracy: 0.975\nval: {loss: 1}\nname: best\nok: true\nall: [1, 2]\n"),
        ("m.toml", b'accuracy = 0.975\nname = "best"\nok = true\nall = [1, 2]\n[val]\nloss = 1\n'),
    ],
)
def test_numbers_are_kept_and_everything_else_left_out(file: str, data: bytes) -> None:
    assert read(data, file) == {"accuracy": 0.975, "val.loss": 1}


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("m.json", b'{"a": NaN}'),
        ("m.json", b'{"a": -Infinity}'),
        ("m.json", b'{"a": "nan"}'),
        ("m.yaml", b"a: .nan\n"),
        ("m.yaml", b"a: -.INF\n"),
        ("m.yaml", b"a: nan\n"),
        ("m.toml", b"a = nan\n"),
        ("m.toml", b"a = -inf\n"),
    ],
)
def test_a_metric_that_is_no_number_is_an_error_naming_it(file: str, data: bytes) -> None:
    with pytest.raises(BadRecord, match="metric `a` is"):
        read(data, file)


def test_a_list_of_what_is_no_number_is_an_error() -> None:
    with pytest.raises(BadRecord, match="a metric is NaN"):
        read(b'{"a": [NaN]}', "m.json")


@pytest.mark.parametrize(
    ("file", "data"), [("m.json", b"[1]"), ("m.yaml", b"- 1\n"), ("m.csv", b"a,b\n"), ("m.json", b"")]
)
def test_what_is_no_table_of_metrics_is_refused(file: str, data: bytes) -> None:
    with pytest.raises(BadRecord):
        read(data, file)
