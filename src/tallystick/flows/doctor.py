"""Find out what is wrong here and how to repair it; looks, and leaves all as it was."""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from tallystick import __version__, process
from tallystick.data.tracked import Malformed, WorktreePointers
from tallystick.envs.installer import installer
from tallystick.errors import TallyError
from tallystick.files import reflink
from tallystick.frozen import dataclass
from tallystick.git.plumbing import NOBODY, Git
from tallystick.project import Project, open_project, open_remote
from tallystick.store.quarantine import Quarantine

Outcome = Literal["good", "warning", "bad"]

OLDEST_GIT = (2, 28)
_WRITES = {
    True: "that refuses to write a name twice",
    False: "that lets a name be written twice: pushes rest on names that nobody else takes",
    None: "that can only be read from here",
}

LITTLE_SPACE = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it."""

    what: str
    outcome: Outcome
    found: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings; `healthy` when nothing among them is bad."""

    findings: tuple[Finding, ...]
    healthy: bool


def doctor(folder: Path, settings: Path, *, remotes: bool = True) -> Diagnosis:
    """Look at the programs, the repository, the store, the pointers and, unless told not to, the remotes."""
    findings = tuple(_findings(folder, settings, remotes))
    return Diagnosis(findings, all(finding.outcome != "bad" for finding in findings))


def _findings(folder: Path, settings: Path, remotes: bool) -> Iterator[Finding]:
    yield Finding("tally", "good", f"{__version__}, Python {platform.python_version()}")
    yield _looked("git", _git_program)
    yield _looked("uv", _installer)
    try:
        project = open_project(folder, settings)
    except TallyError as error:
        yield Finding("project", "bad", error.message, error.hint)
        return
    yield Finding("project", "good", str(project.git.root))
    yield _author(project.git)
    yield _trust(project)
    yield _looked("local store", lambda: _store(project))
    yield from _quarantine(project)
    yield from _pointers(project)
    yield _ledger_place(project.git)
    if remotes:
        yield from _remotes(project)


def _looked(what: str, look: Callable[[], Finding]) -> Finding:
    """What a look finds; an error is a finding too."""
    try:
        return look()
    except TallyError as error:
        return Finding(what, "bad", error.message, error.hint)
    except OSError as error:
        return Finding(what, "bad", f"{error.filename}: {error.strerror}")


def _git_program() -> Finding:
    text = process.run([process.find("git"), "--version"]).text
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is not None and (int(found[1]), int(found[2])) < OLDEST_GIT:
        return Finding("git", "bad", text, f"{OLDEST_GIT[0]}.{OLDEST_GIT[1]} or later is needed")
    return Finding("git", "good", text)


def _installer() -> Finding:
    return Finding("uv", "good", process.run([installer(), "--version"]).text)


def _author(git: Git) -> Finding:
    author = git.author()
    if author == NOBODY:
        return Finding("author", "warning", "git knows no name", "git config --global user.name <name>")
    return Finding("author", "good", author)


def _trust(project: Project) -> Finding:
    if project.grants.granted_all():
        return Finding("trust", "good", "this repository's commands may run")
    known = len(project.grants.known()) or "none"
    return Finding("trust", "good", f"{known} of this repository's commands may run unasked")


def _store(project: Project) -> Finding:
    """Whether the store can be written, has room, and shares blocks with the worktree."""
    home = project.home if project.home.is_dir() else project.git.common
    if not os.access(home, os.W_OK | os.X_OK):
        return Finding(
            "local store", "bad", f"`{home}` can't be written", f"see who owns it: `ls -ld {home}`"
        )
    free = shutil.disk_usage(home).free
    found = f"{free / (1 << 30):.1f} GiB free; placing a large file in the worktree {_placing(project, home)}"
    if free < LITTLE_SPACE:
        return Finding("local store", "warning", found, "free some space")
    return Finding("local store", "good", found)


def _quarantine(project: Project) -> Iterator[Finding]:
    """What was damaged, here or at a remote, and has been set aside."""
    listed = Quarantine(project.store.quarantine).listed()
    if listed:
        size = sum(listed.values()) / (1 << 20)
        files = "1 file" if len(listed) == 1 else f"{len(listed):,} files"
        yield Finding(
            "quarantine",
            "warning",
            f"{files}, {size:.1f} MiB, that were damaged lie in `{project.store.quarantine}`",
            "find out why (a failing disk, a broken remote, an edit under `store.link`); then delete them",
        )


def _placing(project: Project, home: Path) -> str:
    """What placing a large file does."""
    if project.store.links:
        return "makes a link to it"
    if project.store.shares:
        return "gives it a second name, where the file system can"
    shares = _shares(home, project.git.root)
    return "shares its blocks" if shares else "copies it: it takes its space twice"


def _shares(store: Path, worktree: Path) -> bool:
    """Whether the file system can share blocks between the two, tried on files without names."""
    with tempfile.TemporaryFile(dir=store) as source, tempfile.TemporaryFile(dir=worktree) as destination:
        source.write(bytes(1 << 16))
        source.flush()
        return reflink(source.fileno(), destination.fileno())


def _pointers(project: Project) -> Iterator[Finding]:
    """How many paths are tracked, and each pointer that can't be read."""
    sound = 0
    for pointer in WorktreePointers(project).below(""):
        if isinstance(pointer, Malformed):
            yield Finding("pointer", "bad", pointer.error.message, pointer.error.hint)
        else:
            sound += 1
    yield Finding("pointers", "good", f"{sound} tracked")


def _ledger_place(git: Git) -> Finding:
    """Where the ledger and the commits can go."""
    remotes = git.remotes()
    if not remotes:
        return Finding("git remote", "warning", "none: commits and the ledger stay on this machine")
    return Finding("git remote", "good", ", ".join(remotes))


def _remotes(project: Project) -> Iterator[Finding]:
    """Whether each remote answers and is a store."""
    if not project.config.remotes:
        hint = "tally remote add origin <folder or URL>"
        yield Finding("remote", "warning", "none: data stays on this machine", hint)
    for name in sorted(project.config.remotes):
        yield _looked(f"remote {name}", partial(_remote, project, name))


def _remote(project: Project, name: str) -> Finding:
    exclusive = open_remote(project, name).creates_exclusively()
    return Finding(f"remote {name}", "good", f"it answers, and is a store {_WRITES[exclusive]}")
