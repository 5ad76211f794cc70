"""Look on all cores at the files of a folder that are remembered, and read those that seem touched."""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tallystick import crew
from tallystick.crew import Crew
from tallystick.digest import Buffer
from tallystick.progress import Progress
from tallystick.sight import HEAD, TASK, UNREAD, Sight
from tallystick.worktree.columns import Column, Files, StatCache
from tallystick.worktree.walking import Run

ENOUGH = 10_000
"""While a helper starts, this process looks at some thousands of files."""

_MODULE = "tallystick.sight"
_TASK_FILES = 500


class Told(NamedTuple):
    """What was seen of the files that a cache remembers: a mode is 0 where nobody could look at a file.

    `seen` says of each what it holds, read after the look at it: what it held, something else, or UNREAD.
    """

    cache: StatCache
    files: Files
    seen: bytes

    def of(self, cache: StatCache) -> bytes:
        """What was seen of the files of a cache: nothing, if it is not the one that was looked for."""
        return self.seen if self.cache.files is cache.files else bytes([UNREAD]) * len(cache.files)


def pays(cache: StatCache) -> bool:
    """Whether so much is remembered that sharing it out takes less time."""
    return len(cache.files) >= ENOUGH and crew.helpers() > 0


class Looking:
    """A look that others have begun, while the caller finds out which files there are."""

    def __init__(self, cache: StatCache, crew: Crew, memory: mmap.mmap, top: int, most: int) -> None:
        self._cache = cache
        self._crew = crew
        self._memory = memory
        self._top = top
        self._most = most

    def told(self, wanted: Iterable[Run], progress: Progress) -> Told:
        """Look at what nobody has begun with, as far as it is wanted; say what everybody saw."""
        sight, left = Sight(self._memory), set[int]()
        for start, end in wanted:
            left.update(range(start // self._most, (end - 1) // self._most + 1))
        shown = 0
        for number in self._crew.tasks():
            if number in left:
                sight.do(number, self._top)
            # They are drawn in order: all before are done, or will be at once.
            done = min((number + 1) * self._most, sight.count)
            progress.advance(done - shown)
            shown = done
        self._crew.wait()
        progress.advance(sight.count - shown)
        for number in sight.undone(left):
            sight.do(number, self._top)
        return Told(self._cache, self._cache.files.seen_again(sight.look), sight.seen)


@contextmanager
def begun(top: int, cache: StatCache) -> Iterator[Looking]:
    """Have helpers look at all that a cache remembers below an open folder."""
    most = max(_TASK_FILES, len(cache.files) // (crew.MOST_TASKS - 1) + 1)
    tasks = _drawn_up(cache.files.paths, most)
    columns: list[Buffer | Column] = [cache.identities.fingerprints, *cache.files.numbers, cache.files.joined]
    head = HEAD.pack(len(cache.files), len(tasks), cache.stamp) + b"".join(tasks)
    begin = len(head) + Sight.BLANK * len(cache.files)
    size = begin + sum(memoryview(column).nbytes for column in columns)
    wanted = min(crew.helpers(), len(tasks) - 1)
    with (
        crew.shared_memory(size) as (descriptor, memory),
        crew.called(_MODULE, (descriptor, top), wanted) as called,
    ):
        memory[: len(head)] = head
        memory.seek(begin)
        for column in columns:
            memory.write(column)
        called.share(range(len(tasks)))
        yield Looking(cache, called, memory, top, most)


def _drawn_up(paths: Sequence[bytes], most: int) -> list[bytes]:
    """Tasks of so many files at most, that stand side by side."""
    tasks, begin = [], 0
    for first in range(0, len(paths), most):
        some = paths[first : first + most]
        length = sum(map(len, some)) + len(some) - 1
        tasks.append(TASK.pack(first, len(some), begin, length))
        begin += length + 1
    return tasks
