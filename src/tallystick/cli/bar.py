"""The bar that long work has on a terminal, drawn by rich."""

from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tallystick.cli.progress import Work

WIDE = 100
"""Columns that a bar and all its numbers take."""


class Bar:
    """One line that is drawn again and again, and leaves nothing behind."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._progress: Progress | None = None
        self._task = TaskID(0)

    @property
    def is_narrow(self) -> bool:
        """Whether there is no room for every number."""
        return self._console.width < WIDE

    def draw(self, work: Work, numbers: str) -> None:
        """Show how far the work is; `numbers` says it in words."""
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[numbers]}", markup=False),
                console=self._console,
                transient=True,
                auto_refresh=False,
                expand=False,
            )
            self._task = self._progress.add_task(work.what, total=None, numbers="")
            self._progress.start()
        share = work.share
        self._progress.update(
            self._task,
            description=work.what,
            total=None if share is None else 1.0,
            completed=share or 0.0,
            numbers=numbers,
            refresh=True,
        )

    def clear(self) -> None:
        """Take the line back."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
