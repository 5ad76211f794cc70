"""Where stages that run now are known: a lock for each, held as long as its command runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from tallystick import files
from tallystick.digest import Digest
from tallystick.errors import Locked, TallyError
from tallystick.frozen import dataclass
from tallystick.process import lives
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
def only_run(project: Project, address: str) -> Iterator[int]:
    """Keep a stage from being run twice at once in this worktree; the lock's open descriptor.

    Raises Locked at once, naming who runs it and since when. The kernel frees the lock once all processes
    that hold its descriptor are gone.
    """
    place = place_of(project, address, ".lock")
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(files.lock(place, what=f"stage `{address}`", wait=0))
        except Locked as error:
            raise _running(place, address) from error
        yield lock


def holder(lock: Path) -> int | None:
    """The tally that took a stage's lock last."""
    try:
        return int(lock.read_text())
    except (OSError, ValueError):
        return None


def _running(place: Path, address: str) -> Locked:
    process = holder(place)
    if process is not None and not lives(process):
        return Locked(
            f"the command of stage `{address}` still runs, though tally (process {process}) was killed",
            hint="it is being ended: repeat the command in a few seconds",
        )
    try:
        since = datetime.fromtimestamp(place.stat().st_mtime).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except OSError:
        since = "just now"
    return Locked(
        f"stage `{address}` runs already: process {process or 'unknown'}, since {since}",
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
        return lives(self.process) and self.record.folder.is_dir()


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
