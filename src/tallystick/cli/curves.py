"""Curves as text: fine dots for one, letters for several over each other."""

from collections.abc import Callable, Iterator, Sequence

from tallystick.cli.axes import Axis, can_be_drawn, tick_text

WIDTH = 66
HEIGHT = 12
MARGIN = 11
"""Columns for the numbers beside the upright axis."""

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The dots of a braille letter, row by row."""

_BLANK = 0x2800

Points = Sequence[tuple[float, float]]


def chart_lines(curves: Sequence[Points], marks: Sequence[str], x: str, *, braille: bool) -> Iterator[str]:
    """Draw curves over each other; `marks` are their letters, and `x` is what they are drawn over."""
    across = Axis.of(point[0] for curve in curves for point in curve)
    upright = Axis.of(point[1] for curve in curves for point in curve)
    fine = braille and len(curves) == 1
    if fine:
        rows = _braille(curves[0], across, upright)
    else:
        rows = _letters(curves, marks if len(curves) > 1 else "*", across, upright)
    corner, line, bar = ("└", "─", "│") if braille else ("+", "-", "|")
    beside = {0: upright.high, (HEIGHT - 1) // 2: (upright.low + upright.high) / 2, HEIGHT - 1: upright.low}
    for number, row in enumerate(rows):
        label = tick_text(beside[number]) if number in beside else ""
        yield f"{label:>{MARGIN}} {bar}{row}".rstrip()
    yield f"{'':>{MARGIN}} {corner}{line * WIDTH}"
    yield f"{'':>{MARGIN}}  {_below(across, x)}"


def _below(across: Axis, x: str) -> str:
    """The ends of the level axis with its name between them."""
    first, last = tick_text(across.low), tick_text(across.high)
    room = WIDTH - len(first) - len(last)
    return f"{first}{x[: room - 2]:^{room}}{last}"


def _braille(curve: Points, across: Axis, upright: Axis) -> list[str]:
    cells = [[0] * WIDTH for _ in range(HEIGHT)]

    def dot(column: int, row: int) -> None:
        cells[row // 4][column // 2] |= _DOTS[row % 4][column % 2]

    _draw(curve, across, upright, WIDTH * 2, HEIGHT * 4, dot)
    return ["".join(chr(_BLANK + bits) if bits else " " for bits in row) for row in cells]


def _letters(curves: Sequence[Points], marks: Sequence[str], across: Axis, upright: Axis) -> list[str]:
    """A letter for each curve; where several meet they take turns."""
    cells: list[list[dict[str, None]]] = [[{} for _ in range(WIDTH)] for _ in range(HEIGHT)]

    for curve, mark in zip(curves, marks, strict=True):

        def letter(column: int, row: int, mark: str = mark) -> None:
            cells[row][column][mark] = None

        _draw(curve, across, upright, WIDTH, HEIGHT, letter)
    return ["".join(_turn(list(met), column) for column, met in enumerate(row)) for row in cells]


def _turn(met: list[str], column: int) -> str:
    return met[column % len(met)] if met else " "


def _draw(
    curve: Points, across: Axis, upright: Axis, width: int, height: int, put: Callable[[int, int], None]
) -> None:
    """Join each point with the next; what can't be drawn is a gap."""
    before: tuple[int, int] | None = None
    for x, y in curve:
        if not (can_be_drawn(x) and can_be_drawn(y)):
            before = None
            continue
        here = round(across.place(x) * (width - 1)), round((1 - upright.place(y)) * (height - 1))
        for column, row in _between(before or here, here):
            put(column, row)
        before = here


def _between(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The cells of a straight line."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    for step in range(steps + 1):
        share = step / steps if steps else 0.0
        yield round(start[0] + (end[0] - start[0]) * share), round(start[1] + (end[1] - start[1]) * share)
