"""Asks a remote as often as it likes: fewer requests at a time when it is busy, more again when it isn't."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tallystick.digest import Buffer
from tallystick.errors import RemoteBusy
from tallystick.store.backend import Backend

R = TypeVar("R")

MOST = 64
"""Requests that are under way at most."""

_TRIES = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 15.0
"""Seconds."""


class Pace:
    """How many requests may be under way."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._allowed = float(most)
        self._under_way = 0
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many requests may be under way now."""
        return max(1, int(self._allowed))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < self.allowed)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify()

    def slower(self) -> None:
        """The remote is busy: half of what is under way is enough."""
        with self._changed:
            self._allowed = max(1.0, min(self._allowed, self._under_way) / 2)

    def faster(self) -> None:
        """The remote has answered: after as many answers as requests are allowed, one more is."""
        with self._changed:
            self._allowed = min(self._most, self._allowed + 1 / self._allowed)
            self._changed.notify()


class Paced(Backend):
    """A backend that waits and asks again where the remote says that it is busy."""

    def __init__(self, inner: Backend, pace: Pace | None = None) -> None:
        self.inner = inner
        self.url = inner.url
        self.pace = pace or Pace()

    def create(self) -> None:
        """As the inner one."""
        self._asked(self.inner.create)

    def put_new(self, name: str, data: Buffer) -> bool:
        """As the inner one; False also where an attempt that was refused has left the file."""
        return self._asked(lambda: self.inner.put_new(name, data))

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """As the inner one."""
        return self._asked(lambda: self.inner.get(name, start, end))

    def size(self, name: str) -> int | None:
        """As the inner one."""
        return self._asked(lambda: self.inner.size(name))

    def listing(self, prefix: str) -> dict[str, int]:
        """As the inner one."""
        return self._asked(lambda: self.inner.listing(prefix))

    def delete(self, name: str) -> None:
        """As the inner one."""
        self._asked(lambda: self.inner.delete(name))

    def _asked(self, call: Callable[[], R]) -> R:
        wait = _FIRST_WAIT
        for left in reversed(range(_TRIES)):
            with self.pace.turn():
                try:
                    answer = call()
                except RemoteBusy:
                    self.pace.slower()
                    if not left:
                        raise
                else:
                    self.pace.faster()
                    return answer
            # Not all at the same time again.
            time.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            wait = min(2 * wait, _LONGEST_WAIT)
        raise AssertionError("the last try returns or raises")
