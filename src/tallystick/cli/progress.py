"""How long work looks on stderr: a bar on a terminal, a line now and then in a log."""

import contextlib
import importlib
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from tallystick.cli.text import harmless, seconds_text, size_text

FIRST = 0.2
"""Seconds after which work is worth showing at all."""
REFRESH = 0.1
SELDOM = 10.0
"""Seconds between two lines in a log."""


@dataclass(slots=True)
class Work:
    """What is being done, and how far it is."""

    what: str
    files: int = 0
    size: int = 0
    done_files: int = 0
    done_size: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def share(self) -> float | None:
        """How much of the work is done, from 0 to 1; None where its size is not known."""
        if self.size:
            return min(1.0, self.done_size / self.size)
        return min(1.0, self.done_files / self.files) if self.files else None

    def numbers(self, now: float, *, short: bool = False) -> str:
        """What is done, how fast, and how long the rest will take; `short` leaves out what a bar shows."""
        seconds = max(now - self.started, 1e-6)
        parts = []
        if self.done_files or self.files:
            of_all = f" of {self.files:,}" if self.files and not short else ""
            noun = "file" if (self.done_files if short else self.files or self.done_files) == 1 else "files"
            parts.append(f"{self.done_files:,}{of_all} {noun} ({self.done_files / seconds:,.0f}/s)")
        if self.done_size or self.size:
            of_all = f" of {size_text(self.size)}" if self.size else ""
            parts.append(
                f"{size_text(self.done_size)}{of_all} ({size_text(int(self.done_size / seconds))}/s)"
            )
        if (share := self.share) and share < 1:
            parts.append(f"{seconds_text(seconds * (1 - share) / share)} left")
        return ", ".join(parts)


class Shown:
    """Progress that a thread of its own writes down while the work goes on."""

    first = FIRST
    every = REFRESH

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._work: Work | None = None
        self._thread: threading.Thread | None = None

    def begin(self, what: str, *, files: int = 0, size: int = 0) -> None:
        """Start a piece of work; one that is still going on is over."""
        self.end()
        self._work = Work(harmless(what), files, size)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, args=(self._work, self._over), daemon=True)
        self._thread.start()

    def advance(self, files: int = 0, size: int = 0) -> None:
        """So many more files and bytes are done; any thread may say so."""
        with self._lock:
            if self._work is not None:
                self._work.done_files += files
                self._work.done_size += size

    def end(self) -> None:
        """Leave nothing of the work on the screen."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = self._work = None
        self._clear()

    def say(self, message: str) -> None:
        """Print one sentence now."""
        with self._lock:
            self._clear()
            self._write(harmless(message) + "\n")

    def _keep_writing(self, work: Work, over: threading.Event) -> None:
        wait = self.first
        while not over.wait(wait):
            with self._lock:
                self._draw(work)
            wait = self.every

    def _draw(self, work: Work) -> None:
        raise NotImplementedError

    def _clear(self) -> None:
        """Take back what was drawn."""

    def _write(self, text: str) -> None:
        # Whoever read stderr has gone: that must not end the work.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


class Drawing(Protocol):
    """What `cli/bar.py` makes: a bar on a terminal."""

    @property
    def is_narrow(self) -> bool:
        """Whether there is no room for every number."""

    def draw(self, work: Work, numbers: str) -> None:
        """Show how far the work is."""

    def clear(self) -> None:
        """Take the bar back."""


class Terminal(Shown):
    """A bar, drawn by rich, which is loaded only once work has taken long enough to be shown."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._bar: Drawing | None = None

    def _draw(self, work: Work) -> None:
        if self._bar is None:
            self._bar = importlib.import_module("tallystick.cli.bar").Bar(self._stream)
        with contextlib.suppress(OSError, ValueError):
            self._bar.draw(work, work.numbers(time.monotonic(), short=self._bar.is_narrow))

    def _clear(self) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError, ValueError):
                self._bar.clear()


class Lines(Shown):
    """One line each ten seconds, for a log."""

    first = every = SELDOM

    def _draw(self, work: Work) -> None:
        self._write(f"{work.what}: {work.numbers(time.monotonic()) or 'working'}\n")
