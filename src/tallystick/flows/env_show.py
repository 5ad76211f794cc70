"""Show what a recorded environment consists of, and where its parts are."""

from typing import Literal

from tallystick.digest import Digest
from tallystick.envs.rebuild import MARKER, folder_of
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.environment import Package, normalised
from tallystick.records.vault import VaultedWheel
from tallystick.runs.locks import FoundLock, find_lock
from tallystick.runs.recorded_images import StageImage, images_of
from tallystick.runs.vaults import all_vaults


@dataclass(frozen=True, slots=True)
class ShownPackage:
    """A package; `hashes` are known of an index's files, `wheel` says where the package itself is kept.

    `here` is whether the local store has that wheel; `editable` code of the project is the commit's.
    """

    name: str
    version: str
    source: str
    url: str | None
    hashes: int
    wheel: Literal["store", "vault"] | None
    here: bool
    size: int | None


@dataclass(frozen=True, slots=True)
class ShownEnvironment:
    """One lock, read; `folder` is where it stands already, `vaulted` whether no index is needed for it.

    `conda_kept` are those of conda's packages whose files a vault has.
    """

    name: str
    path: str
    digest: Digest
    implementation: str
    python: str
    packages: tuple[ShownPackage, ...]
    conda: tuple[str, ...]
    folder: str | None
    vaulted: bool
    conda_kept: tuple[str, ...] = ()
    images: tuple[StageImage, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownImages:
    """The images of stages that run in containers: `name` says whose they are."""

    name: str
    images: tuple[StageImage, ...]


def env_show(
    project: Project, target: str | None = None, *, folder: str = ""
) -> ShownEnvironment | ShownImages:
    """Read the lock of the worktree, a commit, a run or a file; no package is fetched.

    What has no lock because it runs in containers is shown as their images.
    """
    try:
        found = find_lock(project, target, folder)
    except Refused:
        images = images_of(project, target)
        if not images:
            raise
        return ShownImages("the worktree" if target is None else target, images)
    vault = all_vaults(project, found.treeish)
    vaulted, files = vault.wheels_of(found.lock.packages), vault.conda_of(found.lock.conda)
    packages = tuple(
        _package(project, package, vaulted.get(normalised(package.name))) for package in found.lock.packages
    )
    return ShownEnvironment(
        name=found.name,
        path=found.path,
        digest=environments.identity(found.lock),
        implementation=found.lock.implementation,
        python=found.lock.python,
        packages=packages,
        conda=tuple(f"{each.name} {each.version} {each.build}" for each in found.lock.conda),
        folder=_folder(project, found),
        vaulted=len(files) == len(found.lock.conda)
        and all(package.wheel is not None for package in packages if package.source != "conda"),
        conda_kept=tuple(each.name for each in found.lock.conda if each.hash in files),
        images=images_of(project, target),
    )


def _package(project: Project, package: Package, vaulted: VaultedWheel | None) -> ShownPackage:
    digest = package.wheel or (None if vaulted is None else vaulted.digest)
    kept: Literal["store", "vault"] | None = "store" if package.wheel else "vault" if vaulted else None
    here = digest is not None and project.store.contains(digest)
    size = None if vaulted is None else vaulted.size
    hashes = len(package.hashes)
    return ShownPackage(package.name, package.version, package.source, package.url, hashes, kept, here, size)


def _folder(project: Project, found: FoundLock) -> str | None:
    folder = folder_of(project.home / "environments", found.lock)
    return str(folder) if (folder / MARKER).is_file() else None
