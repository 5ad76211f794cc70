"""A dask cluster: each piece of work is one task of dask.distributed."""

import logging
import os
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import distributed

from tallystick.engines.cluster import Site, Task, Work
from tallystick.errors import Refused, RemoteUnreachable

PATIENCE = 30.0
"""Seconds for the scheduler to answer, and for a cluster without workers to get one."""

GLANCE = 0.1
"""Seconds between two looks at what is done."""

ENDING = 20.0
"""Seconds that tasks get to end after they were asked to."""

_LOST = (CancelledError, distributed.comm.core.CommClosedError, OSError, TimeoutError, RuntimeError)
"""What it means that the scheduler doesn't answer."""


@contextmanager
def connect(place: str) -> Iterator["Dask"]:
    """A client of the scheduler at `host:port`; raise RemoteUnreachable if there is none."""
    # It would tell of each attempt to connect, with tracebacks; what matters becomes an error of ours.
    for name in ("distributed", "distributed.client", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(f"tcp://{place}", timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise RemoteUnreachable(
            f"there is no dask scheduler at `{place}`: {error}",
            hint="start one with `dask scheduler`, and workers with `dask worker <address>`",
        ) from error
    try:
        yield Dask(client, place)
    finally:
        with suppress(*_LOST):
            client.close(timeout=GLANCE * 20)


class Dask:
    """The workers of one scheduler."""

    def __init__(self, client: distributed.Client, place: str) -> None:
        self._client = client
        self._place = place
        self._seen = time.monotonic()

    def each(
        self, work: Work, tasks: Sequence[Task], heard: Callable[[int, bytes | str], None]
    ) -> Generator[tuple[int, Task], None, None]:
        """Do tasks; give the number and result of each that is done."""
        topic = f"tally-{os.urandom(8).hex()}"
        self._client.subscribe_topic(topic, lambda event: heard(*event[1]))
        pending = {
            number: self._client.submit(
                perform, work, task, number, topic, key=f"{topic}-{number}", pure=False
            )
            for number, task in enumerate(tasks)
        }
        try:
            while pending:
                for number in [number for number, future in pending.items() if future.done()]:
                    yield number, self._result(pending.pop(number))
                self._look_at_workers()
                time.sleep(GLANCE)
        finally:
            with suppress(*_LOST):
                self._end(topic, pending.values())

    def _result(self, future: distributed.Future) -> Task:
        """What a task gave; what ended it, where that is its worker."""
        try:
            if future.status == "error":
                return self._ended(future.exception())
            result: Task = future.result()
        except _LOST as error:
            raise self._gone() from error
        return result

    def _ended(self, error: BaseException) -> Task:
        """What is told of a task that ended in an error of its worker's; raise Refused if all would."""
        # What has the wrong Python, or no tallystick, can't even read the task.
        if isinstance(error, ImportError) or "deserializ" in str(error):
            raise self._unlike() from error
        if isinstance(error, distributed.KilledWorker):
            return {
                "error": "its worker died each time that it was tried",
                "hint": "does it need more memory than a worker has? `dask worker --memory-limit`",
            }
        return {
            "error": f"its worker failed: {type(error).__name__}: {error}",
            "hint": "the worker's own log says more",
        }

    def _look_at_workers(self) -> None:
        """Raise RemoteUnreachable if the scheduler is gone, or has had no worker for a while."""
        now = time.monotonic()
        if self._client.status not in ("running", "connecting"):
            raise self._gone()
        if now - self._seen < 1:
            return
        try:
            workers = self._client.nthreads()
        except _LOST as error:
            raise self._gone() from error
        if workers:
            self._seen = now
        elif now - self._seen > PATIENCE:
            raise RemoteUnreachable(
                f"the dask scheduler at `{self._place}` has no workers",
                hint=f"start one: `dask worker tcp://{self._place}`",
            )

    def _end(self, topic: str, futures: Collection[distributed.Future]) -> None:
        """Have what is not done end early, and wait for it; nobody listens any more."""
        if futures:
            distributed.Event(topic, client=self._client).set()
            deadline = time.monotonic() + ENDING
            while time.monotonic() < deadline and not all(future.done() for future in futures):
                time.sleep(GLANCE)
            self._client.cancel(list(futures), force=True)
        self._client.unsubscribe_topic(topic)

    def _gone(self) -> RemoteUnreachable:
        return RemoteUnreachable(
            f"the dask scheduler at `{self._place}` is gone",
            hint="what was done is in the ledger: the same command does the rest once it is back",
        )

    def _unlike(self) -> Refused:
        return Refused(
            f"the scheduler or a worker at `{self._place}` can't load tallystick",
            hint="install the same version there as here: `pip install 'tallystick[dask]'`",
        )


def perform(work: Work, task: Task, number: int, topic: str) -> Task:
    """Do one task in a worker: what it writes goes to the client, who can have it stopped."""
    worker = distributed.get_worker()
    stop, over = Event(), Event()
    asked = distributed.Event(topic, client=distributed.get_client())
    if asked.is_set():
        stop.set()
    watch = Thread(target=_watch, args=(asked, stop, over), daemon=True)
    watch.start()

    def tell(piece: bytes | str) -> None:
        worker.log_event(topic, (number, piece))

    # A worker's process begins in dask, not in our command line: so its environment is read here.
    site = Site(Path(worker.local_directory), dict(os.environ), tell, tell, stop)
    try:
        return work(task, site)
    finally:
        over.set()
        watch.join()


def _watch(asked: distributed.Event, stop: Event, over: Event) -> None:
    """Set `stop` when the client asks for it, or nobody is left who could."""
    while not over.wait(1):
        try:
            if asked.is_set():
                stop.set()
        except _LOST:
            stop.set()
