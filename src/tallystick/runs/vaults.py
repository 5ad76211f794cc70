"""The packages that were put aside: which there are, and how a rebuild gets at their files."""

import os
import posixpath
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tallystick.data.blobs import bring_blobs
from tallystick.digest import Digest, hash_file
from tallystick.envs.stock import Stock, Stocked
from tallystick.errors import ObjectMissing, RemoteUnreachable
from tallystick.files import translated, write_atomic
from tallystick.git.plumbing import Git
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import vault as vaults
from tallystick.records.environment import Lock
from tallystick.records.vault import FILE, Vault, VaultedConda, VaultedWheel
from tallystick.runs.pipelines import read_file

Vaulted = VaultedWheel | VaultedConda

PATTERNS = (FILE, f"*/{FILE}")
"""How git names every vault: its `*` crosses folders."""


def vault_path(lock_path: str) -> str:
    """Where the vault of a lock lies: beside it."""
    return posixpath.join(posixpath.dirname(lock_path), FILE)


def read_vault(project: Project, path: str) -> Vault:
    """One vault of the worktree; an empty one where there is none."""
    text = read_file(project, path)
    return Vault() if text is None else vaults.parse(text, path)


def all_vaults(project: Project, treeish: str | None = None, place: Path | None = None) -> Vault:
    """All that the vaults of the worktree, of its commit, and of another commit or worktree hold.

    A package of an old lock is found by what it is, even if it was put aside only yesterday.
    """
    found = Vault()
    if place is not None:
        for path in Git.discover(place).list_files(PATTERNS):
            with suppress(FileNotFoundError):
                found |= vaults.parse((place / path).read_bytes(), path)
    for tree in dict.fromkeys((treeish, project.git.head())):
        if tree is not None:
            named = [file.path for file in project.git.list_tree(tree, PATTERNS)]
            for path, text in project.git.read_at(tree, named).items():
                found |= vaults.parse(text, f"{tree[:10]}:{path}")
    for path in project.git.list_files(PATTERNS):
        found |= read_vault(project, path)
    return found


def stock_of(
    project: Project,
    treeish: str | None = None,
    *,
    place: Path | None = None,
    progress: Progress = silent,
) -> Stock:
    """Says of a lock which of its packages are in a vault, having brought their files.

    A wheel that can't be had is passed over, with a remark: an index may still have it.
    """
    return lambda lock: _stocked(project, all_vaults(project, treeish, place), progress, lock)


def _stocked(project: Project, vault: Vault, progress: Progress, lock: Lock) -> Mapping[str, Stocked]:
    wheels = vault.wheels_of(each for each in lock.packages if each.wheel is None)
    conda = vault.conda_of(lock.conda)
    absent = _absent(project, [*wheels.values(), *conda.values()], progress)
    found = {
        name: Stocked(_placed(project, wheel), wheel.sha256)
        for name, wheel in wheels.items()
        if wheel.digest not in absent
    }
    return found | {
        known: Stocked(_placed(project, file)) for known, file in conda.items() if file.digest not in absent
    }


def _absent(project: Project, wheels: Iterable[Vaulted], progress: Progress) -> set[Digest]:
    """Fetch what is not here; return what could not be fetched."""
    needed = {wheel.digest: wheel.file for wheel in wheels}
    try:
        bring_blobs(project, needed, progress=progress)
    except (ObjectMissing, RemoteUnreachable) as error:
        progress.say(f"the vault's wheels can't all be had, the package index is asked: {error.message}")
    return project.store.missing(needed)


def _placed(project: Project, wheel: Vaulted) -> Path:
    """A wheel's file under its own name, verified: always the same, so that an installer knows it again."""
    path = project.home / "wheels" / wheel.digest.hex()[:32] / wheel.file
    whole = project.store.object_path(wheel.digest)
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if whole is not None:
        project.store.verify(wheel.digest)
        _link(path, whole)
    elif not _holds(path, wheel.digest):
        write_atomic(path, project.store.read(wheel.digest))
    return path


def _link(path: Path, whole: Path) -> None:
    """Let a name lead to the store's own file, which is read-only."""
    with suppress(OSError):
        if os.readlink(path) == str(whole):
            return
    with translated(path):
        path.unlink(missing_ok=True)
        path.symlink_to(whole)


def _holds(path: Path, digest: Digest) -> bool:
    with suppress(OSError):
        return not path.is_symlink() and hash_file(str(path)).digest == digest
    return False
