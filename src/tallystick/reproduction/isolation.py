"""Where a past run is repeated: a worktree, an environment and variables of its own."""

import os
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from shutil import rmtree

from tallystick.containers.images import Resolved
from tallystick.data.blobs import bring_blobs
from tallystick.digest import Digest
from tallystick.envs.activate import MARKS, stand_in
from tallystick.envs.activate import variables as activated
from tallystick.envs.capture import capture
from tallystick.envs.interpreter import interpreter_of
from tallystick.envs.rebuild import Rebuilt, folder_of, is_vaulted, rebuild
from tallystick.envs.settings import settings
from tallystick.envs.standins import stand_ins
from tallystick.errors import EnvironmentNotRebuilt
from tallystick.frozen import dataclass
from tallystick.git.plumbing import Git
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.environment import Lock
from tallystick.records.provenance import Container
from tallystick.records.receipt import Receipt
from tallystick.reproduction.switches import switches_of
from tallystick.runs.images import image_then
from tallystick.runs.inputs import Surroundings
from tallystick.runs.receipts import NO_PYTHON
from tallystick.runs.vaults import stock_of
from tallystick.worktree import Worktree

AT_HAND = ("PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH")
"""Variables that make a program use the environment that the user is in."""

KEPT = ("HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TMPDIR", "TZ", "TERM")
"""Variables that a program needs to feel at home; what changes results is recorded, or has to be declared."""


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a repeated stage's command sees, and what a verdict says of it.

    `interpreter` is its Python, `settings` are libraries and switches that change numbers, `facts` are for
    an auditor. What runs in the image of a `container` sees none of this machine's programs.
    """

    variables: Mapping[str, str]
    python: str
    platform: str
    environment: Digest | None
    notes: tuple[str, ...] = ()
    interpreter: str | None = None
    facts: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    container: Resolved | None = None


@contextmanager
def isolated(project: Project, treeish: str, keep: Path | None) -> Iterator[Project]:
    """Open the project in a temporary worktree of a commit or tree; with `keep` its files stay there."""
    with project.git.temporary_worktree(treeish, project.home / "worktrees") as place:
        git = Git.discover(place)
        worktree = Worktree(place, project.home, git.worktree_id)
        try:
            yield replace(project, git=git, worktree=worktree, store=project.store.without_links())
            if keep is not None:
                keep.parent.mkdir(parents=True, exist_ok=True)
                # Without its link into git it is a plain folder, which nobody mistakes for a worktree.
                (place / ".git").unlink()
                os.rename(place, keep)
        finally:
            rmtree(worktree.cache, ignore_errors=True)
            rmtree(project.home / "running" / git.worktree_id, ignore_errors=True)
            for kind in ("worktree", "pointers"):
                (project.home / "locks" / f"{kind}-{git.worktree_id}.lock").unlink(missing_ok=True)


def surrounding(
    project: Project,
    place: Path,
    receipt: Receipt,
    base: Mapping[str, str],
    *,
    rebuild_environment: bool,
    any_python: bool = False,
    progress: Progress,
) -> Surrounding:
    """Rebuild the environment of a receipt, and strip the variables to what a program needs.

    Raises EnvironmentNotRebuilt, or ObjectMissing when nobody has the environment's lock or a wheel of it.
    """
    if receipt.environment.container is not None:
        return _in_image(project, receipt.environment.container, base, progress)
    if receipt.environment.lock is None:
        plain = _homely(receipt, base) | {"PATH": _without_environments(base)}
        return Surrounding(plain, NO_PYTHON, sysconfig.get_platform(), None)
    lock = lock_of(project, receipt.environment.lock)
    if not rebuild_environment:
        return _at_hand(place, receipt, lock, base)
    # The Python that the stage would use today is often the recorded one, wherever it is installed.
    at_hand = interpreter_of(receipt.cmd, base, project.git.root / receipt.wdir)
    rebuilt = rebuild(
        lock,
        folder_of(project.home / "environments", lock),
        read=lambda wheel: _wheel(project, wheel),
        stock=stock_of(project, place=place, progress=progress),
        env=base,
        python=at_hand,
        any_python=any_python,
        progress=progress,
    )
    return _within(rebuilt, place, receipt, lock, base)


def _in_image(
    project: Project, recorded: Container, base: Mapping[str, str], progress: Progress
) -> Surrounding:
    """The very image that a command ran in; its own variables are all that it finds there."""
    found = image_then(project, recorded, Surroundings(base), progress)
    facts = (f"image {recorded.digest or recorded.config}",)
    return Surrounding({}, NO_PYTHON, found.image.platform, None, facts=facts, container=found)


def _within(
    rebuilt: Rebuilt, place: Path, receipt: Receipt, lock: Lock, base: Mapping[str, str]
) -> Surrounding:
    """What a command sees of an environment that was rebuilt for it, unless it names another one."""
    cwd = place / receipt.wdir
    stand_in(rebuilt, receipt.cmd, cwd, place)
    plain = _homely(receipt, base) | {"PATH": _without_environments(base)}
    tools = stand_ins(rebuilt.folder, receipt.cmd)
    chosen = activated(rebuilt, plain, lock, place, tools)
    used = interpreter_of(receipt.cmd, chosen, cwd)
    if used is not None and not os.path.samefile(os.path.dirname(used), rebuilt.bin):
        return _found(used, chosen, lock, place, cwd, f"the command names a Python of its own, `{used}`")
    site = [str(path) for path in rebuilt.bin.parent.glob("lib*/*/site-packages")]
    return Surrounding(
        chosen,
        rebuilt.version,
        rebuilt.platform,
        receipt.environment.lock,
        notes=_stand_in_notes(rebuilt),
        interpreter=str(rebuilt.python) if used is None else used,
        facts=tuple(_facts(rebuilt, lock, tools)),
        settings=settings(lock, site, chosen),
    )


def _facts(rebuilt: Rebuilt, lock: Lock, tools: Path | None) -> Iterator[str]:
    if is_vaulted(rebuilt, lock):
        yield "environment from the vault"
    if tools is not None:
        yield "the environment entered for the command, without the tool by which it enters one"


def _stand_in_notes(rebuilt: Rebuilt) -> tuple[str, ...]:
    """That another Python took the recorded one's place, if one did."""
    if rebuilt.stand_in is None:
        return ()
    return (f"Python {rebuilt.version} stood in for the recorded {rebuilt.stand_in}",)


def _at_hand(place: Path, receipt: Receipt, lock: Lock, base: Mapping[str, str]) -> Surrounding:
    """The environment that the user is in, and in what it differs from the recorded one."""
    chosen = _homely(receipt, base) | {name: base[name] for name in AT_HAND if name in base}
    cwd = place / receipt.wdir
    interpreter = interpreter_of(receipt.cmd, chosen, cwd)
    if interpreter is None:
        raise EnvironmentNotRebuilt("there is no Python at hand", hint="repeat without `--no-rebuild`")
    return _found(interpreter, chosen, lock, place, cwd, "not rebuilt: the environment at hand was used")


def _found(
    interpreter: str, chosen: Mapping[str, str], lock: Lock, place: Path, cwd: Path, why: str
) -> Surrounding:
    """An environment that was not rebuilt, and in what it differs from the recorded one."""
    found = capture(interpreter, chosen, place, cwd=cwd)
    unlike = "; ".join(environments.compare(lock, found.lock)) or "it equals the recorded one"
    identity = environments.identity(found.lock)
    return Surrounding(
        chosen,
        found.python,
        found.platform,
        identity,
        notes=(f"{why} ({unlike})",),
        interpreter=interpreter,
        settings=settings(found.lock, found.paths, chosen),
    )


def _homely(receipt: Receipt, base: Mapping[str, str]) -> dict[str, str]:
    """The variables that a program needs to feel at home, and the switches that it ran with."""
    kept = {name: value for name, value in base.items() if name in KEPT or name.startswith("LC_")}
    return kept | switches_of(receipt)


def _without_environments(base: Mapping[str, str]) -> str:
    """PATH without the virtual environments on it: a program missing in the rebuilt one must be missed."""
    folders = base.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(
        folder for folder in folders if os.path.isabs(folder) and not _is_environment(folder)
    )


def _is_environment(folder: str) -> bool:
    parent = os.path.dirname(folder.rstrip("/"))
    return any(os.path.exists(os.path.join(parent, mark)) for mark in MARKS)


def lock_of(project: Project, digest: Digest) -> Lock:
    """A recorded environment, fetched if need be; raise ObjectMissing if nobody has it."""
    bring_blobs(project, {digest: environments.FILE})
    return environments.parse(project.store.read(digest), str(digest))


def _wheel(project: Project, digest: Digest) -> bytes:
    bring_blobs(project, {digest: "a package of the environment"})
    return project.store.read(digest)
