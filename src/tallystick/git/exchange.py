"""Hand a state of the worktree, and single objects, to another repository and back."""

import os
from collections.abc import Iterable
from pathlib import Path

from tallystick import process
from tallystick.git.command import WHERE, Command, not_an_option
from tallystick.git.temporary import AUTHOR


def begin(folder: Path) -> None:
    """Make an empty repository."""
    folder.mkdir(parents=True, exist_ok=True)
    process.run([process.find("git"), "init", "--quiet", "--template="], cwd=folder, env=_plain())


def commit_of(git: Command, tree: str, parent: str) -> str:
    """A commit of a tree after another commit, with nobody's name: it is only for the journey."""
    return git.run("commit-tree", "-p", parent, "-m", "snapshot", tree, environment=AUTHOR).text


def url_of(git: Command, remote: str) -> str:
    """Where a git remote is; the path of a folder is made absolute."""
    url = git.run("remote", "get-url", "--end-of-options", not_an_option(remote, "a remote")).text
    here = git.root / url
    return str(here.resolve()) if "://" not in url and here.is_dir() else url


def packed(git: Command, wanted: Iterable[str], known: str) -> bytes:
    """Some trees with all that is in them, without what a commit known to the other side reaches."""
    asked = "".join(f"{tree}\n" for tree in wanted) + f"^{known}\n"
    return git.run("pack-objects", "--revs", "--thin", "--stdout", "-q", data=asked.encode()).stdout


def unpack(git: Command, pack: bytes) -> None:
    """Take over objects; raise GitFailed if one is broken, or leads to something that is not here."""
    git.run("unpack-objects", "-q", "--strict", data=pack)


def _plain() -> dict[str, str]:
    """The process's environment, without what a hook of git's is told of its repository."""
    return {name: value for name, value in os.environ.items() if name not in WHERE}
