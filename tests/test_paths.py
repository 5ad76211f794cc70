"""The one rule for paths from records."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import BadRecord
from tallystick.paths import check_name, check_path, check_path_bytes, quote_path, unquote_path

HOSTILE = [
    "",
    "/etc/passwd",
    "../up",
    "a/../../b",
    "a//b",
    "a/",
    "./a",
    "a/.",
    ".git/hooks/post-checkout",
    ".GIT/config",
    "sub/.Git",
    ".g\u200cit/config",
    "\u2066.git/config",
    ".git. /config",
    ".git /x",
    ".git:stream",
    ".git::$INDEX_ALLOCATION/x",
    "git~1/config",
    "GIT~1",
    ".tally/x",
    "con",
    "a/NUL.txt",
    "COM1.csv",
    "a\\b",
    "a\0b",
    "x" * 256,
    "/".join(["d"] * 129),
    "/".join(["x" * 200] * 21),
]

HONEST = [
    "images",
    "data/labels.csv",
    ".gitignore",
    ".hidden/file",
    "with space/and more",
    "zürich/日本語.png",
    "2026-11-21T12:00:00.csv",
    "new\nline",
    "console/context.txt",
    "a.tally",
    "-rf",
    "a..b",
    "100%",
    "~user",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_that_could_leave_the_worktree_or_reach_git_is_refused(path: str) -> None:
    with pytest.raises(BadRecord, match="unsafe path"):
        check_path(path)


@pytest.mark.parametrize("path", HONEST)
def test_a_path_that_people_use_is_accepted(path: str) -> None:
    assert check_path(path) == path


def test_the_error_names_the_file_and_line_of_the_record() -> None:
    with pytest.raises(BadRecord, match=r"^images\.tally:3: unsafe path"):
        check_path("../x", "images.tally", 3)


def test_a_name_is_a_single_part() -> None:
    with pytest.raises(BadRecord, match="single name"):
        check_name("a/b")


@given(st.binary(max_size=300))
def test_an_accepted_path_stays_below_its_root(path: bytes) -> None:
    try:
        check_path_bytes(path)
    except BadRecord:
        return
    whole = os.path.normpath(b"/root/" + path)
    assert whole == b"/root/" + path
    assert b".git" not in whole.lower().split(b"/")


@given(st.binary(min_size=1, max_size=60))
def test_quoting_can_be_undone_and_holds_no_line_end(path: bytes) -> None:
    quoted = quote_path(path)
    assert unquote_path(quoted) == path
    assert not set(quoted) & set(range(0x20))
    quoted.decode("utf-8")


@pytest.mark.parametrize("text", [b"a%2", b"%zz", b"%41", b"a%0a", b"\xff", b"a\nb"])
def test_a_path_quoted_in_another_way_is_refused(text: bytes) -> None:
    with pytest.raises(BadRecord, match="quoted"):
        unquote_path(text)
