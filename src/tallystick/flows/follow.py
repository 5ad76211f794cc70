"""Follow stages that run: their output and their metrics, as they come."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.runs.live import Running, running_now

PAUSE = 0.1
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A line that a stage wrote, or a step of its metrics."""

    stage: str
    line: str | None = None
    metrics: dict[str, Any] | None = None


def follow(project: Project, stages: Sequence[str] = ()) -> Iterator[Heard]:
    """What stages have written since they began, and then what they write, until they end.

    Raises Refused when none of them runs.
    """
    found = [each for each in running_now(project) if not stages or each.stage in stages]
    if not found:
        named = ", ".join(f"`{stage}`" for stage in stages)
        raise Refused(
            f"{named or 'no stage'} runs now" if not named else f"{named} doesn't run now",
            hint="`tally log` lists the runs that have ended",
        )
    with ExitStack() as stack:
        followed = [_Followed(each, stack) for each in found]
        while followed:
            # Asked first: what was written until the end is read after it.
            ended = [one for one in followed if not one.running.lives]
            for one in followed:
                yield from one.news()
            for one in ended:
                yield from one.news(last=True)
            followed = [one for one in followed if one not in ended]
            if followed:
                time.sleep(PAUSE)


class _Followed:
    """The files of one run, read as far as they were written."""

    def __init__(self, running: Running, stack: ExitStack) -> None:
        self.running = running
        self._stack = stack
        self._output = _Growing(running.record.log)
        self._series = _Growing(running.record.series)

    def news(self, last: bool = False) -> Iterator[Heard]:
        """What was written since it was asked last, line by line."""
        for line in self._output.lines(self._stack, last):
            yield Heard(self.running.stage, line.decode("utf-8", "replace"))
        for line in self._series.lines(self._stack, last):
            try:
                metrics = json.loads(line)
            except ValueError:
                continue
            if isinstance(metrics, dict):
                yield Heard(self.running.stage, metrics=metrics)


class _Growing:
    """A file that another process writes; kept open, so that its end can be read once it is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def lines(self, stack: ExitStack, last: bool) -> Iterator[bytes]:
        """The lines that are whole by now; `last` says that nothing more will come."""
        if self._file is None:
            try:
                self._file = stack.enter_context(self._path.open("rb"))
            except OSError:
                return
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        yield from whole
        if last and self._rest:
            yield self._rest
            self._rest = b""
