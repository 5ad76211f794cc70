"""How long work tells whoever waits for it."""

from threading import Lock
from typing import Protocol


class Progress(Protocol):
    """What the terminal implements and the core calls, in batches rather than once a file."""

    def begin(self, what: str, *, files: int = 0, size: int = 0) -> None:
        """Start a piece of work of so many files and bytes; 0 where that is not known."""

    def advance(self, files: int = 0, size: int = 0) -> None:
        """So many more files and bytes are done."""

    def end(self) -> None:
        """The piece of work is over."""

    def say(self, message: str) -> None:
        """One sentence that the user should see now, not at the end."""


class Silent:
    """Progress that nobody watches."""

    def begin(self, what: str, *, files: int = 0, size: int = 0) -> None:
        """Start nothing."""

    def advance(self, files: int = 0, size: int = 0) -> None:
        """Count nothing."""

    def end(self) -> None:
        """End nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""


silent: Progress = Silent()


class Spoken(Silent):
    """Only the sentences, one at a time: what is done in several threads can't share one bar."""

    def __init__(self, progress: Progress, lock: Lock) -> None:
        self._progress = progress
        self._lock = lock

    def say(self, message: str) -> None:
        """One sentence that the user should see now."""
        with self._lock:
            self._progress.say(message)


class Wordless:
    """How far the work is, without the sentences: where each result has a line of its own."""

    def __init__(self, progress: Progress) -> None:
        self.begin = progress.begin
        self.advance = progress.advance
        self.end = progress.end

    def say(self, _message: str) -> None:
        """Say nothing."""
