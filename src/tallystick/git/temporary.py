"""Worktrees that exist for the length of a block."""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tallystick import files
from tallystick.errors import Locked, Refused
from tallystick.git.command import Command, not_an_option
from tallystick.git.submodules import repository_at, submodules, submodules_at

AUTHOR = {
    "GIT_AUTHOR_NAME": "tally",
    "GIT_AUTHOR_EMAIL": "tally",
    "GIT_AUTHOR_DATE": "@1 +0000",
    "GIT_COMMITTER_NAME": "tally",
    "GIT_COMMITTER_EMAIL": "tally",
    "GIT_COMMITTER_DATE": "@1 +0000",
}
"""The commit around a bare tree has nobody's name and no time, so the same tree makes the same commit."""

_WHOLE = ("-c", "core.sparseCheckout=false", "-c", "core.fsmonitor=false", "-c", "submodule.recurse=false")
"""Every file, whatever the user leaves out of their own worktree."""


@contextmanager
def worktree(git: Command, treeish: str, parent: Path) -> Iterator[Path]:
    """Check out a commit or tree below `parent`; what dead processes left there is removed first."""
    commit = _commit_of(git, treeish)
    with ExitStack() as stack:
        with files.lock(parent / "lock", what="making a temporary worktree", wait=60):
            _remove_stale(git, parent)
            name = f"{os.getpid()}-{os.urandom(4).hex()}"
            guard = parent / f"{name}.lock"
            stack.enter_context(files.lock(guard, what="a temporary worktree", wait=0))
        place = parent / name
        try:
            _make(git, commit, place)
            yield place
        finally:
            _remove(git, place)
            guard.unlink(missing_ok=True)


def _make(git: Command, commit: str, place: Path) -> None:
    """Check out a commit, its submodules too; one whose commit nobody has here stays an empty folder."""
    git.run(*_WHOLE, "worktree", "add", "--quiet", "--no-checkout", "--detach", str(place), commit)
    own = {"GIT_DIR": str(_directory_of(place)), "GIT_WORK_TREE": str(place)}
    own["GIT_INDEX_FILE"] = f"{own['GIT_DIR']}/index"
    git.run(*_WHOLE, "-C", str(place), "read-tree", "--reset", "-u", commit, environment=own)
    wanted = submodules_at(git, commit) if (place / ".gitmodules").is_file() else {}
    for path, inner in wanted.items():
        repository = repository_at(git, path)
        ask = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{inner}^{{commit}}")
        if repository is not None and repository.text(*ask) is not None:
            _make(repository, inner, place / path)


def _commit_of(git: Command, treeish: str) -> str:
    """The commit, or one made around a tree that has none."""
    not_an_option(treeish, "a commit or tree")
    ask = ("rev-parse", "--verify", "--quiet", "--end-of-options")
    commit = git.text(*ask, f"{treeish}^{{commit}}")
    if commit is not None:
        return commit
    tree = git.text(*ask, f"{treeish}^{{tree}}")
    if tree is None:
        raise Refused(f"git knows no commit or tree `{treeish}`")
    return git.run("commit-tree", "-m", "snapshot", tree, environment=AUTHOR).text


def _directory_of(place: Path) -> Path:
    """The git directory of a linked worktree, as its `.git` file names it."""
    return Path((place / ".git").read_text().removeprefix("gitdir:").strip())


def _remove_stale(git: Command, parent: Path) -> None:
    """Remove worktrees whose process has died: the kernel has freed their locks."""
    for guard in parent.glob("*-*.lock"):
        with contextlib.suppress(Locked), files.lock(guard, what="a temporary worktree", wait=0):
            _remove(git, guard.with_suffix(""))
            guard.unlink(missing_ok=True)


def _remove(git: Command, place: Path) -> None:
    """Delete a worktree's files, then let git forget this one worktree and no other."""
    shutil.rmtree(place, onerror=_make_writable)
    _forget(git, place)


def _forget(git: Command, place: Path) -> None:
    git.run("worktree", "remove", "--force", "--force", str(place), check=False)
    for path in submodules(git):
        repository = repository_at(git, path)
        if repository is not None:
            _forget(repository, place / path)


def _make_writable(delete: Callable[[str], object], path: str, _error: object) -> None:
    """Try again with write permission; what still can't be deleted is left to the next clean-up."""
    with contextlib.suppress(OSError):
        for one in (os.path.dirname(path), path):
            if not os.path.islink(one):
                os.chmod(one, stat.S_IRWXU)
        delete(path)
