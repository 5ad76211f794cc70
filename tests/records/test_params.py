"""Parameters: read from three languages, chosen by dotted keys, overridden in place."""

from contextlib import suppress

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from tallystick.errors import BadRecord, Refused
from tallystick.records.params import override, read, select
from tallystick.records.yamlwrite import scalar
from tests.records.strategies import plains, relaxed, texts, words

YAML = b"""\
# how we train
train:
  lr: 1e-3        # the rate
  layers: [64, 32]
  "odd key": 'text'   # quoted

  nested: {depth: 3, flag: yes}
prepare:
  size:    8
"""
JSON = b'{\n  "train": {"lr": 0.001, "layers": [64, {"size": 32}]},\n\n  "name":"caf\\u00e9"\n}'
TOML = b"""\
# how we train
name = "a # b"  # not a comment inside

[train]
lr = 1e-3   # the rate
layers = [64, 32]
when = 2026-01-31
'odd key' = 'text'

[train.deep]
a.b = true
[[list]]
lr = 5
"""


def test_three_languages_read_alike() -> None:
    assert read(YAML, "params.yaml")["train"]["lr"] == 0.001
    assert read(JSON, "conf/params.json")["train"]["lr"] == 0.001
    assert read(TOML, "params.toml")["train"]["lr"] == 0.001
    assert read(TOML, "params.TOML")["train"]["when"] == "2026-01-31"
    assert read(b"a: .inf\n", "p.yml") == {"a": ".inf"}
    assert read(b"a = inf\nb = nan\n", "p.toml") == {"a": "inf", "b": "nan"}


@pytest.mark.parametrize("file", ["params.yaml", "p.toml"])
def test_an_empty_file_has_no_parameters(file: str) -> None:
    assert read(b"", file) == {}


@pytest.mark.parametrize(
    ("data", "file", "complaint"),
    [
        (b"a = 1", "params.py", "are read from"),
        (b"a = 1", "params", "are read from"),
        (b"a = 1", "dir.toml/params", "are read from"),
        (b"- 1\n", "params.yaml", "must be a mapping"),
        (b"[1]", "params.json", "must be a mapping"),
        (b"a = ", "params.toml", "not valid TOML"),
        (b"a = " + b"[" * 5000, "params.toml", "not valid TOML"),
        (b"a = " + b"9" * 5000, "params.toml", "not valid TOML"),
        (b"a: *b", "params.yaml", "anchors"),
        (b"\xff", "params.toml", "not UTF-8"),
    ],
)
def test_a_broken_file_is_refused(data: bytes, file: str, complaint: str) -> None:
    with pytest.raises(BadRecord, match=complaint):
        read(data, file)


def test_keys_choose_values_by_their_dotted_names() -> None:
    values = read(YAML, "params.yaml")
    assert select(values, ["train.lr"]) == {"train.lr": 0.001}
    assert select(values, ["train.nested", "train.layers.1"]) == {
        "train.nested.depth": 3,
        "train.nested.flag": "yes",
        "train.layers.1": 32,
    }
    assert select(values)["prepare.size"] == 8
    assert select({"a.b": 1, "a": {"c.d": 2}}, ["a.b", "a.c.d"]) == {"a.b": 1, "a.c.d": 2}


@pytest.mark.parametrize(
    "key", ["trian", "train.lr.x", "train.layers.2", "train.layers.-1", "train.", "", "."]
)
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(BadRecord, match="no parameter"):
        select(read(YAML, "params.yaml"), [key], "params.yaml")


def test_two_values_under_one_dotted_key_are_refused() -> None:
    with pytest.raises(BadRecord, match="two values"):
        select({"a.b": 1, "a": {"b": 2}})


@pytest.mark.parametrize(
    ("file", "text", "setting", "before", "after"),
    [
        ("p.yaml", YAML, "train.lr=0.1", b"lr: 1e-3  ", b"lr: 0.1  "),
        ("p.yaml", YAML, "train.lr=1e-5", b"lr: 1e-3  ", b"lr: 1.0e-05  "),
        ("p.yaml", YAML, "prepare.size=16", b"size:    8", b"size:    16"),
        ("p.yaml", YAML, "train.layers.1=128", b"[64, 32]", b"[64, 128]"),
        ("p.yaml", YAML, "train.layers=[1]", b"[64, 32]", b"[1]"),
        ("p.yaml", YAML, "train.odd key=yes", b"'text'", b'"yes"'),
        ("p.yaml", YAML, "train.nested.flag=true", b"flag: yes", b"flag: true"),
        ("p.yaml", YAML, "train.nested.flag=", b"flag: yes", b"flag: null"),
        ("p.json", JSON, "train.lr=0.1", b"0.001", b"0.1"),
        ("p.json", JSON, "train.layers.1.size=[1, a]", b"32", b'[1, "a"]'),
        ("p.json", JSON, "name=it's=fine", b'"caf\\u00e9"', b'"it\'s=fine"'),
        ("p.toml", TOML, "train.lr=0.1", b"lr = 1e-3 ", b"lr = 0.1 "),
        ("p.toml", TOML, "name=new", b'"a # b"', b'"new"'),
        ("p.toml", TOML, "train.odd key=1", b"'text'", b"1"),
        ("p.toml", TOML, "train.deep.a.b=false", b"true", b"false"),
        ("p.toml", TOML, "train.layers=[1, 2.5]", b"[64, 32]", b"[1, 2.5]"),
    ],
)
def test_an_override_changes_one_value_and_no_other_byte(
    file: str, text: bytes, setting: str, before: bytes, after: bytes
) -> None:
    assert text.count(before) == 1
    assert override(text, file, setting) == text.replace(before, after)


@pytest.mark.parametrize(
    ("file", "text", "setting", "complaint"),
    [
        ("p.yaml", YAML, "train.rate=1", "no parameter `train.rate`"),
        ("p.yaml", YAML, "train.lr", "not a setting"),
        ("p.yaml", YAML, "=1", "not a setting"),
        ("p.yaml", YAML, "train=1", "can't be changed in place"),
        ("p.toml", TOML, "train.lr=", "can't be changed in place"),
        ("p.toml", TOML, "list.0.lr=6", "can't be changed in place"),
        ("p.toml", b'x = """\na = 1\n"""\na.b = {c = 1}\n', "a.b.c=2", "can't be changed in place"),
    ],
)
def test_what_cannot_be_overridden_is_refused_and_said_why(
    file: str, text: bytes, setting: str, complaint: str
) -> None:
    with pytest.raises(Refused, match=complaint):
        override(text, file, setting)


def test_a_line_inside_a_longer_text_is_never_taken_for_a_setting() -> None:
    text = b'doc = """\nlr = 1\n"""\nlr = 2\n'
    with pytest.raises(Refused):
        override(text, "p.toml", "lr=3")


@relaxed
@given(plains, plains)
def test_any_value_can_be_overridden_by_any_other(old, new) -> None:
    text = f"# a\nx:\n  key: {scalar(old)}   # why\n  other: 1\n".encode()
    changed = override(text, "p.yaml", f"x.key={scalar(new)}")
    assert read(changed, "p.yaml") == {"x": {"key": new, "other": 1}}
    assert changed.startswith(b"# a\nx:\n  key: ")
    assert changed.endswith(b"   # why\n  other: 1\n")


@relaxed
@given(st.dictionaries(words, plains, min_size=1, max_size=3))
def test_whole_files_are_chosen_leaf_by_leaf(values) -> None:
    try:
        flat = select(values)
    except BadRecord:
        reject()
    for key in flat:
        assert select(values, [key])[key] == flat[key]


@relaxed
@given(st.sampled_from((YAML, JSON, TOML)), st.sampled_from(("p.yaml", "p.json", "p.toml")), texts)
def test_any_setting_is_applied_or_refused(text: bytes, file: str, setting: str) -> None:
    with suppress(BadRecord, Refused):
        override(text, file, f"train.lr={setting}")
        override(text, file, setting)
