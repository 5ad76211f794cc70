"""Read tracked files, and files that git has, as any commit holds them."""

import io
import os
from pathlib import Path
from typing import IO, BinaryIO, Literal, overload

from tallystick.errors import Refused, WrongUsage
from tallystick.flows.read import read
from tallystick.project import Project, open_project
from tallystick.project.grants import settings_folder

_MODES = {"r", "rt", "rb"}

File = str | os.PathLike[str]


@overload
def open(
    path: File,
    mode: Literal["r", "rt"] = "r",
    *,
    rev: str | None = None,
    repo: File | None = None,
    encoding: str | None = None,
) -> IO[str]: ...


@overload
def open(
    path: File,
    mode: Literal["rb"],
    *,
    rev: str | None = None,
    repo: File | None = None,
    encoding: str | None = None,
) -> IO[bytes]: ...


def open(
    path: File,
    mode: str = "r",
    *,
    rev: str | None = None,
    repo: File | None = None,
    encoding: str | None = None,
) -> IO[str] | IO[bytes]:
    """Open a file of a project to read, as text unless `mode` is `rb`.

    `rev` is a commit, branch or tag; without it the pointer in the worktree counts, not bytes that were
    edited since. `path` is relative to `repo`, by default the current folder. What the local store lacks
    comes from the remotes, verified. Raises the errors of `tallystick.errors`.
    """
    if mode not in _MODES:
        raise WrongUsage(f"mode `{mode}` is not one of: r, rb", hint="what is versioned can only be read")
    data = _opened(Path(repo if repo is not None else Path.cwd()), os.fspath(path), rev)
    return data if mode == "rb" else io.TextIOWrapper(data, encoding=encoding or "utf-8")


def read_bytes(path: File, *, rev: str | None = None, repo: File | None = None) -> bytes:
    """Return a file's bytes; the arguments are those of `open`."""
    with open(path, "rb", rev=rev, repo=repo) as file:
        return file.read()


def read_text(
    path: File,
    *,
    rev: str | None = None,
    repo: File | None = None,
    encoding: str | None = None,
) -> str:
    """Return a file's text; the arguments are those of `open`."""
    with open(path, rev=rev, repo=repo, encoding=encoding) as file:
        return file.read()


def _opened(folder: Path, path: str, rev: str | None) -> BinaryIO:
    project = open_project(folder, settings_folder(os.environ))
    relative = _relative(project, folder, path)
    commit = None if rev is None else project.git.resolve(rev)
    try:
        return read(project, relative, commit=commit)
    except Refused:
        data = _kept_by_git(project, relative, commit)
        if data is None:
            raise
        return io.BytesIO(data)


def _relative(project: Project, folder: Path, path: str) -> str:
    """A path as the project knows it."""
    root = project.git.root.resolve()
    whole = Path(os.path.normpath(folder.resolve() / path))
    if not whole.is_relative_to(root):
        raise Refused(f"`{path}` is outside of the project at `{root}`")
    return whole.relative_to(root).as_posix()


def _kept_by_git(project: Project, path: str, commit: str | None) -> bytes | None:
    """The bytes of a file that git tracks; None if it tracks no such file."""
    if commit is not None:
        return project.git.read_at(commit, [path]).get(path)
    return (project.git.root / path).read_bytes() if path in project.git.tracked([path]) else None
