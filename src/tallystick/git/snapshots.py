"""Write the worktree as a git tree, without touching the user's index."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from tallystick.files import temporary_name
from tallystick.frozen import dataclass
from tallystick.git.command import Command, nul_ended
from tallystick.git.submodules import files_of, repository_at, submodules
from tallystick.patterns import regex

LARGEST = 1 << 20
"""New files above so many bytes are data, not code."""

_SECRET = regex(
    r"\.env(\..*)?|.*\.env|\.envrc|\.netrc|_netrc|\.pgpass|\.pypirc|\.npmrc|\.htpasswd|\.git-credentials"
    r"|id_(rsa|dsa|ecdsa|ed25519)(_sk)?|.*\.(pem|key|p12|pfx|ppk|jks|keystore|kdbx|asc|gpg|ovpn)"
    r"|.*(credentials?|secrets?|passwords?|service[-_]?account)([._-].*)?",
    re.IGNORECASE,
)
_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".gnupg", ".azure", ".kube", ".docker"})
_PUBLIC = (".py", ".pyi", ".md", ".rst", ".example", ".sample", ".template", ".pub")
"""Code and text about secrets is no secret."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A git tree of the worktree as it was, and the new files that it leaves out.

    `submodules` are the commits checked out in them, by path. The files of one that holds uncommitted work
    stand in the tree themselves; where that can't be, it is left out, with a slash at its end.
    """

    tree: str
    left_out: tuple[str, ...]
    submodules: Mapping[str, str] = field(default_factory=dict)


def too_large_or_secret(path: str, size: int) -> bool:
    """Whether a file that git does not track yet should stay out of a snapshot."""
    return size > LARGEST or looks_secret(path)


def looks_secret(path: str) -> bool:
    """Whether a file's name is one that keys and passwords are kept under."""
    *folders, name = path.split("/")
    if not _SECRET_FOLDERS.isdisjoint(folders):
        return True
    return _SECRET.fullmatch(name) is not None and not name.lower().endswith(_PUBLIC)


def snapshot(git: Command, leave_out: Callable[[str, int], bool], *, whole: bool = False) -> Snapshot:
    """Write everything that git tracks, as it is now, and the new files that `leave_out` lets in.

    With `whole` the files of all submodules stand in the tree, for those who can't have their repositories.
    """
    with _scratch_index(git) as environment:
        git.run("add", "--update", "--", ".", environment=environment)
        kept, left_out = _sorted_new(git, environment, leave_out)
        commits = submodules(git, environment)
        unfit = tuple(commits) if whole else _dirty(git, environment, commits)
        there = {path: own for path in unfit if (own := repository_at(git, path)) is not None}
        inside, outside = _sorted_of_submodules(there, git.root, leave_out)
        words = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
        git.run(*words, data=nul_ended([*kept, *inside]), environment=environment)
        tree = git.run("write-tree", environment=environment).text
    absent = () if whole else tuple(f"{path}/" for path in unfit if path not in there)
    return Snapshot(tree, (*left_out, *outside, *absent), commits)


def _sorted_of_submodules(
    repositories: Mapping[str, Command], root: Path, leave_out: Callable[[str, int], bool]
) -> tuple[list[str], list[str]]:
    """The files of some submodules: those to keep and those to leave out."""
    kept: list[str] = []
    left_out: list[str] = []
    for path, own in repositories.items():
        for name, new in files_of(own, path):
            if new and _is_compiled(name):
                continue
            size = _size(root / name) if new else None
            (left_out if size is not None and leave_out(name, size) else kept).append(name)
    return kept, left_out


def _dirty(git: Command, environment: dict[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """The submodules that hold uncommitted work."""
    if not found:
        return ()
    asked = ("status", "--porcelain=v2", "-z", "--ignore-submodules=none", "--untracked-files=no")
    seen = git.run("--no-optional-locks", *asked, "--", *found, environment=environment)
    touched = sorted((path, edited) for path, edited in _touched(seen.stdout) if path in found)
    return tuple(path for path, edited in touched if edited or _has_new(git, path))


def _has_new(git: Command, path: str) -> bool:
    """Whether a submodule holds new files other than those that Python compiles by itself."""
    own = repository_at(git, path)
    new = None if own is None else own.names("ls-files", "-z", "--others", "--exclude-standard")
    return new is None or not all(map(_is_compiled, new))


def _is_compiled(name: str) -> bool:
    return "__pycache__/" in name


def _touched(listed: bytes) -> Iterator[tuple[str, bool]]:
    """The submodules that `status` says hold modified or new files, and whether modified ones are among them.

    (`S.MU`: its third and fourth letter.)
    """
    for entry in filter(None, listed.split(b"\0")):
        words = entry.split(b" ", 8)
        if words[0] == b"1" and words[2].startswith(b"S") and words[2][2:] != b"..":
            yield os.fsdecode(words[8]), words[2][2:3] == b"M"


@contextmanager
def _scratch_index(git: Command) -> Iterator[dict[str, str]]:
    """A copy of the user's index to work in.

    It starts as a copy so that unchanged files are known by their stat data; with its time, because git
    trusts an entry only if it is older than the index.
    """
    index = Path(git.environment.get("GIT_INDEX_FILE", git.directory / "index"))
    home = git.common / "tally"
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / temporary_name()
    try:
        if index.exists():
            shutil.copy2(index, scratch)
        yield {"GIT_INDEX_FILE": str(scratch)}
    finally:
        scratch.unlink(missing_ok=True)


def _sorted_new(
    git: Command, environment: dict[str, str], leave_out: Callable[[str, int], bool]
) -> tuple[list[str], list[str]]:
    """New files that git does not ignore: those to keep and those to leave out."""
    done = git.run("ls-files", "-z", "--others", "--exclude-standard", environment=environment)
    kept: list[str] = []
    left_out: list[str] = []
    for name in sorted(os.fsdecode(name) for name in done.stdout.split(b"\0") if name):
        size = _size(git.root / name)
        if size is not None:
            # A name with a slash at its end is another repository inside this one.
            (left_out if name.endswith("/") or leave_out(name, size) else kept).append(name)
    return kept, left_out


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None
