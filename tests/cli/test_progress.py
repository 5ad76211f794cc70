"""What is seen of long work."""

import io
import re
import time
from collections.abc import Callable

import pytest

from tallystick.cli.progress import Lines, Shown, Terminal, Work

CLEAR = "\x1b[2K"


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


class Fast(Lines):
    """Lines that come at once."""

    first = every = 0.01


def test_a_bar_shows_files_and_bytes_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    stream = io.StringIO()
    bar = Terminal(stream)
    bar.begin("sending", files=10, size=10 << 20)
    bar.advance(5, 5 << 20)
    _until(lambda: "5 of 10 files" in stream.getvalue())
    bar.end()
    drawn = stream.getvalue()
    assert "sending" in drawn
    assert "5.0 MiB of 10 MiB" in drawn
    assert drawn.endswith(CLEAR)


def test_a_bar_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    bar = Terminal(stream)
    bar.begin("sending a very long description of work", files=1_000_000, size=1 << 40)
    _until(lambda: "sending" in stream.getvalue())
    bar.end()
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= 40


def test_work_that_is_over_at_once_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Terminal, "first", 60.0)  # however long this machine takes for it
    stream = io.StringIO()
    bar = Terminal(stream)
    bar.begin("hashing")
    bar.advance(1, 1)
    bar.end()
    assert stream.getvalue() == ""


def test_a_log_gets_lines_without_control_characters() -> None:
    stream = io.StringIO()
    lines = Fast(stream)
    lines.begin("fetching", files=4)
    lines.advance(1)
    _until(lambda: "fetching: 1 of 4 files (" in stream.getvalue())
    lines.end()
    assert "\r" not in stream.getvalue()


def test_a_sentence_clears_the_bar_first() -> None:
    stream = io.StringIO()
    bar = Terminal(stream)
    bar.begin("fetching")
    _until(lambda: "fetching" in stream.getvalue())
    bar.say("trying the next remote")
    assert f"{CLEAR}trying the next remote\n" in stream.getvalue()
    bar.end()


def test_a_new_piece_of_work_ends_the_former() -> None:
    stream = io.StringIO()
    lines = Fast(stream)
    lines.begin("first")
    lines.begin("second")
    _until(lambda: "second" in stream.getvalue())
    lines.end()
    assert stream.getvalue().rstrip().split("\n")[-1].startswith("second")


def test_a_closed_stream_does_not_end_the_work() -> None:
    stream = io.StringIO()
    shown: Shown = Fast(stream)
    stream.close()
    shown.begin("hashing")
    shown.say("still here")
    shown.end()


def test_the_time_left_follows_from_the_bytes_done() -> None:
    work = Work("x", size=100, done_size=25, started=0.0)
    assert work.share == 0.25
    assert work.numbers(10.0).endswith("30 s left")


def test_work_of_unknown_size_has_no_share() -> None:
    assert Work("x", done_files=3).share is None


def test_numbers_fit_a_narrow_terminal_and_count_one_as_one() -> None:
    work = Work("placing", files=20_000, size=78 << 20, done_files=1500, done_size=6 << 20, started=0.0)
    assert work.numbers(1.0) == "1,500 of 20,000 files (1,500/s), 6.0 MiB of 78 MiB (6.0 MiB/s), 12 s left"
    assert work.numbers(1.0, short=True) == "1,500 files (1,500/s), 6.0 MiB of 78 MiB (6.0 MiB/s), 12 s left"
    assert Work("placing", files=1, started=0.0).numbers(1.0) == "0 of 1 file (0/s)"
