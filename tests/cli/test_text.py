"""How values read."""

import pytest

from tallystick.cli.text import columns_that_fit, count_text, harmless, seconds_text, size_text, style, table


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10 * 1024, "10 KiB"),
        (1 << 20, "1.0 MiB"),
        (3 * (1 << 40), "3.0 TiB"),
        (1 << 70, "1048576 PiB"),
    ],
)
def test_sizes_are_written_in_binary_units(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (0.44, "0.4 s"),
        (12.3, "12 s"),
        (59.99, "60 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_written_in_the_units_people_use(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_a_number_agrees_with_its_noun() -> None:
    assert [count_text(n, "file") for n in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]
    assert count_text(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\r",
        "\b",
        "\x7f",
        "\x9b31m",
        "\u202egpj.exe",
        "\x1b[31;999999999999999m",
    ],
)
def test_what_would_steer_the_terminal_is_escaped(hostile: str) -> None:
    shown = harmless(f"name{hostile}end")
    assert shown.startswith("name\\")
    assert not set(shown) & set("\x1b\r\b\x07\x7f\x9b\u202e")


def test_our_own_colours_pass() -> None:
    assert harmless(style("bad", "bad")) == style("bad", "bad") == "\x1b[31mbad\x1b[0m"


def test_a_colour_does_not_let_its_text_steer_the_terminal() -> None:
    assert "\x1b[2J" not in style("\x1b[2J", "bad")


def test_a_table_aligns_words_to_the_left_and_numbers_to_the_right() -> None:
    rows = [("a", "1", "x"), ("long name", "1,000", "")]
    assert table(rows, ("name", "files", "note")) == [
        "name       files  note",
        "a              1  x",
        "long name  1,000",
    ]


def test_a_table_counts_the_columns_that_a_character_takes() -> None:
    first, second = table([("日本", "|"), ("é", "|"), ("e\u0301", "|")])[:2]
    assert first == "日本  |"
    assert second == "é     |"


def test_a_table_counts_no_colours() -> None:
    red, plain = table([(style("ab", "bad"), "|"), ("abcd", "|")])
    assert red == f"{style('ab', 'bad')}    |"
    assert plain == "abcd  |"


def test_a_line_end_in_a_cell_does_not_break_the_table() -> None:
    assert table([("a\nb", "c")]) == ["a\\nb  c"]


def test_an_empty_table_has_no_lines() -> None:
    assert table([]) == []


@pytest.mark.parametrize(("room", "fit"), [(0, 0), (2, 0), (3, 1), (7, 1), (8, 2), (80, 3)])
def test_as_many_columns_are_shown_as_a_line_holds(room: int, fit: int) -> None:
    assert columns_that_fit([["run", "a", "much"], ["1", "two", "x"]], room) == fit
