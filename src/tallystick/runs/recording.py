"""What a command leaves in a folder while it runs: output, metric series, what it said of itself."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tallystick.digest import Digest
from tallystick.files import translated
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.project import Project
from tallystick.records.config import redacted
from tallystick.records.fields import single_line
from tallystick.records.provenance import Tracker
from tallystick.records.receipt import TAIL
from tallystick.records.secrets import Redactor
from tallystick.tracing.pythons import LARGEST

VARIABLE = "TALLY_RECORD"
"""Tells a stage's command where this folder is."""

ROOM = 1 << 20
"""Bytes that are kept free for the receipt of a command that fills the disk."""

LONGEST_LINE = 500
LARGEST_NOTE = 1 << 20
_TAIL_BYTES = 64 << 10
_ESCAPE = regex(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
_KINDS = ("mlflow", "wandb")


@dataclass(frozen=True, slots=True)
class Record:
    """The files of a run that goes on, or of one that just ended."""

    folder: Path

    @property
    def log(self) -> Path:
        """All that the command wrote so far, without secrets."""
        return self.folder / "output.log"

    @property
    def series(self) -> Path:
        """The metrics that it logged so far, a JSON object a line."""
        return self.folder / "series.jsonl"

    @property
    def pending(self) -> Path:
        """What a receipt of the run would say if it ended now; there while the command runs."""
        return self.folder / "receipt.json"

    @property
    def reserve(self) -> Path:
        """Room on the disk for what is written down at the end."""
        return self.folder / "reserve"

    def pythons(self) -> bytes:
        """What the command's Python processes told of themselves when they began."""
        with suppress(OSError), (self.folder / "pythons").open("rb") as file:
            return file.read(LARGEST)
        return b""

    def notes(self) -> Iterator[dict[str, Any]]:
        """What the command's processes said of themselves at their end."""
        for path in sorted(self.folder.glob("facts-*.json")):
            with suppress(OSError, ValueError, RecursionError):
                if path.stat().st_size <= LARGEST_NOTE:
                    value = json.loads(path.read_bytes())
                    if isinstance(value, dict):
                        yield value

    def tail(self) -> tuple[str, ...]:
        """The last lines of the output, as they can be shown anywhere."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(plain_line(line) for line in text.split("\n") if line.strip())[-TAIL:]

    def settings(self, redactor: Redactor) -> dict[str, str]:
        """What loaded libraries say that they compute with; the first process that says a thing counts."""
        found: dict[str, str] = {}
        for note in self.notes():
            said = note.get("settings")
            for name, value in (said if isinstance(said, dict) else {}).items():
                found.setdefault(plain_line(str(name)), plain_line(redactor.text(str(value))))
        return found

    def trackers(self, redactor: Redactor) -> tuple[Tracker, ...]:
        """The runs of other tools that were active in the command's processes."""
        found = []
        for note in self.notes():
            said = note.get("trackers")
            for one in said if isinstance(said, list) else ():
                if isinstance(one, dict) and one.get("kind") in _KINDS and one.get("id"):
                    uri = plain_line(redactor.text(redacted(str(one.get("uri") or ""))))
                    found.append(Tracker(one["kind"], plain_line(str(one["id"])), uri))
        return tuple(dict.fromkeys(found))


def plain_line(text: str) -> str:
    """A text as one line without colours and control characters; of a redrawn line what stood there last."""
    shown = _ESCAPE.sub("", text.rstrip("\r").rpartition("\r")[2]).replace("\t", "    ")
    kept = "".join(letter if single_line(letter) else "\ufffd" for letter in shown)
    return kept if len(kept) <= LONGEST_LINE else kept[:LONGEST_LINE] + "…"


def kept(project: Project, path: Path) -> Digest | None:
    """Keep a file of a record in the local store; None where there is nothing in it."""
    try:
        if path.stat().st_size == 0:
            return None
    except FileNotFoundError:
        return None
    with project.store.writer() as writer:
        return writer.add_file(path).digest


@contextmanager
def fresh(folder: Path) -> Iterator[Record]:
    """A folder for a run's record, empty; gone once the run is written down, and kept if it can't be."""
    shutil.rmtree(folder, ignore_errors=True)
    record = Record(folder)
    with translated(folder):
        folder.mkdir(parents=True, mode=0o700)
        _reserve(record.reserve)
    yield record
    shutil.rmtree(folder, ignore_errors=True)


def _reserve(path: Path) -> None:
    """Take hold of some room, where the system can do so without writing it."""
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, ROOM)
        except AttributeError:  # macOS has no such call
            pass
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise


@contextmanager
def passing(project: Project) -> Iterator[Record]:
    """The same for a run that nobody asks for while it goes on."""
    logs = project.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=logs, prefix="running-", ignore_cleanup_errors=True) as name:
        yield Record(Path(name))


def cause_of(complaint: str | None, redactor: Redactor) -> str | None:
    """Why a run was no success, as a receipt says it."""
    return None if complaint is None else plain_line(redactor.text(complaint).replace("\n", " "))
