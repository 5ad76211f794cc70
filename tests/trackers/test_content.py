"""Names, texts and portions within the limits of MLflow's servers."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from tallystick.trackers.content import LONGEST_KEY, Metric, batches, bounded, keys_for
from tests.trackers.strict import check_key

AWKWARD = st.text("ab/.:- _é#\n", max_size=8) | st.text(min_size=245, max_size=260)


def test_names_that_mlflow_takes_stay_as_they_are() -> None:
    names = ["train.lr", "other.yaml:lr", "a/b c", "größe_1"]
    assert keys_for(names) == {name: name for name in names}


@given(st.lists(AWKWARD, unique=True, max_size=8))
@example(["", ".", "..", "/", "a/../b", "a//b", "/a", "a/", "a/.", "..a"])
@example(["a#", "a$", "a_", "a_-00000000"])
@example(["x" * 300, "x" * 301, "x" * 249 + "_"])
def test_each_name_gets_one_of_its_own_that_mlflow_takes(names: list[str]) -> None:
    keys = keys_for(names)
    assert list(keys) == names
    assert len(set(keys.values())) == len(names)
    for key in keys.values():
        check_key(key)


def test_a_name_gets_the_same_whatever_comes_after_it() -> None:
    assert keys_for(["a#", "a$"]).items() <= keys_for(["a#", "a$", "a%"]).items()
    assert len(keys_for(["y" * 400])["y" * 400]) == LONGEST_KEY


def test_a_text_is_cut_where_it_is_too_long_and_says_so() -> None:
    assert bounded("x" * 100, 100) == "x" * 100
    cut = bounded("x" * 7000, 6000)
    assert len(cut) == 6000
    assert cut.endswith("x… (7,000 characters)")


def test_what_a_database_can_not_hold_is_replaced() -> None:
    bounded("a\x00b\udc80c", 100).encode()
    assert bounded("a\x00b\udc80c", 100) == "a\ufffdb\ufffdc"


@given(st.lists(st.text(max_size=40), max_size=30), st.integers(1, 5), st.integers(60, 200))
def test_portions_hold_all_in_order_and_fit(items: list[str], most: int, room: int) -> None:
    portions = list(batches(items, most, room))
    assert [item for portion in portions for item in portion] == items
    for portion in portions:
        assert 0 < len(portion) <= most
        assert len(portion) == 1 or len(json.dumps(portion, ensure_ascii=False).encode()) <= room


def test_numbers_that_json_lacks_are_words() -> None:
    values = [Metric("m", value, 1, 2).told()["value"] for value in (0.5, float("nan"), float("-inf"))]
    assert values == [0.5, "NaN", "-Infinity"]
