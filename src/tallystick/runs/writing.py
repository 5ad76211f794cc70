"""Write records of ours into the worktree, never over a link that leads out of it."""

import os

from tallystick.files import translated, write_atomic
from tallystick.project import Project
from tallystick.worktree.folders import Folders


def make_folders(project: Project, path: str) -> None:
    """Make the folders above a path; raise Refused where one of them is a link (rule P3)."""
    with translated(path), Folders(project.git.root) as folders:
        folders.around(os.fsencode(path), make=True)


def write_record(project: Project, path: str, data: bytes) -> None:
    """Replace a file of the worktree, whole and durable."""
    make_folders(project, path)
    write_atomic(project.git.root / path, data)
