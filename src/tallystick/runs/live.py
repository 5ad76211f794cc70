"""Where stages that run now are known: a lock for each, held as long as its command runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from tallystick import files
from tallystick.digest import Digest
from tallystick.errors import Locked
from tallystick.project import Project

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
