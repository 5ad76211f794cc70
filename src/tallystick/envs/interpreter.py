"""Find the Python that a stage's command uses, by reading, never by running."""

import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from tallystick.envs.entering import TOOLS, entries, words_of
from tallystick.envs.standins import FOLDER as STAND_INS
from tallystick.patterns import regex

HOMES = "tallystick.envs.homes"
"""What knows where tools keep environments: loaded for the few commands that enter one."""

_PYTHON = regex(r"(python|pypy)(\d+(\.\d+)*t?)?")
_ASSIGNMENT = regex(r"[A-Za-z_][A-Za-z0-9_]*=")
_BY_PLACE = frozenset({"poetry", "pipenv", "pdm"})
_SEPARATORS = {";", "&", "&&", "|", "||", "(", ")", "{", "}", "!", "\n", "if", "then", "else", "do", "while"}
_WRAPPERS = {"exec", "env", "nice", "nohup", "time", "command", "stdbuf", "taskset", "ionice", "timeout"}
_SHEBANG = regex(rb"^(?:#!\s*|'''exec' \"?)(/[^\"\n]*?/(?:python|pypy)[0-9.]*t?)[\" \n]", re.MULTILINE)
_LONGEST_HEAD = 512


def interpreter_of(cmd: str | Sequence[str], env: Mapping[str, str], cwd: Path) -> str | None:
    """The absolute path of the Python that a command runs in; None where there is no Python at all.

    The first program that is called `python…` decides; then the first script whose first line names one
    (`pytest`, `papermill`); then whatever `python3` or `python` is on PATH. An environment that the command
    enters (`. .venv/bin/activate`, `poetry run`, `conda run -n name`) comes before all others on PATH.
    """
    programs = programs_in(cmd)
    if entered := entered_by(cmd, cwd, env):
        folders = [os.path.join(folder, "bin") for folder in reversed(entered)]
        env = {**env, "PATH": os.pathsep.join([*folders, env.get("PATH", os.defpath)])}
    for word in _pythons(programs):
        if found := _which(word, env, cwd):
            return found
    for word in programs:
        # The tool by which an environment is entered is often a Python program of another one.
        script = None if os.path.basename(word) in TOOLS else _which(word, env, cwd)
        if script and (found := _named_by(script)):
            return found
    return _which("python", env, cwd) or _which("python3", env, cwd)


def entered_by(cmd: str | Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> list[str]:
    """The environments that a command enters before it starts anything, in order, as far as reading tells."""
    variables = env or {}
    # Where something stands in for the tools, the environment in front of PATH is entered already.
    replaced = os.path.basename(variables.get("PATH", "").partition(os.pathsep)[0]) == STAND_INS
    meant = [entry for entry in entries(words_of(cmd)) if not (replaced and entry.tool in TOOLS)]
    if not meant:
        return []
    homes = import_module(HOMES)
    found: list[str | None] = [homes.home_of(entry, variables, cwd) for entry in meant]
    return [place for place in found if place is not None]


def kept_by_place(cmd: str | Sequence[str], cwd: Path, env: Mapping[str, str]) -> list[str]:
    """The environments that a command's tools keep elsewhere for a project in this place, and in no other.

    In a copy of the project they would make another, unless this one is active (VIRTUAL_ENV).
    """
    meant = [entry for entry in entries(words_of(cmd)) if entry.tool in _BY_PLACE]
    found = [import_module(HOMES).home_of(entry, env, cwd) for entry in meant]
    return [place for place in found if place is not None]


def decisive_words(cmd: str | Sequence[str]) -> tuple[str, ...]:
    """All of a command that tells which Python it uses: two commands that share this use the same."""
    entered = entries(words_of(cmd))
    return tuple(word for entry in entered for word in (entry.tool, entry.name, entry.place, entry.folder))


def pythons_in(cmd: str | Sequence[str]) -> list[str]:
    """The words of a command that name a Python, in order."""
    return _pythons(programs_in(cmd))


def _pythons(programs: Sequence[str]) -> list[str]:
    return [word for word in programs if _PYTHON.fullmatch(os.path.basename(word))]


def programs_in(cmd: str | Sequence[str]) -> list[str]:
    """The words of a command that name programs, in order."""
    words = words_of(cmd)
    entered = {entry.begins for entry in entries(words)}
    programs, expected = [], True
    for number, word in enumerate(words):
        if word in _SEPARATORS:
            expected = True
        elif number in entered and not _ASSIGNMENT.match(word):
            # As in `hatch run environment:program`.
            programs.append(word.rpartition(":")[2])
            expected = os.path.basename(word) in _WRAPPERS
        elif expected and not _ASSIGNMENT.match(word):
            programs.append(word)
            expected = os.path.basename(word) in _WRAPPERS
        elif _PYTHON.fullmatch(os.path.basename(word)) and "/" not in word.strip("/"):
            # `uv run python …`, `timeout 60 python …`: a bare `python` further on is meant to run too.
            programs.append(word)
    return programs


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
