"""Make data that the worktree shares with the local store writable, as copies of its own."""

from collections.abc import Sequence

from tallystick.data.placing import worktree_lock
from tallystick.data.tracked import pointers_of, select
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project


@dataclass(frozen=True, slots=True)
class UnprotectedPath:
    """A tracked path, and how many of its files were shared or read-only until now."""

    path: str
    files: int


@dataclass(frozen=True, slots=True)
class Unprotected:
    """What `tally unprotect` did, in the order of the paths."""

    paths: tuple[UnprotectedPath, ...]


def unprotect(project: Project, targets: Sequence[str], *, progress: Progress = silent) -> Unprotected:
    """Give the files at targets bytes of their own, so that editing them leaves the store as it is."""
    done = []
    with worktree_lock(project):
        for one in select(pointers_of(project), targets):
            path = one.tracked.path
            scan = project.worktree.scan(path)
            if scan is None:
                continue
            files = scan.part(one.covers).files
            progress.begin(f"copying `{path}`", files=len(files))
            done.append(UnprotectedPath(path, project.worktree.unprotect(path, files)))
            progress.end()
    return Unprotected(tuple(done))
