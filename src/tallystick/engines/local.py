"""Several pieces of work at once, on this machine."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from threading import Event
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def each(
    work: Callable[[Task, Event], Result], tasks: Sequence[Task], jobs: int
) -> Generator[tuple[int, Result], None, None]:
    """Do tasks, up to `jobs` at once, each in a thread; give the number and result of each that is done.

    What `work` raises ends it all, as does Ctrl-C: nothing new begins, the event is set, by which `work` ends
    early, and once all have ended it is raised.
    """
    stop = Event()
    waiting = iter(enumerate(tasks))
    running: dict[Future[Result], int] = {}
    with ThreadPoolExecutor(jobs, thread_name_prefix="task") as pool:
        try:
            while True:
                for number, task in islice(waiting, jobs - len(running)):
                    running[pool.submit(work, task, stop)] = number
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BaseException:
            stop.set()
            raise
