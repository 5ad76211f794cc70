"""One thread that does slow writes in order, while the caller goes on."""

import queue
import threading
from collections.abc import Callable

Task = Callable[[], object]


class Background:
    """Runs tasks one after another; after one has failed the rest are dropped and the error comes back."""

    def __init__(self, depth: int = 8) -> None:
        self._tasks: queue.Queue[Task | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def submit(self, task: Task) -> None:
        """Queue a task; wait while the queue is full; raise the error of an earlier one."""
        self._raise()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._tasks.put(task)

    def finish(self) -> None:
        """Wait for all tasks; raise the first error."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()
            self._thread = None
        self._raise()

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
