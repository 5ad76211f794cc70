"""Find a repository and run the user's own git in it."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Self

from tallystick import process
from tallystick.errors import DiskFull, GitFailed, Locked, NotAProject, Refused, TallyError
from tallystick.frozen import dataclass
from tallystick.process import Completed

MAIN = "main"
"""The name of the worktree that is not a linked one."""

PATIENCE = 5.0
"""Seconds that we wait for another git to let go of a lock."""

BATCH = 400
"""Paths on one command line: far below what any system allows."""

WHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE")
"""What git tells its hooks about where they run; we pass on what discovery made of it."""

_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
"""Our own plumbing starts no hooks."""

_NO_ROOM = (b"No space left on device", b"Out of diskspace", b"Disk quota exceeded", b"disk full?")
"""How git says that the disk is full; `file write error` alone may be anything."""

_QUESTIONS = ("--is-bare-repository", "--absolute-git-dir", "--git-common-dir", "--show-toplevel")


@dataclass(frozen=True, slots=True)
class _Places:
    """What git says about a folder; a bare repository and the inside of a git directory have no root."""

    root: Path | None
    directory: Path
    common: Path


@dataclass(frozen=True, slots=True)
class Command:
    """One worktree: its top folder, its git directory, the directory that all worktrees share."""

    root: Path
    directory: Path
    common: Path
    worktree_id: str
    environment: Mapping[str, str] = field(repr=False, compare=False)

    @classmethod
    def discover(cls, path: Path) -> Self:
        """Find the repository around a folder; raise NotAProject if there is none or it is bare."""
        outer = _environment(path)
        asked = _ask(path, outer)
        if asked is None:
            raise NotAProject(
                f"`{path}` is not in a git repository", hint="run `git init`, then `tally init`"
            )
        if asked.root is None:
            raise NotAProject(
                f"`{asked.directory}` is a git directory without a worktree",
                hint="go to its worktree, or make one with `git worktree add <folder>`",
            )
        # Where the folder alone leads to the repository, hooks and filters should meet a plain environment.
        told = (
            {"GIT_DIR": str(asked.directory), "GIT_WORK_TREE": str(asked.root)} if "GIT_DIR" in outer else {}
        )
        own = told | _index_of(asked, outer)
        name = MAIN if asked.directory == asked.common else asked.directory.name
        return cls(asked.root, asked.directory, asked.common, name, {**_without(outer, WHERE), **own})

    def run(
        self,
        *words: str,
        data: bytes = b"",
        check: bool = True,
        hooks: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run git at the worktree's top; raise GitFailed, or Locked, if `check` and it fails."""
        options = () if hooks else _QUIET
        argv = [process.find("git"), "--no-pager", *options, *words]
        env = {**self.environment, **environment} if environment else self.environment
        deadline = time.monotonic() + PATIENCE
        while True:
            done = process.run(argv, cwd=self.root, env=env, data=data, check=False)
            if done.exit_code == 0 or not _is_locked(done):
                break
            if time.monotonic() > deadline:
                raise Locked(
                    f"git is busy: {last_line(done.stderr)}",
                    hint="wait for the other git command to end; if there is none, delete the lock file",
                )
            time.sleep(0.1)
        if check and done.exit_code != 0:
            raise failure(words[2] if words[0] == "-c" else words[0], done)
        return done

    def text(self, *words: str) -> str | None:
        """One line that git answers, None if it has no answer."""
        done = self.run(*words, check=False)
        return done.text or None if done.exit_code == 0 else None

    def names(self, *words: str) -> list[str]:
        """A list of names that git ends with NUL each."""
        return [os.fsdecode(name) for name in self.run(*words).stdout.split(b"\0") if name]


def last_line(complaint: bytes) -> str:
    """What git says in the end: the line that names the reason."""
    lines = [line.strip() for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith(("fatal:", "error:"))]
    chosen = (reasons or lines or ["it gave no reason"])[-1]
    return chosen.removeprefix("fatal: ").removeprefix("error: ")


def failure(verb: str, done: Completed) -> TallyError:
    """The error for a git command that failed for a reason of its own."""
    if any(words in done.stderr for words in _NO_ROOM):
        hint = "free some space and repeat the command"
        return DiskFull(f"no room for what `git {verb}` writes: {last_line(done.stderr)}", hint=hint)
    return GitFailed(f"`git {verb}` failed: {last_line(done.stderr)}", done.complaint)


def not_an_option(text: str, what: str) -> str:
    """Return a word from outside unchanged; raise Refused if git could take it for an option."""
    if not text or text.startswith("-") or "\0" in text or "\n" in text:
        raise Refused(f"`{text}` is not {what}")
    return text


def nul_ended(paths: Iterable[str | bytes]) -> bytes:
    """Paths as git reads them with `-z`."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def batches(paths: Iterable[str]) -> Iterator[list[str]]:
    """Paths in portions that fit on a command line."""
    every = list(paths)
    for start in range(0, len(every), BATCH):
        yield every[start : start + BATCH]


def _is_locked(done: Completed) -> bool:
    """Whether git gave up because another process holds a lock file."""
    return b".lock': File exists" in done.stderr


def _without(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    unwanted = set(names)
    return {name: value for name, value in environment.items() if name not in unwanted}


def _environment(path: Path) -> dict[str, str]:
    """The process's environment for git, speaking English and taking paths literally.

    A hook of a linked worktree gets GIT_DIR without GIT_WORK_TREE; git would then take any folder it is
    started in for the top. Where the folder itself leads to that same repository, it knows its top better.
    """
    environment = {**os.environ, "LC_ALL": "C", "GIT_LITERAL_PATHSPECS": "1"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"):
        if environment.get(name):
            environment[name] = os.path.abspath(environment[name])
    if "GIT_DIR" in environment and "GIT_WORK_TREE" not in environment:
        plain = _without(environment, WHERE)
        asked = _ask(path, plain)
        if asked is not None and asked.directory == Path(environment["GIT_DIR"]).resolve():
            return {**plain, **_only(environment, ("GIT_INDEX_FILE",))}
    return environment


def _ask(path: Path, environment: Mapping[str, str]) -> _Places | None:
    """Let git say where things are; None outside of a repository."""
    if not path.is_dir():
        return None
    done = process.run(
        [process.find("git"), "rev-parse", *_QUESTIONS], cwd=path, env=environment, check=False
    )
    answers = done.text.split("\n")
    # It answers in order and stops at the first question that has no answer: the worktree of a bare one.
    if done.exit_code != 0 and not (len(answers) == 3 and b"work tree" in done.stderr):
        if b"not a git repository" in done.stderr:
            return None
        raise failure("rev-parse", done)
    if len(answers) > 4:
        raise Refused(f"the path of the repository around `{path}` holds a line break")
    directory, common = ((path / answer).resolve() for answer in answers[1:3])
    return _Places(
        Path(answers[3]) if len(answers) == 4 and answers[0] == "false" else None, directory, common
    )


def _index_of(places: _Places, environment: Mapping[str, str]) -> dict[str, str]:
    """The index that a hook was told to use, if it is one of this very worktree (`git commit <path>`)."""
    index = environment.get("GIT_INDEX_FILE")
    if not index or places.root is None:
        return {}
    place = places.root / index
    ours = place.parent.resolve() == places.directory
    return {"GIT_INDEX_FILE": str(place)} if ours else {}


def _only(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: environment[name] for name in names if name in environment}
