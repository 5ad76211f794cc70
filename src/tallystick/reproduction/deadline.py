"""Bound how long a command may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Timer


@contextmanager
def deadline(seconds: float | None) -> Iterator[Event | None]:
    """An event that is set once the time is over; None without a limit."""
    if seconds is None:
        yield None
        return
    stop = Event()
    timer = Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
