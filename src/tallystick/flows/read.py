"""Read one tracked file as a commit or the worktree's pointer has it."""

from typing import BinaryIO

from tallystick.data.blobs import bring, wanted_entries
from tallystick.data.tracked import pointers_of, select
from tallystick.errors import Refused
from tallystick.progress import Progress, silent
from tallystick.project import Project


def read(project: Project, path: str, *, commit: str | None = None, progress: Progress = silent) -> BinaryIO:
    """Open the content of a tracked path, or of a file inside a tracked folder, fetched where needed.

    Without a commit the pointer in the worktree counts. Raises Refused for what is not tracked or is a
    folder, ObjectMissing and ObjectCorrupt as a fetch does.
    """
    (selected,) = select(pointers_of(project, commit), [path])
    bring(project, [selected], progress=progress)
    wanted = [entry for entry in wanted_entries(project, selected) if entry.mode in "fx"]
    inside = path.removeprefix(selected.tracked.path).removeprefix("/").encode()
    found = next((entry for entry in wanted if entry.path == inside), None)
    if found is None:
        raise Refused(f"`{path}` is a folder", hint="name a file inside it")
    return project.store.open(found.digest)
