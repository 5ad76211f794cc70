"""Make a git repository a Tallystick project."""

import os
from pathlib import Path

from tallystick.errors import NotAProject
from tallystick.files import create_exclusive
from tallystick.frozen import dataclass
from tallystick.git.plumbing import Git
from tallystick.project import SHARED_CONFIG, Project, open_places

SHARED_TEXT = """\
# Settings of this project that everybody shares, in git's syntax. `tally config` changes them.
[core]
\trepository = {repository}
"""


@dataclass(frozen=True, slots=True)
class Initialised:
    """Where the project is, its random id, and whether it was made just now."""

    root: str
    repository: str | None
    created: bool
    notes: tuple[str, ...]


def init(folder: Path, settings: Path, *, stage: bool = True) -> Initialised:
    """Write `.tallyconfig`, put it into git's index, and allow this repository's commands to run.

    A repository that is a project already is left as it is; that somebody else made it is no reason to
    trust it, so nothing is allowed then. Raises NotAProject outside of a git repository.
    """
    git = Git.discover(folder)
    repository = os.urandom(16).hex()
    created = _create(git, repository)
    project = open_places(git, settings)
    if created:
        project.grants.grant_all()
        if stage:
            git.stage([SHARED_CONFIG])
    return Initialised(str(git.root), project.config.repository, created, _notes(project, created))


def _create(git: Git, repository: str) -> bool:
    """Write the shared settings unless they are there; say whether they were written."""
    shared = git.root / SHARED_CONFIG
    if shared.is_symlink() or (shared.exists() and not shared.is_file()):
        raise NotAProject(f"`{shared}` is not a plain file", hint="move it away, then run `tally init` again")
    if shared.exists():
        return False
    return create_exclusive(shared, SHARED_TEXT.format(repository=repository).encode())


def _notes(project: Project, created: bool) -> tuple[str, ...]:
    if created and project.git.ignored([SHARED_CONFIG]):
        return (f"git ignores `{SHARED_CONFIG}`: others won't get the settings",)
    if not created and not project.grants.granted_all():
        return ("its commands don't run without your consent: `tally run` asks for it",)
    return ()
