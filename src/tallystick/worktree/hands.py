"""A few threads that create files side by side: most of that time is the file system's."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Task = Callable[[], object]

THREADS = 2
"""More gain nothing: they wait for each other's folders."""


class Hands:
    """Runs tasks in any order; after one has failed the rest are dropped and the error comes back."""

    def __init__(self, threads: int = THREADS) -> None:
        self._tasks: queue.Queue[Task | None] = queue.Queue(2 * threads)
        self._wanted = threads
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if error is None:
            self._raise()

    def give(self, task: Task) -> None:
        """Have a task done; wait while all are busy; raise the error of an earlier one."""
        self._raise()
        if len(self._threads) < self._wanted:
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._tasks.put(task)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if self._error is None:
                try:
                    task()
                except BaseException as error:
                    self._error = error
