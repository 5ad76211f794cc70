"""Curves and matrices as pictures on a page, without a script."""

from collections.abc import Iterator, Sequence

from tallystick.cli.axes import Axis, can_be_drawn, tick_text
from tallystick.cli.page import Markup, tag

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 74, 14, 10, 42
COLOURS = 8
"""Colours of the page; beyond them lines are dashed."""

DASHED = COLOURS + 1
"""The look of what may lie exactly over a line of the first look: another colour, with gaps."""

STYLE = """
figure { margin: 1rem 0 2rem; } svg { width: 100%; max-width: 48rem; height: auto; display: block; }
svg text { fill: var(--faint); font: 11px system-ui, sans-serif; } .grid { stroke: var(--line); }
.curve { stroke: var(--k); fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.curve circle { fill: var(--k); } .dashed { stroke-dasharray: 6 3; } .dotted { stroke-dasharray: 2 3; }
.swatch { display: inline-block; width: 1.4em; height: .25em; margin-right: .5em; vertical-align: middle;
  background: var(--k); }
.legend { list-style: none; padding: 0; margin: .3rem 0; font-size: 13px; }
.matrix td, .matrix th { text-align: right; padding: .15rem .5rem; font-variant-numeric: tabular-nums; }
figure img { max-width: 100%; background: #fff; }
figure.image { display: inline-block; vertical-align: top; margin-right: 1.5rem; max-width: 100%; }
""" + "".join(f".k{number} {{ --k: var(--c{number}); }}\n" for number in range(COLOURS))

Points = Sequence[tuple[float, float]]


def look(number: int) -> str:
    """The classes that give the curves of one run their colour and dashes on all pictures."""
    dashes = ("", " dashed", " dotted")[number // COLOURS % 3]
    return f"k{number % COLOURS}{dashes}"


def chart(curves: Sequence[tuple[int, str, Points]], x: str, y: str) -> Markup:
    """Draw curves over each other; each is given with its run's number and its label."""
    across = Axis.of(point[0] for _, _, curve in curves for point in curve)
    upright = Axis.of(point[1] for _, _, curve in curves for point in curve)
    return tag(
        "svg",
        *_frame(across, upright, x, y),
        *(_curve(number, label, points, across, upright) for number, label, points in curves),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{y} over {x}",
    )


def matrix(rows: Sequence[str], columns: Sequence[str], numbers: Sequence[Sequence[float]]) -> Markup:
    """A table whose cells are the darker the larger their number is."""
    largest = max((abs(number) for row in numbers for number in row), default=0.0) or 1.0
    head = tag("tr", tag("th"), *(tag("th", column) for column in columns))
    body = (
        tag("tr", tag("th", name), *(_cell(number, abs(number) / largest) for number in row))
        for name, row in zip(rows, numbers, strict=True)
    )
    whole = tag("table", tag("thead", head), tag("tbody", *body), class_="matrix")
    return tag("div", whole, class_="wide")


def _cell(number: float, share: float) -> Markup:
    shade = f"background: color-mix(in srgb, var(--c0) {round(70 * share)}%, transparent)"
    return tag("td", f"{number:.6g}", style=shade)


def _level(axis: Axis, value: float) -> float:
    return round(LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT), 1)


def _height(axis: Axis, value: float) -> float:
    return round(TOP + (1 - axis.place(value)) * (HEIGHT - TOP - BOTTOM), 1)


def _frame(across: Axis, upright: Axis, x: str, y: str) -> Iterator[Markup]:
    """Lines at round numbers, with the numbers, and the names of both axes."""
    for value in upright.ticks(6):
        at = _height(upright, value)
        yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid")
        yield tag("text", tick_text(value), x=LEFT - 6, y=at + 4, text_anchor="end")
    for value in across.ticks(8):
        at = _level(across, value)
        yield tag("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, class_="grid")
        yield tag("text", tick_text(value), x=at, y=HEIGHT - BOTTOM + 16, text_anchor="middle")
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield tag("text", x[:80], x=middle, y=HEIGHT - 6, text_anchor="middle")
    half = (TOP + HEIGHT - BOTTOM) / 2
    yield tag("text", y[:40], transform=f"translate(12 {half}) rotate(-90)", text_anchor="middle")


def _curve(number: int, label: str, points: Points, across: Axis, upright: Axis) -> Markup:
    """One line for each stretch without a gap; a point that stands alone is a dot."""
    parts = []
    for stretch in _stretches(points):
        places = [(_level(across, x), _height(upright, y)) for x, y in stretch]
        if len(places) == 1:
            parts.append(tag("circle", cx=places[0][0], cy=places[0][1], r=2.5))
        else:
            parts.append(tag("polyline", points=" ".join(f"{x},{y}" for x, y in places)))
    return tag("g", tag("title", label), *parts, class_=f"curve {look(number)}")


def _stretches(points: Points) -> Iterator[list[tuple[float, float]]]:
    stretch: list[tuple[float, float]] = []
    for x, y in points:
        if can_be_drawn(x) and can_be_drawn(y):
            stretch.append((x, y))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch
