"""Plain YAML is read without PyYAML, and means the same."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import BadRecord
from tallystick.records import yamlplain
from tallystick.records.syntax import plain
from tallystick.records.yamltree import DEEPEST, parse_tree
from tests.records.strategies import relaxed

PIPELINE = """\
# A pipeline as people write them.
vars:
- common.yaml
stages:
  prepare:
    cmd: python src/prepare.py --from s3://bucket/raw  # not the clean one
    deps: [src/prepare.py, data/raw]
    outs:
    - data/prepared
    - data/log.txt: {cache: false}
    seed: 42

  train@1:
    cmd:
      - python
      - -1
    wdir: .
    params:
      - lr
      - other.yaml:
          - a.b
    frozen: true
    meta: {}
    desc: 'single: "quoted" # no comment'
    tolerance:
      m.json:
        loss: 1e-3
        rate: -.5
    plots:
params: []
"""


def with_lines(value: Any) -> Any:
    """A value with the types and lines of all its parts."""
    if isinstance(value, dict):
        return [(key, value.lines[key], with_lines(item)) for key, item in value.items()]  # type: ignore[attr-defined]
    if isinstance(value, list):
        return list(zip(value.lines, map(with_lines, value), strict=True))  # type: ignore[attr-defined]
    return type(value), value


def by_pyyaml(text: str) -> Any:
    node = parse_tree(text)
    return None if node is None else with_lines(plain(node))


def test_a_pipeline_as_people_write_it_is_plain_and_means_what_pyyaml_says() -> None:
    found = yamlplain.read(PIPELINE)
    assert found is not None
    assert with_lines(found) == by_pyyaml(PIPELINE)
    assert found["stages"]["train@1"]["cmd"] == ["python", -1]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1", "a: *x", "a: !x 1", "<<: 1", "? a\n: 1", "a: 1\na: 2", "a: {b: 1, b: 2}", "- a", "a", "",
        "a: |\n  text", "a: >\n  text", "a: x\n  y", "a:\n  x\n  y", "a: 'x\n  y'", "a: 'it''s'",
        "a: \"\\n\"", "a: 1\n b: 2", "a:\n  b: 1\n c: 2", "a:\n - 1\n  - 2", "- a: 1\n b: 2", "a: b: c",
        "a: b:", "a: x:\n",
        "a: [1, [2]]", "a: [1,]", "a: {b}", "a: 1\n---\nb: 2", "---\na: 1", "a:\tb", "a: 1\r\nb: 2", "a: x#y",
        "a: x\u2028b: 1", "a: x\x85b: 1", "\ufeffa: 1", "a: \x07", "a: @x", "a: %x", "a: `x", "a: - x",
        "a: -", "a:\n  - x\n  b: 1", "a:\n  b: 1\n  - x", "a: [x: 1]", "a: ]", "a: }", "a: ,x",
        "a: ? x",
        "a:\n-\n  b", "x" * 300 + ": 1", "a: ~", "a: =", "é: 1",
    ],
)  # fmt: skip
def test_what_is_unusual_or_wrong_is_left_to_pyyaml(text: str) -> None:
    assert yamlplain.read(text) is None


def test_what_is_nested_too_deeply_is_left_to_pyyaml() -> None:
    for depth in range(DEEPEST - 4, DEEPEST + 4):
        text = "".join(f"{' ' * level}a:\n" for level in range(depth)) + " " * depth + "a: [b]\n"
        found = yamlplain.read(text)
        if found is None:
            continue
        assert with_lines(found) == by_pyyaml(text)
    assert found is None


PIECES = st.sampled_from(
    [
        "a", "b", "c", "key", ": ", ":", " ", "  ", "    ", "- ", "-", "\n", "\n", "\n  ", "\n    ", "\n- ",
        "\n  - ", "a: ", "b:\n", "1", "-1", "1e3", ".5", "true", "null", "~", "[", "]", "[a, b]", "[]", "{",
        "}", "{a: 1}", "{}", ", ", ",", "'x'", '"x y"', "'", '"', "#", " # note", "${a}", "$",
        "a/b.csv", "x:y",
        "(x)", "+", "*", "&", "!", "|", ">", "%", "@", "é", "\u3042", "...", "---", "?", "=", "\\",
    ]
)  # fmt: skip


@relaxed
@given(st.lists(PIECES, max_size=25).map("".join))
def test_whatever_is_read_here_pyyaml_reads_the_same(text: str) -> None:
    found = yamlplain.read(text)
    if found is not None:
        try:
            assert with_lines(found) == by_pyyaml(text)
        except BadRecord as error:
            pytest.fail(f"{text!r} is refused: {error}")


WORDS = st.sampled_from(
    ["a", "b", "1", "-2", "x y", "s3://b/c", "'q'", '"d"', "[a, 1]", "{a: b}", "p/q.csv", ""]
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Lines that are indented more or less well."""
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        indent = " " * draw(st.sampled_from([0, 0, 2, 2, 4, 6]))
        start = draw(st.sampled_from(["- ", "", "", "-   "]))
        key = draw(st.sampled_from(["", "a:", "b:", "c:", "d:"]))
        comment = draw(st.sampled_from(["", "", " # c", "  "]))
        lines.append(f"{indent}{start}{key}{' ' if key else ''}{draw(WORDS)}{comment}")
    return "\n".join(lines)


@relaxed
@given(documents())
def test_whatever_is_laid_out_like_a_pipeline_is_read_the_same(text: str) -> None:
    found = yamlplain.read(text)
    if found is not None:
        assert with_lines(found) == by_pyyaml(text)


def test_a_text_that_is_almost_plain_is_given_up_soon() -> None:
    began = time.process_time()
    assert yamlplain.read("a: " + "x " * 500_000 + "#y") is not None
    assert yamlplain.read("a: " + "x: " * 300_000) is None
    assert yamlplain.read("a: [" + "x, " * 300_000) is None
    assert yamlplain.read("a: {" + "x: y, " * 200_000) is None
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "end", ["", "    - last  # of them\n", "    - x: 1\n", "  b: 2\n", "- out\n", "    more\n", "      - x\n"]
)
def test_a_long_list_of_plain_items_means_what_pyyaml_says(end: str) -> None:
    words = [f"d/f{number}.csv" for number in range(yamlplain.MANY)] + [
        "-5",
        "1e3",
        "null",
        "yes",
        "a-",
    ]
    items = "".join(f"    - {word}\n" for word in words)
    text = f"a:\n  deps:\n    - first one\n{items}{end}"
    found = yamlplain.read(text)
    try:
        meant = by_pyyaml(text)
    except BadRecord:
        assert found is None
    else:
        assert found is None or with_lines(found) == meant
    assert (found is None) == (end in ("- out\n", "    more\n", "      - x\n"))
