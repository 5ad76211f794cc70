"""What the tests of data in a project share."""

from collections.abc import Mapping
from pathlib import Path

from tallystick.cli.context import settings_home
from tallystick.project import Project, open_project
from tests.sandbox import Repo


def opened(repo: Repo) -> Project:
    """The project around a repository, as a new process opens it."""
    return open_project(repo.path, settings_home())


def write_all(repo: Repo, files: Mapping[str, str | bytes]) -> None:
    """Write some files."""
    for name, content in files.items():
        repo.write(name, content)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path, links as their targets."""
    return {
        str(path.relative_to(folder)): str(path.readlink()).encode()
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def edit_in_place(file: Path) -> None:
    """What somebody does whom mode bits don't stop."""
    file.chmod(0o644)
    with file.open("r+b") as opened_file:
        opened_file.write(b"edited")
