"""Tests of patterns that are compiled when they are used."""

import re

import pytest

from tallystick.patterns import regex


def test_a_pattern_does_what_a_compiled_one_does() -> None:
    late, early = regex(r"(a)(?P<b>b)?", re.IGNORECASE), re.compile(r"(a)(?P<b>b)?", re.IGNORECASE)
    for text in ("ab", "A", "xab", ""):
        assert (late.match(text) is None) == (early.match(text) is None)
        assert late.findall(text) == early.findall(text)
    assert (late.sub("-", "xAb"), late.pattern, late.flags) == ("x-", early.pattern, early.flags)
    assert regex(rb"\d+").fullmatch(b"12") is not None


def test_a_pattern_is_compiled_once_it_is_used() -> None:
    late = regex("(")
    with pytest.raises(re.error):
        late.match("a")
