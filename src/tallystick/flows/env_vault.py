"""Put the wheels of an environment into the store, so that no package index is needed to rebuild it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tallystick.digest import Digest
from tallystick.envs.conda import conda_environment
from tallystick.envs.interpreter import interpreter_of
from tallystick.envs.probe import Probed, probe
from tallystick.envs.rebuild import installed_apart
from tallystick.errors import EnvironmentNotRebuilt, Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records import vault as vaults
from tallystick.records.environment import Package, normalised
from tallystick.records.vault import Vault, VaultedConda
from tallystick.runs.environments import build_found
from tallystick.runs.locks import FoundLock, find_lock, require_lock_grant
from tallystick.runs.vaulting import lacking, lacking_conda, put_aside, put_conda_aside
from tallystick.runs.vaults import all_vaults, read_vault, vault_path
from tallystick.runs.writing import write_record


@dataclass(frozen=True, slots=True)
class VaultFilled:
    """The vault's file, how many of a lock's packages have wheels, what was added, and why some have none."""

    name: str
    path: str
    digest: Digest
    packages: int
    kept: int
    added: int
    added_bytes: int
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether a rebuild needs no index."""
        return not self.problems


def env_vault(
    project: Project,
    target: str | None = None,
    *,
    variables: Mapping[str, str],
    folder: str = "",
    progress: Progress = silent,
) -> VaultFilled:
    """Keep a wheel of every package of a lock: made from the environment at hand, else from the rebuilt one.

    Each is checked to install what the lock records. Names them in `environment.vault` beside the lock.
    Raises NotTrusted before anything is started or installed.
    """
    found = find_lock(project, target, folder)
    require_lock_grant(project, found)
    known = all_vaults(project, found.treeish)
    wanted = list(lacking(project, found.lock.packages, known))
    made, reasons = _filled(project, found, wanted, variables, progress)
    files, missing = _filled_by_conda(project, found, known, variables, progress)
    made, reasons = Vault(made.wheels, files), {**reasons, **missing}
    path = vault_path(found.path)
    named = Vault(
        tuple(known.wheels_of(found.lock.packages).values()),
        tuple(known.conda_of(found.lock.conda).values()),
    )
    number = len(installed_apart(found.lock)) + len(found.lock.conda)
    write_record(project, path, vaults.render(read_vault(project, path) | named | made))
    return VaultFilled(
        found.name,
        path,
        environments.identity(found.lock),
        number,
        number - len(reasons),
        len(made.blobs),
        sum(wheel.size for wheel in made.wheels) + sum(file.size for file in made.conda),
        tuple(reasons.values()),
    )


def _filled(
    project: Project,
    found: FoundLock,
    wanted: Sequence[Package],
    variables: Mapping[str, str],
    progress: Progress,
) -> tuple[Vault, Mapping[str, str]]:
    """Wheels of what is wanted, and for each package that has none why."""
    if not wanted:
        return Vault(), {}
    progress.begin("putting wheels aside", files=len(wanted))
    first = put_aside(project, wanted, _paths_at_hand(project, found, variables), progress)
    left = [package for package in wanted if normalised(package.name) in first.reasons]
    progress.end()
    if not left:
        return Vault(first.wheels), {}
    try:
        rebuilt = build_found(project, found, variables, progress=progress)
    except EnvironmentNotRebuilt as error:
        why = f"; the environment can't be rebuilt either: {error.message}"
        return Vault(first.wheels), {name: reason + why for name, reason in first.reasons.items()}
    paths = [str(path) for path in rebuilt.folder.glob("lib*/*/site-packages")]
    second = put_aside(project, left, paths, progress)
    return Vault((*first.wheels, *second.wheels)), second.reasons


def _filled_by_conda(
    project: Project, found: FoundLock, known: Vault, variables: Mapping[str, str], progress: Progress
) -> tuple[tuple[VaultedConda, ...], dict[str, str]]:
    """The same for the files of conda's packages."""
    wanted = list(lacking_conda(project, found.lock.conda, known))
    if not wanted:
        return (), {}
    at_hand = _at_hand(project, found, variables)
    archives = {} if at_hand is None else conda_environment(Path(at_hand.prefix)).archives
    progress.begin("putting conda's packages aside", files=len(wanted))
    done = put_conda_aside(project, wanted, archives, progress)
    progress.end()
    return done


def _paths_at_hand(project: Project, found: FoundLock, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Where the Python that its stages would use today imports from; nothing without a working one."""
    at_hand = _at_hand(project, found, variables)
    return () if at_hand is None else at_hand.paths


def _at_hand(project: Project, found: FoundLock, variables: Mapping[str, str]) -> Probed | None:
    """The Python that its stages would use today, if there is one that works."""
    cmd = found.cmds[0] if found.cmds else "python"
    interpreter = interpreter_of(cmd, variables, project.git.root)
    try:
        return None if interpreter is None else probe(interpreter, variables, project.git.root)
    except Refused:
        return None
