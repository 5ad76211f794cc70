"""How results become text and JSON."""

import io
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tallystick.cli.context import Context
from tallystick.cli.render import print_lines, report, say, show, to_json
from tallystick.cli.text import style
from tallystick.digest import Digest

DIGEST = Digest.of(b"")


@dataclass(frozen=True, slots=True)
class Part:
    path: bytes
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    parts: tuple[Part, ...]
    metrics: Mapping[str, float]


class Pair(NamedTuple):
    left: int
    right: Path


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (DIGEST, str(DIGEST)),
        (b"caf\xc3\xa9", "café"),
        (b"a\nb\xff", "a%0Ab%FF"),
        (Path("a/b"), "a/b"),
        (Pair(1, Path("x")), {"left": 1, "right": "x"}),
        ({DIGEST: (1, 2)}, {str(DIGEST): [1, 2]}),
        (frozenset("ba"), ["a", "b"]),
        (1.5, 1.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (True, True),
        (None, None),
        (
            Result("r", (Part(b"p", None),), {"loss": 0.5}),
            {"name": "r", "parts": [{"path": "p", "digest": None}], "metrics": {"loss": 0.5}},
        ),
    ],
)
def test_a_result_becomes_plain_values(value: object, plain: object) -> None:
    assert to_json(value) == plain
    assert json.loads(json.dumps(to_json(value), allow_nan=False)) == plain


def test_the_same_result_is_shown_as_text_or_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    show(Context(), {"a": 1}, lambda result: [f"a is {result['a']}"])
    assert capsys.readouterr().out == "a is 1\n"
    show(Context(json=True), {"a": 1}, lambda _result: ["text"])
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_quiet_leaves_out_what_was_done_but_not_what_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    quiet = Context(quiet=True)
    report(quiet, None, lambda _result: ["done"])
    say(quiet, "by the way")
    show(quiet, None, lambda _result: ["answer"])
    assert capsys.readouterr() == ("answer\n", "")
    report(Context(quiet=True, json=True), 1, lambda _result: [])
    assert capsys.readouterr().out == "1\n"


def test_a_name_that_is_not_utf8_survives_json(capsys: pytest.CaptureFixture[str]) -> None:
    show(Context(json=True), {"name": "caf\udce9"}, lambda _result: [])
    assert json.loads(capsys.readouterr().out) == {"name": "caf\udce9"}


def test_a_stream_that_is_not_utf8_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    print_lines(["é \udcff"], stream)
    monkeypatch.setattr(sys, "stdout", stream)
    show(Context(json=True), "é", lambda _result: [])
    stream.flush()
    assert _bytes(stream) == b'\\xe9 \\udcff\n"\\u00e9"\n'


def _bytes(stream: Any) -> bytes:
    return bytes(stream.buffer.getvalue())


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    line = style("gone", "bad")
    plain, terminal, unwanted = io.StringIO(), Terminal(), Terminal()
    print_lines([line], plain)
    print_lines([line], terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    print_lines([line], unwanted)
    assert plain.getvalue() == unwanted.getvalue() == "gone\n"
    assert terminal.getvalue() == "\x1b[31mgone\x1b[0m\n"


def test_a_name_with_a_line_end_makes_no_second_line() -> None:
    stream = io.StringIO()
    print_lines(["deleted a\nmodified b"], stream)
    assert stream.getvalue() == "deleted a\\nmodified b\n"
