"""Where stages that run now are known: a lock for each, held as long as its command runs."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from tallystick import files
from tallystick.digest import Digest
from tallystick.errors import Locked, TallyError
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.runs.recording import Record

RECORD = ".run"
"""The suffix of the folder in which a stage's run leaves its output while it goes on."""

LONGEST = 200
"""Characters of a file's name that any filesystem takes."""


def place_of(project: Project, address: str, suffix: str) -> Path:
    """The file of one stage of this worktree, `<stage><suffix>`, where running stages are known."""
    name = quote(address, safe="@ ")
    if len(name) > LONGEST:
        name = Digest.of(address.encode()).hex()
    return project.home / "running" / project.git.worktree_id / f"{name}{suffix}"


@contextmanager
def only_run(project: Project, address: str) -> Iterator[None]:
    """Keep a stage from being run twice at once in this worktree.

    Raises Locked at once, naming who runs it and since when. The kernel frees a dead process's lock.
    """
    place = place_of(project, address, ".lock")
    with ExitStack() as stack:
        try:
            stack.enter_context(files.lock(place, what=f"stage `{address}`", wait=0))
        except Locked as error:
            raise _running(place, address) from error
        yield


def _running(place: Path, address: str) -> Locked:
    try:
        since = datetime.fromtimestamp(place.stat().st_mtime).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        process = place.read_text().strip() or "unknown"
    except (OSError, ValueError):
        since, process = "just now", "unknown"
    return Locked(
        f"stage `{address}` runs already: process {process}, since {since}",
        hint="wait for it to end, or run beside it with `tally run --isolated`",
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A stage whose command runs now, in this worktree or in another of the repository."""

    stage: str
    process: int
    record: Record

    @property
    def lives(self) -> bool:
        """Whether the tally that runs it is still there."""
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return self.record.folder.is_dir()


def running_now(project: Project) -> tuple[Running, ...]:
    """The stages that run now; nothing is locked for asking."""
    found = []
    for pending in sorted((project.home / "running").glob(f"*/*{RECORD}/receipt.json")):
        with suppress(OSError, ValueError, TallyError):
            process = int(pending.parent.with_suffix(".lock").read_text())
            stage = receipts.parse(pending.read_bytes(), str(pending)).stage
            running = Running(stage, process, Record(pending.parent))
            if running.lives:
                found.append(running)
    return tuple(found)
