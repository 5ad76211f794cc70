"""Bring blobs from the remotes, and make the worktree hold what its pointers say."""

from collections.abc import Sequence

from tallystick.data.blobs import JOBS, Brought, bring, bring_held
from tallystick.data.placing import PlacedPath, place_all
from tallystick.errors import GitFailed, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.runs import ledger
from tallystick.runs.reach import reached


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came into the local store, what was done in the worktree, and how many runs the ledger got."""

    fetched: Brought
    paths: tuple[PlacedPath, ...]
    runs: int
    notes: tuple[str, ...] = ()


def pull(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    jobs: int = JOBS,
    force: bool = False,
    progress: Progress = silent,
) -> Pulled:
    """Fetch what the worktree's pointers need, place it, and receive the ledger from git's remote.

    Raises WouldLoseChanges, before any file is touched, for changes that are stored nowhere.
    """
    asked = reached(project, targets)
    fetched = bring(project, asked.selected, remote=remote, jobs=jobs, progress=progress)
    placed = place_all(project, asked.selected, force=force, progress=progress)
    runs, notes = (0, ()) if targets else _receive_ledger(project)
    if not targets:
        fetched += bring_held(project, asked.at_once, remote=remote, jobs=jobs, progress=progress)
    return Pulled(fetched, placed, runs, (*asked.notes, *notes))


def _receive_ledger(project: Project) -> tuple[int, tuple[str, ...]]:
    """The runs that git's remote knows of; that it can't be asked is a remark: the data is here."""
    remote = project.git.default_remote()
    if remote is None:
        return 0, ()
    try:
        return ledger.receive(project, remote), ()
    except (GitFailed, RemoteUnreachable) as error:
        return 0, (f"the ledger of runs was not received: {error.message}",)
