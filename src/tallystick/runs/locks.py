"""Find the lock that somebody means: the worktree's, a commit's, a run's, or a file."""

import posixpath
import shlex
from collections.abc import Iterable, Sequence

from tallystick.data.blobs import bring_blobs
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.project.trust import require_grant
from tallystick.records import environment as environments
from tallystick.records.environment import FILE, Lock, identity
from tallystick.runs import ledger
from tallystick.runs.pipelines import Graph, Step, load, load_at, read_file


@dataclass(frozen=True, slots=True)
class FoundLock:
    """A lock; `path` is where it lies or would lie in the project, `commands` what runs in its environment.

    `cmds` are the same as stages write them, `treeish` the commit or tree that it is of, if it is of one;
    `name` says for people which lock it is.
    """

    name: str
    path: str
    lock: Lock
    commands: tuple[str, ...] = ()
    cmds: tuple[str | Sequence[str], ...] = ()
    treeish: str | None = None


def find_lock(project: Project, target: str | None = None, folder: str = "") -> FoundLock:
    """The lock of the worktree, or that a commit, a run's id or a file's path means.

    Of several locks the one of `folder` counts, else the nearest above it. Raises Refused if there is none.
    """
    if target is None:
        return _in_worktree(project, folder)
    named = posixpath.normpath(posixpath.join(folder, target))
    if posixpath.basename(target) == FILE or target.endswith(".lock"):
        text = None if named.startswith("../") else read_file(project, named)
        if text is None:
            raise Refused(f"there is no lock `{named}` in the project", hint="`tally env lock` writes one")
        return _described(named, named, environments.parse(text, named), load(project))
    try:
        commit = project.git.resolve(target)
    except Refused:
        if not ledger.seems_run(target):
            raise
        return _of_run(project, target)
    return _at(project, target, commit, folder)


def require_lock_grant(project: Project, found: FoundLock) -> None:
    """Raise NotTrusted unless its environment may be built: what is installed will be executed (rule X2)."""
    alone = (f"the environment {identity(found.lock).short} of {found.name}",)
    require_grant(project, found.commands or alone)


def _in_worktree(project: Project, folder: str) -> FoundLock:
    for path in upwards(folder):
        text = read_file(project, path)
        if text is not None:
            return _described(path, path, environments.parse(text, path), load(project))
    raise Refused(
        "no environment is recorded here: there is no `environment.lock`",
        hint="`tally env lock` records the one at hand; `tally run` records that of each stage",
    )


def _at(project: Project, target: str, commit: str, folder: str) -> FoundLock:
    paths = list(upwards(folder))
    texts = project.git.read_at(commit, paths)
    for path in paths:
        if path in texts:
            source = f"{commit[:10]}:{path}"
            lock = environments.parse(texts[path], source)
            return _described(f"{target} ({source})", path, lock, load_at(project, commit), commit)
    raise Refused(f"commit {commit[:10]} records no environment: it has no `{FILE}`", hint="see `tally log`")


def _of_run(project: Project, target: str) -> FoundLock:
    run = ledger.find(project, target)
    digest = run.receipt.environment.lock
    if (container := run.receipt.environment.container) is not None:
        raise Refused(
            f"run `{run.id.short}` was made in the image `{container.image}` ({container.config}), "
            "which is all of its environment",
            hint=f"`tally env show {run.id.short}` tells where it is to be had",
        )
    if digest is None:
        raise Refused(f"run `{run.id.short}` was made without Python: it has no environment")
    bring_blobs(project, {digest: FILE})
    lock = environments.parse(project.store.read(digest), str(digest))
    folder = run.receipt.stage.rpartition(":")[0]
    cmd = run.receipt.cmd
    command = cmd if isinstance(cmd, str) else shlex.join(cmd)
    return FoundLock(
        f"run {run.id.short}", posixpath.join(folder, FILE), lock, (command,), (cmd,), run.receipt.code.tree
    )


def _described(name: str, path: str, lock: Lock, graph: Graph, treeish: str | None = None) -> FoundLock:
    users: list[Step] = [step for step in graph.steps.values() if step.lock_path == path]
    commands = tuple(dict.fromkeys(step.command for step in users))
    return FoundLock(name, path, lock, commands, tuple(step.stage.cmd for step in users), treeish)


def upwards(folder: str) -> Iterable[str]:
    """Where a lock of a folder would lie, the nearest first."""
    while folder:
        yield posixpath.join(folder, FILE)
        folder = posixpath.dirname(folder)
    yield FILE
