"""Do slow things side by side, and take the results in order."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Call(Generic[T, R]):
    """One call, made by a worker and awaited by the caller."""

    __slots__ = ("_argument", "_done", "_error", "_result")

    def __init__(self, argument: T) -> None:
        self._argument = [argument]
        self._done = threading.Event()
        self._result: list[R] = []
        self._error: BaseException | None = None

    def make(self, function: Callable[[T], R]) -> None:
        """Run on a worker's thread."""
        try:
            # Let go of it with the call: it may be a pack, and the result has to wait for its turn.
            self._result.append(function(self._argument.pop()))
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def result(self) -> R:
        """Wait for the result; raise what the call raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result.pop()


def ordered(function: Callable[[T], R], items: Iterable[T], jobs: int) -> Iterator[R]:
    """Map with `jobs` threads; the taker of the results draws the items, at most `jobs` ahead."""
    tasks: queue.SimpleQueue[_Call[T, R] | None] = queue.SimpleQueue()
    threads: list[threading.Thread] = []
    waiting: deque[_Call[T, R]] = deque()
    try:
        for item in items:
            call: _Call[T, R] = _Call(item)
            waiting.append(call)
            tasks.put(call)
            if len(threads) < jobs:
                threads.append(_start(function, tasks))
            if len(waiting) > jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # What nobody waits for any more is not begun; what is under way ends by itself.
        while not tasks.empty():
            tasks.get()
        for _ in threads:
            tasks.put(None)


def _start(function: Callable[[T], R], tasks: "queue.SimpleQueue[_Call[T, R] | None]") -> threading.Thread:
    def work() -> None:
        while (call := tasks.get()) is not None:
            call.make(function)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
