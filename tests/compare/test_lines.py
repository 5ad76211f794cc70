"""Texts beside each other."""

import pytest

from tests.compare.files import between, found


def test_a_text_says_how_many_lines_differ_and_shows_the_first() -> None:
    told = found("log.txt", b"a\nb\nc\nd\n", b"a\nx\nc\ny\n")
    (one,) = told.differences
    assert (told.kind, one.name, one.expected, one.actual, one.where) == ("text", "lines", "b", "x", "line 2")
    assert (one.differing, one.values) == (2, 4)


def test_lines_that_came_and_went_are_counted() -> None:
    first, count = between("log", b"a\nb\n", b"a\nnew\nb\nnewer\n")
    assert (first.expected, first.actual, first.where) == ("b", "new", "line 2")
    assert (count.name, count.expected, count.actual) == ("number of lines", "2", "4: 0 gone, 2 new")


@pytest.mark.parametrize("new", [b"a\r\nb\r\n", b"a\nb", b"a\r\nb"])
def test_how_lines_end_is_layout(new: bytes) -> None:
    assert found("a.txt", b"a\nb\n", new).only == "layout"


def test_a_long_line_is_shortened() -> None:
    (told,) = between("a.txt", b"x" * 500, b"y" * 500)
    assert len(str(told.expected)) == 60


@pytest.mark.parametrize("data", [b"a\0", b"\xff\xfe", b"\x80"])
def test_what_is_no_text_is_bytes(data: bytes) -> None:
    assert found("a.txt", b"a", data).kind == "bytes"


def test_the_first_byte_that_differs_is_found() -> None:
    old = bytes(3_000_000)
    new = bytearray(old)
    new[2_000_000] = new[2_500_000] = 1
    (told,) = between("a.bin", old, bytes(new))
    assert told.actual == "2 of 3,000,000 bytes differ, the first at 2000000"


def test_one_file_may_end_before_the_other() -> None:
    assert between("a.bin", b"\0ab", b"\0a")[0].actual == "1 of 3 bytes differ, the first at 2"
