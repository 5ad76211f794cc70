"""Curves on a terminal, and the axes that they share with the page."""

import math

import pytest

from tallystick.cli.axes import Axis, tick_text
from tallystick.cli.charts import chart, matrix
from tallystick.cli.curves import HEIGHT, chart_lines
from tests.cli.test_page import HOSTILE, whole

FALL = [(float(n), 1 / (n + 1)) for n in range(50)]


def lines(*curves: list[tuple[float, float]], braille: bool = True) -> list[str]:
    return list(chart_lines(curves, "abc"[: len(curves)], "step", braille=braille))


def test_one_curve_is_drawn_in_fine_dots_with_its_axes() -> None:
    found = lines(FALL)
    assert len(found) == HEIGHT + 2
    assert found[0].split("│")[0].strip() == "1"
    assert found[HEIGHT - 1].split("│")[0].strip() == "0.02"
    assert found[-1].split() == ["0", "step", "49"]
    assert any(0x2800 < ord(letter) < 0x2900 for letter in "".join(found))
    assert max(map(len, found)) <= 80


def test_several_curves_are_letters_and_none_hides_another() -> None:
    found = "\n".join(lines(FALL, FALL, [(0.0, 0.5), (49.0, 0.5)]))
    assert all(found.count(letter) > 10 for letter in "abc")


def test_without_unicode_all_is_ascii() -> None:
    assert "\n".join(lines(FALL, braille=False)).isascii()


@pytest.mark.parametrize(
    "curve",
    [
        [],
        [(0.0, 5.0)],
        [(0.0, 5.0), (1.0, 5.0)],
        [(0.0, math.nan), (1.0, math.inf), (2.0, 3.0)],
        [(0.0, -1e308), (1.0, 1e308)],
        [(0.0, 5e-324), (1.0, 0.0)],
        [(1e15, 1e15), (1e15 + 1, 1e15 + 1)],
        [(-3.0, -2.0), (-3.0, -1.0)],
    ],
)
def test_strange_numbers_are_drawn_as_far_as_they_can_be(curve: list[tuple[float, float]]) -> None:
    assert len(lines(curve)) == HEIGHT + 2
    whole(str(chart([(0, "run", curve)], "x", "y")))
    for values in zip(*curve, strict=True):
        assert len(list(Axis.of(values).ticks(6))) <= 12


def test_ticks_are_round_numbers() -> None:
    assert [tick_text(value) for value in Axis(0.013, 0.98).ticks(6)] == ["0.2", "0.4", "0.6", "0.8"]
    assert [tick_text(value) for value in Axis(-3, 7).ticks(8)] == ["-2", "0", "2", "4", "6"]


def test_pictures_hold_hostile_names_as_text() -> None:
    whole(str(chart([(0, HOSTILE, FALL), (9, HOSTILE, FALL)], HOSTILE, HOSTILE)))
    whole(str(matrix([HOSTILE], [HOSTILE], [[1.0]])))


def test_a_gap_ends_a_line_and_a_lonely_point_is_a_dot() -> None:
    curve = [(0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, 1.0)]
    outline = whole(str(chart([(0, "run", curve)], "x", "y")))
    assert outline.tags.count("polyline") == outline.tags.count("circle") == 1
