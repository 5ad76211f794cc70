"""Opens the places for one directory; a value of doors, without verbs."""

from dataclasses import replace
from pathlib import Path

from tallystick.errors import NotAProject, Refused
from tallystick.frozen import dataclass
from tallystick.git.plumbing import Git
from tallystick.project.grants import Grants
from tallystick.records import config as config_record
from tallystick.records.config import Config
from tallystick.store import LocalStore, RemoteStore
from tallystick.worktree import Worktree

SHARED_CONFIG = ".tallyconfig"


@dataclass(frozen=True, slots=True)
class Project:
    """The doors of one project; `home` is `.git/tally` of the common git directory."""

    git: Git
    worktree: Worktree
    store: LocalStore
    config: Config
    grants: Grants
    home: Path


def open_project(folder: Path, settings: Path) -> Project:
    """Open the project around a folder; `settings` is the user's own folder for grants.

    Raises NotAProject outside of a git repository or before `tally init`, BadRecord for a bad `.tallyconfig`.
    """
    git = Git.discover(folder)
    if not (git.root / SHARED_CONFIG).is_file():
        raise NotAProject(f"`{git.root}` is not a Tallystick project", hint="run `tally init` there")
    return open_places(git, settings)


def open_places(git: Git, settings: Path) -> Project:
    """Open every place of a git repository, whether or not `tally init` ran there."""
    home = git.common / "tally"
    config = read_config(git)
    return Project(
        git=git,
        worktree=Worktree(git.root, home, git.worktree_id),
        store=LocalStore(home, config.values.get("store.link", "")),
        config=config,
        grants=Grants(settings, git.common),
        home=home,
    )


def with_own_doors(project: Project) -> Project:
    """The same project for another thread: what worktree and store remember is for one alone."""
    return replace(
        project,
        worktree=Worktree(project.git.root, project.home, project.git.worktree_id),
        store=LocalStore(project.home, project.config.values.get("store.link", "")),
    )


def read_config(git: Git) -> Config:
    """Settings: the shared file's below the user's own `git config tally.*`."""
    shared = git.config_entries(git.root / SHARED_CONFIG, "")
    return config_record.from_entries(shared, git.config_entries(None, "tally."))


def open_remote(project: Project, name: str | None = None) -> RemoteStore:
    """Open a remote by name, the default one without; raise Refused if there is none of that name."""
    chosen = name if name is not None else project.config.default_remote
    if chosen is None:
        raise Refused("no remote is set", hint="tally remote add origin <directory or URL>")
    remote = project.config.remotes.get(chosen)
    if remote is None:
        known = ", ".join(sorted(project.config.remotes)) or "none"
        raise Refused(f"there is no remote `{chosen}` (known: {known})", hint="see `tally remote list`")
    return RemoteStore.open(remote.url, remote.options, project.home / "remotes" / chosen, name=chosen)
