"""The environments that the worktree's locks record: in use already, or built beside it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from tallystick.data.blobs import bring_blobs
from tallystick.digest import Digest
from tallystick.envs.rebuild import Rebuilt, folder_of, rebuild
from tallystick.errors import EnvironmentNotRebuilt, ObjectMissing, Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import environment as records
from tallystick.records.environment import Lock
from tallystick.runs.inputs import Surroundings, environment_now
from tallystick.runs.locks import FoundLock
from tallystick.runs.pipelines import Step, load, read_file
from tallystick.runs.vaults import stock_of


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """What became of one lock: its environment is active, stands in a folder, or why it doesn't."""

    lock: str
    state: Literal["active", "rebuilt", "reused", "not allowed", "failed"]
    folder: str | None = None
    reason: str | None = None


def bring_back(
    project: Project, variables: Mapping[str, str], progress: Progress = silent
) -> tuple[EnvironmentState, ...]:
    """See to every lock of the worktree: where another environment is active, build the recorded one.

    Asking an interpreter what it has installed starts it, so that nothing is done without a grant.
    """
    users: dict[str, list[Step]] = {}
    for step in load(project).steps.values():
        users.setdefault(step.lock_path, []).append(step)
    states = []
    for path, steps in users.items():
        text = read_file(project, path)
        if text is not None:
            lock = records.parse(text, path)
            states.append(_brought_back(project, path, lock, steps, variables, progress))
    return tuple(states)


def _brought_back(
    project: Project,
    path: str,
    lock: Lock,
    steps: Sequence[Step],
    variables: Mapping[str, str],
    progress: Progress,
) -> EnvironmentState:
    if not project.grants.granted([step.command for step in steps]):
        return EnvironmentState(path, "not allowed")
    if _is_active(project, lock, steps, variables):
        return EnvironmentState(path, "active")
    try:
        rebuilt = build_environment(project, lock, variables, named=path, progress=progress)
    except (EnvironmentNotRebuilt, ObjectMissing) as error:
        return EnvironmentState(path, "failed", reason=error.message)
    return EnvironmentState(path, "reused" if rebuilt.reused else "rebuilt", str(rebuilt.folder))


def build_environment(
    project: Project,
    lock: Lock,
    variables: Mapping[str, str],
    *,
    named: str = records.FILE,
    treeish: str | None = None,
    python: str | None = None,
    any_python: bool = False,
    progress: Progress = silent,
) -> Rebuilt:
    """Build a lock's environment, or use the one that stands; `named` is the record that needs its wheels.

    Wheels come from the store and from vaults, those of the commit or tree `treeish` among them, the rest
    from the user's package index. Callers see to the grant. Raises EnvironmentNotRebuilt, or ObjectMissing
    for a wheel that no index has.
    """
    return rebuild(
        lock,
        folder_of(project.home / "environments", lock),
        read=partial(_wheel, project, named),
        stock=stock_of(project, treeish, progress=progress),
        env=variables,
        python=python,
        any_python=any_python,
        progress=progress,
    )


def build_found(
    project: Project,
    found: FoundLock,
    variables: Mapping[str, str],
    *,
    any_python: bool = False,
    progress: Progress = silent,
) -> Rebuilt:
    """Build the environment of a lock that somebody meant, as `build_environment` does."""
    return build_environment(
        project,
        found.lock,
        variables,
        named=found.path,
        treeish=found.treeish,
        any_python=any_python,
        progress=progress,
    )


def _is_active(project: Project, lock: Lock, steps: Sequence[Step], variables: Mapping[str, str]) -> bool:
    """Whether the stages would run in this very environment now."""
    surroundings = Surroundings(variables)
    try:
        now = [environment_now(project, step, surroundings) for step in steps]
    except (Refused, EnvironmentNotRebuilt):
        return False  # an interpreter that doesn't work is not the recorded one
    locks = [captured.lock for captured in now if captured is not None]
    return bool(locks) and all(records.identity(one) == records.identity(lock) for one in locks)


def _wheel(project: Project, lock_path: str, wheel: Digest) -> bytes:
    """A package that no index has, from the store."""
    bring_blobs(project, {wheel: lock_path})
    return project.store.read(wheel)
