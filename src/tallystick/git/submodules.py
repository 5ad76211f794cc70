"""Submodules: which there are, what git sees in them, and which repository stands in one."""

import os
from collections.abc import Iterator, Mapping

from tallystick.errors import TallyError
from tallystick.git.command import Command

_PATHS = ("config", "--file", ".gitmodules", "-z", "--get-regexp", r"^submodule\..*\.path$")
_FILES = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
_MODE = "160000"


def submodules(git: Command, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The submodules that the index has: path and commit."""
    if not (git.root / ".gitmodules").is_file():
        return {}
    named = os.fsdecode(git.run(*_PATHS, check=False).stdout).split("\0")
    paths = [path for entry in named if (path := entry.partition("\n")[2])]
    if not paths:
        return {}
    staged = git.run("ls-files", "-z", "--stage", "--", *paths, environment=environment)
    return dict(_links(staged.stdout, 1))


def submodules_at(git: Command, commit: str) -> dict[str, str]:
    """The submodules that a commit names."""
    return dict(_links(git.run("ls-tree", "-r", "-z", commit).stdout, 2))


def _links(listed: bytes, place: int) -> Iterator[tuple[str, str]]:
    """Path and commit of each submodule among entries; the id is the word at a place."""
    for entry in filter(None, listed.split(b"\0")):
        about, _, path = entry.partition(b"\t")
        words = about.decode().split(" ")
        if words[0] == _MODE:
            yield os.fsdecode(path), words[place]


def repository_at(git: Command, path: str) -> Command | None:
    """The repository that stands in a submodule's folder; None where none does, or a link leads elsewhere."""
    place = git.root / path
    if os.path.realpath(place) != os.path.join(os.path.realpath(git.root), path):
        return None
    if not (place / ".git").exists():
        return None
    try:
        found = Command.discover(place)
    except TallyError:
        return None
    return found if os.path.realpath(found.root) == os.path.realpath(place) else None


def files_within(git: Command, folder: str) -> set[str]:
    """What git sees in submodules, at and below a folder and around it.

    Pointers in them are files like others: what they track is the business of that project.
    """
    found: set[str] = set()
    for path in submodules(git):
        inside = _part(path, folder)
        own = None if inside is None else repository_at(git, path)
        if own is not None and inside is not None:
            listed = own.names(*_FILES, "--", inside or ".")
            found |= {f"{path}/{name}" for name in {*listed, *files_within(own, inside)}}
    return found


def files_of(own: Command, prefix: str) -> Iterator[tuple[str, bool]]:
    """The files of a submodule that git sees, those of submodules in it too, and whether each is new.

    A submodule in it that isn't here has none.
    """
    for word in ("--cached", "--others"):
        for name in own.names("ls-files", "-z", word, "--exclude-standard"):
            if (own.root / name).is_dir() and not (own.root / name).is_symlink():
                continue  # a submodule, or another repository
            yield f"{prefix}/{name}", word == "--others"
    for path in submodules(own):
        inner = repository_at(own, path)
        if inner is not None:
            yield from files_of(inner, f"{prefix}/{path}")


def _part(path: str, folder: str) -> str | None:
    """What of a submodule a folder means: nothing, all (an empty text), or a folder in it."""
    if folder in ("", path) or path.startswith(f"{folder}/"):
        return ""
    return folder[len(path) + 1 :] if folder.startswith(f"{path}/") else None
