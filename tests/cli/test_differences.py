"""The line that tells one difference."""

import pytest

from tallystick.cli.differences import difference_text
from tallystick.records.verdict import Difference


@pytest.mark.parametrize(
    ("difference", "line"),
    [
        (Difference("a", 0.5, 0.75, 0.25, 0.5), "a: 0.5 -> 0.75 (off by 0.25, 50%)"),
        (Difference("a", 4, 5, 1, 0.5, "1", True), "a: 4 -> 5 (off by 1, elsewhere up to 50%; allowed 1)"),
        (Difference("", "", "3 more differences", 1.0), "3 more differences (off by 1)"),
        (
            Difference("w", 1.0, 2.0, 1.0, 1.0, where="index 3, 4", differing=2, values=1000),
            "w: 1 -> 2 at index 3, 4 (2 of 1,000 differ; off by 1, 100%)",
        ),
        (
            Difference("order", "as recorded", "another", allowed="any order", within=True),
            "order: as recorded -> another (allowed any order)",
        ),
        (Difference("lines", "a", "b", where="line 2"), "lines: a -> b at line 2"),
    ],
)
def test_a_difference_says_what_where_how_many_and_how_far(difference: Difference, line: str) -> None:
    assert difference_text(difference) == line
