"""Compare two recorded environments."""

from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.runs.locks import find_lock


@dataclass(frozen=True, slots=True)
class EnvironmentsCompared:
    """In what two environments differ; `same` says that a rebuild of both is the same."""

    old: str
    new: str
    changes: tuple[str, ...]
    same: bool


def env_diff(
    project: Project, old: str = "HEAD", new: str | None = None, *, folder: str = ""
) -> EnvironmentsCompared:
    """Compare the locks of two commits, runs or files; the worktree's own without a second one."""
    first, second = find_lock(project, old, folder), find_lock(project, new, folder)
    changes = environments.compare(first.lock, second.lock)
    return EnvironmentsCompared(first.name, second.name, changes, not changes)
