"""YAML and JSON: what is read, what is refused, and how fast it is refused."""

import json
import time
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import BadRecord
from tallystick.records.syntax import dump_json, load_json, load_yaml
from tallystick.records.yamltree import DEEPEST, resolve
from tallystick.records.yamlwrite import decimal, double_quoted, quoted, scalar
from tests.records.strategies import plains, relaxed, texts

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b",".join([b"*%c" % (letter - 1)] * 9))
    for letter in range(ord("b"), ord("j"))
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: &x 1\nb: *x", "anchors"),
        ("a: *x", "anchors"),
        ("a: !!python/object/apply:os.system [id]", "tag"),
        ("!!map {a: 1}", "tag"),
        ("a: !x 1", "tag"),
        ("%TAG ! tag:evil,2026:\n---\na: 1", "plain YAML document"),
        ("<<: {a: 1}", "merge"),
        ("a: 1\nb: 2\na: 3", "stands twice"),
        ("true: 1\n'true': 2", "stands twice"),
        ("? [a, b]\n: 1", "plain word"),
        ("? {a: b}\n: 1", "plain word"),
        ("a: 1\n---\nb: 2", "document"),
        ("a: [1, 2", "not valid YAML"),
        ("a: 'x", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
        ("\ta: 1", "not valid YAML"),
        ("a: \x07", "not valid YAML"),
    ],
)
def test_dangerous_yaml_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint):
        load_yaml(text, "x.yaml")


def test_an_error_names_file_and_line() -> None:
    with pytest.raises(BadRecord) as caught:
        load_yaml(b"a: 1\nb:\n  c: 1\n  c: 2\n", "some/tally.yaml")
    assert (caught.value.source, caught.value.line) == ("some/tally.yaml", 4)
    assert str(caught.value).startswith("some/tally.yaml:4: ")


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        b"[" * 60_000,
        b"{a: " * 15_000,
        b"- " * 30_000 + b"x",
        b"? " * 30_000,
        b"a: [" * 15_000,
        b"'" * 60_000,
        b"a: " + b"9" * 60_000,
        b"a: " + b"1e" + b"9" * 60_000,
        b"&" + b"a" * 60_000 + b" x",
    ],
    ids=[
        "alias bomb",
        "lists",
        "braces",
        "dashes",
        "questions",
        "nested",
        "quotes",
        "digits",
        "exponent",
        "anchor",
    ],
)
def test_hostile_yaml_is_done_with_in_no_time(text: bytes) -> None:
    assert min(cost(text) for _ in range(3)) < 0.05


def cost(text: bytes) -> float:
    start = time.process_time()
    load_or_refuse(text)
    return time.process_time() - start


def load_or_refuse(text: bytes) -> None:
    with suppress(BadRecord):
        load_yaml(text, "x.yaml", 64 << 10)


@pytest.mark.parametrize("load", [load_yaml, load_json])
def test_a_text_beyond_its_limit_is_refused_unread(load) -> None:
    with pytest.raises(BadRecord, match="larger than the 100 bytes"):
        load(b'"' + b"x" * 100 + b'"', "x", 100)


@pytest.mark.parametrize("load", [load_yaml, load_json])
def test_bytes_that_are_not_utf8_are_refused_with_their_line(load) -> None:
    with pytest.raises(BadRecord, match="x:2: not UTF-8"):
        load(b'{"a":\n"\xff"}', "x")


@pytest.mark.parametrize(("load", "opening", "closing"), [(load_yaml, "[", "]"), (load_json, "[", "]")])
def test_depth_is_bounded(load, opening: str, closing: str) -> None:
    assert load(opening * DEEPEST + closing * DEEPEST) is not None
    for depth in (DEEPEST + 2, 5_000, 500_000):
        with pytest.raises(BadRecord):
            load(opening * depth + closing * depth, "x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "Infinity"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": {"b": 1, "b": 1}}', "twice"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"\\udc80": 1}', "surrogate"),
        ('{"a": 1,}', "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
        ('{"a": 1} x', "not valid JSON"),
        ("", "not valid JSON"),
        ("[" + "9" * 5000 + "]", "not valid JSON"),
        ('"\x01"', "not valid JSON"),
    ],
)
def test_json_is_strict(text: str, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint):
        load_json(text, "x.json")


@relaxed
@given(plains)
def test_json_survives_a_round_trip_and_has_one_form(value) -> None:
    data = dump_json(value)
    assert load_json(data) == value
    assert dump_json(load_json(data)) == data
    assert data.endswith(b"\n")


def test_canonical_json_is_sorted_indented_utf8() -> None:
    assert (
        dump_json({"b": [1, 2.5], "a": "ü"}) == '{\n  "a": "ü",\n  "b": [\n    1,\n    2.5\n  ]\n}\n'.encode()
    )


def test_canonical_json_knows_no_nan_and_no_half_characters() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_json({"a": float("nan")})
    with pytest.raises(BadRecord):
        dump_json({"a": "\ud800"})


@relaxed
@given(plains)
def test_yaml_reads_every_json_text_that_has_no_escapes(value) -> None:
    text = json.dumps(value, ensure_ascii=False)
    if "\\" not in text and text.isprintable() and len(text) < 120:
        assert load_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.0e-05", 1e-05),
        (".5", 0.5),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("-7", -7),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        (".nan", ".nan"),
        ("-.inf", "-.inf"),
        ("1e999", "1e999"),
        ("2026-01-31", "2026-01-31"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("٣", "٣"),
    ],
)
def test_plain_scalars_follow_yaml_1_2_and_stay_finite(text: str, value: object) -> None:
    found = resolve(text)
    assert (type(found), found) == (type(value), value)


@relaxed
@given(texts)
def test_a_quoted_text_reads_the_same_in_both_yaml_versions(text: str) -> None:
    for written in (quoted(text), double_quoted(text)):
        assert load_yaml(f"key: {written}\n")["key"] == text
        assert yaml.safe_load(f"key: {written}\n")["key"] == text
        assert load_yaml(f"{written}: 1\n") == {text: 1}
        assert "\n" not in written


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "NO",
        "on",
        "null",
        "1e-3",
        "1:30",
        "2026-01-01",
        "y",
        "=",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "-x",
        "0x10",
        "é",
    ],
)
def test_a_text_that_somebody_could_misread_is_quoted(text: str) -> None:
    assert quoted(text).startswith('"')


@pytest.mark.parametrize("text", ["images", "train", "a b", "src/train.py", "model.npz", "a=b", "v1.0"])
def test_an_ordinary_text_stays_plain(text: str) -> None:
    assert quoted(text) == text


@relaxed
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_a_float_for_everybody(number: float) -> None:
    assert load_yaml(decimal(number)) == number
    assert yaml.safe_load(decimal(number)) == number


@relaxed
@given(plains)
def test_any_plain_value_can_stand_on_one_line_of_yaml(value) -> None:
    assert load_yaml(f"key: {scalar(value)}\n")["key"] == value


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert load_yaml(b"\xef\xbb\xbfa: 1\n") == {"a": 1}
    assert load_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("load", [load_yaml, load_json])
def test_a_merge_conflict_is_called_one(load) -> None:
    text = '{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> theirs\n}\n'
    with pytest.raises(BadRecord, match="x:2: a merge conflict"):
        load(text, "x")
    assert load('{"a": "<<<<<<< HEAD"}') == {"a": "<<<<<<< HEAD"}


@relaxed
@given(st.binary(max_size=200) | st.text("{}[]:,-?&*!|>'\"%@`# \n\tab1", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for load in (load_yaml, load_json):
        with suppress(BadRecord):
            load(data, "x")
