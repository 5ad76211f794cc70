"""Bring blobs from the remotes into the local store."""

from collections.abc import Sequence

from tallystick.data.blobs import JOBS, bring, bring_held, extent, lacking
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.runs.reach import Reached, reached


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the local store has of so many paths, and what came for it.

    `files` and `files_size` are those of the paths, whether they came or were here.
    """

    paths: int
    blobs: int
    size: int
    received: int
    dry_run: bool
    notes: tuple[str, ...] = ()
    files: int = 0
    files_size: int = 0


def fetch(
    project: Project,
    targets: Sequence[str] = (),
    *,
    revs: Sequence[str] = (),
    remote: str | None = None,
    jobs: int = JOBS,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Fetched:
    """Bring the blobs of the worktree's pointers, or of some commits', that the local store lacks."""
    asked = _asked_for(project, targets, revs)
    if dry_run:
        missing = lacking(project, asked.selected)
        return Fetched(len(asked.selected), missing.blobs, missing.size, 0, True, asked.notes)
    brought = bring(project, asked.selected, remote=remote, jobs=jobs, progress=progress)
    brought += bring_held(project, asked.kept, remote=remote, jobs=jobs, progress=progress)
    blobs, size, received = brought.blobs, brought.size, brought.received
    return Fetched(
        len(asked.selected), blobs, size, received, False, asked.notes, *extent(project, asked.selected)
    )


def _asked_for(project: Project, targets: Sequence[str], revs: Sequence[str]) -> Reached:
    """What targets mean at some commits, or in the worktree."""
    if not revs:
        return reached(project, targets)
    first, *rest = (reached(project, targets, project.git.resolve(rev)) for rev in revs)
    for other in rest:
        first |= other
    return first
