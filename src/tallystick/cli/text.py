"""How values read for people: harmless, aligned, with their units."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from tallystick.patterns import regex

COLOUR = regex(r"\x1b\[[0-9;]{1,12}m")
_STEERING = regex(r"(\x1b\[[0-9;]{1,12}m)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that steer a terminal, our own colours in a group of their own."""

_NUMBER = regex(r"([-+]?[0-9.,]+(e[-+]?\d+)?( ?[KMGTP]iB| B| s|%)?|-|)")
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
_KINDS: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "changed": {"fg": "yellow"},
    "faint": {"dim": True},
    "strong": {"bold": True},
}


def harmless(line: str) -> str:
    """Escape what would steer the terminal: names come from repositories of strangers."""
    return _STEERING.sub(lambda match: match[1] or _escape(match[0]), line)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def style(text: str, kind: str) -> str:
    """Colour a word by what it means: good, bad, changed, faint or strong."""
    return click.style(harmless(text), **_KINDS[kind])


def table(rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> list[str]:
    """Align columns two blanks apart; a column of numbers stands to the right."""
    every = [headings, *rows] if headings else rows
    shown = [[harmless(cell).replace("\n", "\\n") for cell in row] for row in every]
    columns = max(map(len, shown), default=0)
    widths = [max((_width(row[i]) for row in shown if i < len(row)), default=0) for i in range(columns)]
    right = [_is_numeric([row[i] for row in rows if i < len(row)]) for i in range(columns)]
    return [
        "  ".join(_pad(cell, widths[i], right[i]) for i, cell in enumerate(row)).rstrip() for row in shown
    ]


def fitted(
    headings: Sequence[str], rows: Sequence[Sequence[str]], fixed: int, room: int | None
) -> tuple[list[str], Sequence[str]]:
    """Align the columns that fit into a line of `room`, the first `fixed` in any case; name those left."""
    shown = len(headings) if room is None else max(fixed, columns_that_fit([headings, *rows], room))
    return table([row[:shown] for row in rows], headings[:shown]), headings[shown:]


def columns_that_fit(rows: Sequence[Sequence[str]], room: int) -> int:
    """Count the columns of a table, from the left, that `room` characters of a line hold."""
    taken = 0
    for number, column in enumerate(zip(*rows, strict=True)):
        taken += max(_width(harmless(cell)) for cell in column) + (2 if number else 0)
        if taken > room:
            return number
    return len(rows[0])


def _pad(cell: str, width: int, right: bool) -> str:
    blank = " " * (width - _width(cell))
    return blank + cell if right else cell + blank


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    visible = COLOUR.sub("", text)
    if visible.isascii():
        return len(visible)
    return sum(_columns(character) for character in visible)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _is_numeric(cells: Sequence[str]) -> bool:
    return bool(cells) and all(_NUMBER.fullmatch(cell) for cell in cells)


def size_text(size: int) -> str:
    """Write a number of bytes for people: `0 B`, `1.5 MiB`."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in _UNITS:
        value /= 1024
        if value < 1024 or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def seconds_text(seconds: float) -> str:
    """Write a duration for people: `0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def ago_text(started: str) -> str:
    """Write how long ago a receipt's moment was: `20 s ago`, `3 days ago`."""
    moment = datetime.fromisoformat(started)
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for length, one in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            return f"{count_text(seconds // length, one)} ago"
    return f"{seconds} s ago"


def total_text(count: int, one: str, size: int, moved: int, done: str, seconds: float) -> str:
    """Sum up what a command did: `Total: 2,000 files, 1.5 GiB; 12 MiB sent in 3.1 s`."""
    return (
        f"Total: {count_text(count, one)}, {size_text(size)}; "
        f"{size_text(moved)} {done} in {seconds_text(seconds)}"
    )


def count_text(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: `1 file`, `2,000 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
