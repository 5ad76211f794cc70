"""Side by side, yet in order."""

import threading
import time
from collections.abc import Iterator

import pytest

from tallystick.store.background import Background
from tallystick.store.parallel import ordered


@pytest.mark.parametrize("jobs", [1, 2, 8, 100])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    def slow_if_even(number: int) -> int:
        time.sleep(0.003 if number % 2 == 0 else 0)
        return number * 2

    assert list(ordered(slow_if_even, range(40), jobs)) == [number * 2 for number in range(40)]
    assert list(ordered(slow_if_even, [], jobs)) == []


def test_no_more_than_so_many_run_and_are_drawn_ahead() -> None:
    running, most, drawn = 0, 0, 0
    guard = threading.Lock()

    def items() -> Iterator[int]:
        nonlocal drawn
        for number in range(30):
            drawn += 1
            yield number

    def work(number: int) -> int:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with guard:
            running -= 1
        return number

    for taken, _ in enumerate(ordered(work, items(), 3), 1):
        assert drawn <= taken + 3
    assert 1 <= most <= 3


def test_a_failure_arrives_where_its_result_would_have_and_stops_the_rest() -> None:
    begun = []

    def fail_at_five(number: int) -> int:
        begun.append(number)
        if number == 5:
            raise ValueError("five")
        return number

    got = []
    with pytest.raises(ValueError, match="five"):
        got.extend(iter(ordered(fail_at_five, range(1000), 2)))
    time.sleep(0.05)
    assert len(begun) < 20


def test_a_failure_while_drawing_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(ordered(lambda number: number, items(), 4))


def test_tasks_in_the_background_keep_their_order() -> None:
    done: list[int] = []
    background = Background(depth=2)
    for number in range(50):
        background.submit(lambda number=number: done.append(number))
    background.finish()
    assert done == list(range(50))
    background.finish()


def test_an_error_in_the_background_comes_back_and_drops_what_follows() -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("the disk is broken")

    background = Background()
    background.submit(fail)
    with pytest.raises(ValueError, match="broken"):
        for _ in range(1000):
            background.submit(lambda: done.append("after"))
            time.sleep(0.001)
    with pytest.raises(ValueError, match="broken"):
        background.finish()
    assert done == []
