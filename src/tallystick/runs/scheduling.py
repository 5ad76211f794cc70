"""In which order stages run: one after the other, or several at once, each after those it needs."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import field
from threading import Event, Lock
from typing import Generic, TypeVar

from tallystick.errors import TallyError
from tallystick.frozen import dataclass
from tallystick.runs.pipelines import Step

Result = TypeVar("Result")

LONGEST_LINE = 1 << 16
"""Bytes of a line that are held back until its end comes."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A stage that did not succeed, and why."""

    address: str
    error: TallyError


@dataclass(frozen=True, slots=True)
class Skipped:
    """A stage that was not begun, because of another that failed."""

    address: str
    because: str


@dataclass(frozen=True, slots=True)
class Course(Generic[Result]):
    """What is under way: stages that are done, have failed, or are left out for one that has."""

    steps: Sequence[Step]
    needs: Mapping[str, Sequence[str]]
    keep_going: bool = False
    done: dict[str, Result] = field(default_factory=dict)
    failed: dict[str, Failed] = field(default_factory=dict)
    skipped: dict[str, Skipped] = field(default_factory=dict)

    def outcomes(self) -> list[Result | Failed | Skipped]:
        """What became of each stage, in their order; what was never begun is left out."""
        found: dict[str, Result | Failed | Skipped] = {**self.done, **self.failed, **self.skipped}
        return [found[step.address] for step in self.steps if step.address in found]

    def fail(self, step: Step, error: TallyError) -> None:
        """Note a failure; unless the others shall go on, it is the end."""
        if not self.keep_going:
            raise error
        self.failed[step.address] = Failed(step.address, error)

    def skips(self, step: Step) -> bool:
        """Leave a stage out if one that it needs did not succeed; say whether."""
        for need in self.needs[step.address]:
            cause = need if need in self.failed else None
            if need in self.skipped:
                cause = self.skipped[need].because
            if cause is not None:
                self.skipped[step.address] = Skipped(step.address, cause)
                return True
        return False


def one_by_one(course: Course[Result], work: Callable[[Step], Result]) -> None:
    """Do each stage in order; raises the first failure, unless the others shall go on."""
    for step in course.steps:
        if not course.skips(step):
            try:
                course.done[step.address] = work(step)
            except TallyError as error:
                course.fail(step, error)


def side_by_side(course: Course[Result], work: Callable[[Step], Result], *, jobs: int, stop: Event) -> None:
    """Do up to `jobs` stages at once, each in a thread, as soon as those it needs are done.

    A failure begins nothing new and waits for those that run, then is raised, unless the others shall go on.
    Ctrl-C sets `stop`, by which `work` ends early, and is raised once all have.
    """
    waiting = list(course.steps)
    running: dict[Future[Result], Step] = {}
    failure: TallyError | None = None
    with ThreadPoolExecutor(jobs, thread_name_prefix="stage") as pool:
        try:
            while waiting or running:
                for step in _ready(course, waiting, running, jobs):
                    running[pool.submit(work, step)] = step
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    try:
                        _settle(course, running.pop(future), future)
                    except TallyError as error:
                        failure = failure or error
                        waiting.clear()
        except BaseException:
            stop.set()
            raise
    if failure is not None:
        raise failure


def _ready(
    course: Course[Result], waiting: list[Step], running: Mapping[Future[Result], Step], jobs: int
) -> list[Step]:
    """Take out of `waiting` what may begin now, and what can't any more."""
    unfinished = {step.address for step in (*waiting, *running.values())}
    ready: list[Step] = []
    for step in list(waiting):
        if course.skips(step):
            waiting.remove(step)
            unfinished.discard(step.address)
        elif len(running) + len(ready) < jobs and unfinished.isdisjoint(course.needs[step.address]):
            waiting.remove(step)
            ready.append(step)
    return ready


def _settle(course: Course[Result], step: Step, future: Future[Result]) -> None:
    try:
        course.done[step.address] = future.result()
    except TallyError as error:
        course.fail(step, error)


class Prefixed:
    """The output of one of several stages: whole lines, each with the stage's name before it."""

    def __init__(self, name: str, output: Callable[[bytes], None], lock: Lock) -> None:
        self._prefix = f"{name} | ".encode()
        self._output = output
        self._lock = lock
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        """Hand on the lines that are complete."""
        whole, end, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        if end:
            self._write(whole.split(b"\n"))
        if len(self._rest) > LONGEST_LINE:
            self.close()

    def close(self) -> None:
        """Hand on what is left."""
        if self._rest:
            self._write([self._rest])
            self._rest = b""

    def _write(self, lines: Sequence[bytes]) -> None:
        # A progress bar draws over its line with carriage returns: only what stands in the end is shown.
        shown = (line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines)
        with self._lock:
            self._output(b"".join(self._prefix + line + b"\n" for line in shown))
