"""Find the Python that a stage's command uses, by reading, never by running."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

_PYTHON = re.compile(r"(python|pypy)(\d+(\.\d+)*t?)?")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PLAIN = re.compile(r"[A-Za-z0-9_./:,@=%+ -]*")
_SEPARATORS = {";", "&", "&&", "|", "||", "(", ")", "{", "}", "!", "\n", "if", "then", "else", "do", "while"}
_WRAPPERS = {"exec", "env", "nice", "nohup", "time", "command", "stdbuf", "taskset", "ionice", "timeout"}
_SOURCES = {".", "source"}
_RUNNERS = {"uv", "poetry", "pdm", "rye", "pipenv", "hatch"}
_SHEBANG = re.compile(rb"^(?:#!\s*|'''exec' \"?)(/[^\"\n]*?/(?:python|pypy)[0-9.]*t?)[\" \n]", re.MULTILINE)
_LONGEST_HEAD = 512

OWN = ".venv"
"""The folder in which tools for projects keep a project's environment."""


def interpreter_of(cmd: str | Sequence[str], env: Mapping[str, str], cwd: Path) -> str | None:
    """The absolute path of the Python that a command runs in; None where there is no Python at all.

    The first program that is called `python…` decides; then the first script whose first line names one
    (`pytest`, `papermill`); then whatever `python3` or `python` is on PATH. An environment that the command
    enters (`. .venv/bin/activate`, `uv run`) comes before all others on PATH.
    """
    programs = programs_in(cmd)
    if entered := entered_by(cmd, cwd):
        folders = [os.path.join(folder, "bin") for folder in reversed(entered)]
        env = {**env, "PATH": os.pathsep.join([*folders, env.get("PATH", os.defpath)])}
    for word in _pythons(programs):
        if found := _which(word, env, cwd):
            return found
    for word in programs:
        script = _which(word, env, cwd)
        if script and (found := _named_by(script)):
            return found
    return _which("python", env, cwd) or _which("python3", env, cwd)


def entered_by(cmd: str | Sequence[str], cwd: Path) -> list[str]:
    """The environments that a command enters before it starts anything, in order."""
    words = _words(cmd) if isinstance(cmd, str) else list(cmd)
    found = []
    for word, after in pairwise(words):
        if word in _SOURCES and after.endswith("/bin/activate"):
            found.append(os.path.normpath(os.path.join(cwd, os.path.expanduser(after), "../..")))
        elif after == "run" and os.path.basename(word) in _RUNNERS:
            found.extend(_own_environment(cwd))
    return found


def _own_environment(cwd: Path) -> Iterator[str]:
    """The environment that a project's tool keeps in the project."""
    for folder in (cwd, *cwd.parents):
        if (folder / OWN / "pyvenv.cfg").is_file():
            yield str(folder / OWN)
            return
        if (folder / ".git").exists():
            return


def pythons_in(cmd: str | Sequence[str]) -> list[str]:
    """The words of a command that name a Python, in order."""
    return _pythons(programs_in(cmd))


def _pythons(programs: Sequence[str]) -> list[str]:
    return [word for word in programs if _PYTHON.fullmatch(os.path.basename(word))]


def programs_in(cmd: str | Sequence[str]) -> list[str]:
    """The words of a command that name programs, in order."""
    words = _words(cmd) if isinstance(cmd, str) else list(cmd)
    programs, expected = [], True
    for word in words:
        if word in _SEPARATORS:
            expected = True
        elif expected and not _ASSIGNMENT.match(word):
            programs.append(word)
            expected = os.path.basename(word) in _WRAPPERS
        elif _PYTHON.fullmatch(os.path.basename(word)) and "/" not in word.strip("/"):
            # `uv run python …`, `timeout 60 python …`: a bare `python` further on is meant to run too.
            programs.append(word)
    return programs


def _words(cmd: str) -> list[str]:
    if _PLAIN.fullmatch(cmd):
        # Nothing that a shell would read otherwise: most commands, and there may be thousands.
        return cmd.split()
    lexer = shlex.shlex(cmd.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        # An unclosed quote: the shell will say so; here any guess is as good.
        return cmd.split()


def _which(word: str, env: Mapping[str, str], cwd: Path) -> str | None:
    """Where a shell in `cwd` would find a program; links are kept, they tell virtual environments apart."""
    if "/" in word:
        candidates = [os.path.expanduser(word)]
    else:
        candidates = [os.path.join(folder, word) for folder in env.get("PATH", os.defpath).split(os.pathsep)]
    for candidate in candidates:
        path = os.path.normpath(os.path.join(cwd, candidate))
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def _named_by(script: str) -> str | None:
    """The Python that a script's first line names with its full path."""
    try:
        with open(script, "rb") as file:
            head = file.read(_LONGEST_HEAD)
    except OSError:
        return None
    if not head.startswith(b"#!"):
        return None
    # Where a path is too long or holds a space, installers write `#!/bin/sh` and `'''exec' "/path/python"`.
    named = _SHEBANG.search(head)
    path = named[1].decode(errors="surrogateescape") if named else ""
    return path if path and os.access(path, os.X_OK) else None
