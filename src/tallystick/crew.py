"""Numbered tasks shared with helper processes: one Python keeps one core busy, many small files want more."""

import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tallystick.errors import TallyError
from tallystick.helping import NUMBER, every
from tallystick.process import Helper

MOST_TASKS = 4096
"""So many numbers fit into any pipe before somebody reads them."""

_MOST_PROCESSES = 4


def helpers() -> int:
    """How many processes besides this one have a core to run on."""
    return min(_cores(), _MOST_PROCESSES) - 1


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def shared_memory(size: int) -> Iterator[tuple[int, mmap.mmap]]:
    """Memory that helpers can map too, by its descriptor."""
    with memory_file() as descriptor, mapped(descriptor, size) as memory:
        yield descriptor, memory


@contextmanager
def memory_file() -> Iterator[int]:
    """The descriptor of such memory, for helpers that are started before its size is known."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("tally", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def mapped(descriptor: int, size: int) -> mmap.mmap:
    """Give it its size, before there are tasks for whoever maps it too."""
    os.truncate(descriptor, max(size, 1))
    return mmap.mmap(descriptor, 0)


class Crew:
    """Helpers that wait for tasks; what they need to know of them may be written until there are some."""

    def __init__(self, module: str, inherited: Sequence[int], wanted: int) -> None:
        self._pipe, self._entry = os.pipe()
        self._started: list[Helper] = []
        with suppress(TallyError):
            self._started.extend(Helper(module, (self._pipe, *inherited)) for _ in range(wanted))

    def share(self, tasks: Sequence[int]) -> None:
        """Give out tasks, MOST_TASKS at most; none come after them."""
        os.write(self._entry, b"".join(map(NUMBER.pack, tasks)))
        self._dismiss()

    def tasks(self) -> Iterator[int]:
        """Those that the caller gets, or one of its threads; the others get other ones."""
        return every(self._pipe)

    def wait(self) -> None:
        """Wait until no helper is left; what nobody has begun is not begun any more."""
        self._dismiss()
        if self._pipe >= 0:
            for _ in every(self._pipe):
                pass
            os.close(self._pipe)
            self._pipe = -1
        for helper in self._started:
            helper.wait()

    def _dismiss(self) -> None:
        if self._entry >= 0:
            os.close(self._entry)
            self._entry = -1


@contextmanager
def called(module: str, inherited: Sequence[int], wanted: int) -> Iterator[Crew]:
    """Start helpers that run a module, while the caller finds out what there is to do.

    A helper's arguments are the numbers of the pipe and of the descriptors that it inherits. It may fail or
    never start: what it leaves undone is the caller's to find and to do. In the end no helper is left.
    """
    crew = Crew(module, inherited, wanted)
    try:
        yield crew
    finally:
        crew.wait()
