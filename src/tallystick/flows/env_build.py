"""Build a recorded environment, or find the one that stands."""

from collections.abc import Mapping

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.runs.environments import build_found
from tallystick.runs.locks import find_lock, require_lock_grant


@dataclass(frozen=True, slots=True)
class Built:
    """Where an environment stands; `vaulted` of its packages came from the vault.

    `stand_in_for` is the recorded Python, where another one was allowed to take its place.
    """

    name: str
    digest: Digest
    folder: str
    python: str
    platform: str
    packages: int
    reused: bool
    vaulted: int
    seconds: float
    stand_in_for: str | None


def env_build(
    project: Project,
    target: str | None = None,
    *,
    variables: Mapping[str, str],
    folder: str = "",
    any_python: bool = False,
    progress: Progress = silent,
) -> Built:
    """Build the environment of the worktree's lock, a commit's, a run's or a file's.

    Raises NotTrusted before anything is installed, EnvironmentNotRebuilt with the reason.
    """
    found = find_lock(project, target, folder)
    require_lock_grant(project, found)
    rebuilt = build_found(project, found, variables, any_python=any_python, progress=progress)
    return Built(
        found.name,
        environments.identity(found.lock),
        str(rebuilt.folder),
        rebuilt.version,
        rebuilt.platform,
        len(found.lock.packages),
        rebuilt.reused,
        rebuilt.vaulted,
        round(rebuilt.seconds, 3),
        rebuilt.stand_in,
    )
