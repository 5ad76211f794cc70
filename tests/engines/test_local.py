"""Several tasks at once, in threads."""

from threading import Barrier, Event

import pytest

from tallystick.engines.local import each
from tallystick.errors import Refused


def test_as_many_tasks_as_allowed_are_under_way_at_once() -> None:
    meeting = Barrier(3, timeout=60)

    def meet(task: int, _stop: Event) -> int:
        meeting.wait()
        return task * 2

    assert sorted(each(meet, range(6), 3)) == [(number, number * 2) for number in range(6)]


def test_a_task_that_raises_stops_the_others_and_is_raised_once_all_have_ended() -> None:
    begun: list[int] = []

    def work(task: int, stop: Event) -> None:
        begun.append(task)
        if task == 0:
            raise Refused("no")
        assert stop.wait(60)

    with pytest.raises(Refused):
        list(each(work, range(10), 2))
    assert sorted(begun) == [0, 1]


def test_who_stops_listening_stops_the_tasks() -> None:
    stopped: list[int] = []

    def work(task: int, stop: Event) -> int:
        if task and stop.wait(60):
            stopped.append(task)
        return task

    results = each(work, range(2), 2)
    assert next(results) == (0, 0)
    results.close()
    assert stopped == [1]
