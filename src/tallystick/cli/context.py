"""What the options that every command has say, and the project they lead to."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from tallystick.cli.progress import Lines, Terminal
from tallystick.progress import Progress, silent
from tallystick.project import Project, open_project
from tallystick.project.grants import settings_folder


@dataclass(slots=True)
class Context:
    """One call of the program; `json`, `quiet`, `verbose` and `directory` are its global options."""

    directory: Path = field(default_factory=Path.cwd)
    quiet: bool = False
    verbose: bool = False
    json: bool = False
    opened: Project | None = None
    started: float = field(default_factory=time.monotonic)

    def project(self) -> Project:
        """Open the project around the directory, once."""
        if self.opened is None:
            self.opened = open_project(self.directory, settings_home())
        return self.opened

    def progress(self) -> Progress:
        """How long work shows on stderr: a bar, lines in a log, or nothing when quiet."""
        if self.quiet:
            return silent
        return Terminal(sys.stderr) if is_terminal(sys.stderr) else Lines(sys.stderr)

    def output(self) -> Callable[[bytes], None]:
        """Where a stage's own output goes: with `--json` stdout belongs to the result."""
        if self.quiet:
            return lambda _data: None
        stream = (sys.stderr if self.json else sys.stdout).buffer

        def write(data: bytes) -> None:
            stream.write(data)
            stream.flush()

        return write


def context(ctx: click.Context) -> Context:
    """Return the context that belongs to a click context."""
    return ctx.ensure_object(Context)


def settings_home() -> Path:
    """Return the user's own folder for grants."""
    return settings_folder(os.environ)


def is_terminal(stream: object) -> bool:
    """Say whether a person reads the stream as it is written."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and os.environ.get("TERM") != "dumb"


def line_width() -> int | None:
    """Return how many characters a line of stdout holds; None where no terminal cuts it."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
