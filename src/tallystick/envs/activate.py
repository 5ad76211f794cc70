"""The environment variables that make a command use a rebuilt environment."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tallystick.envs.interpreter import entered_by, programs_in, pythons_in
from tallystick.envs.rebuild import Rebuilt
from tallystick.paths import check_path
from tallystick.records.environment import Lock

MARKS = ("pyvenv.cfg", "conda-meta")
"""What tells a folder that holds a Python and its packages."""

_OTHERS = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONINSPECT", "CONDA_PREFIX")
_LARGEST = 1 << 20


def variables(
    rebuilt: Rebuilt, base: Mapping[str, str], lock: Lock, worktree: Path, tools: Path | None = None
) -> dict[str, str]:
    """`base` with the rebuilt environment in front; the project's own package is imported from `worktree`.

    `tools` is a folder of programs that come before even those.
    """
    kept = {name: value for name, value in base.items() if name not in (*_OTHERS, "VIRTUAL_ENV")}
    before = () if tools is None else (str(tools),)
    path = os.pathsep.join(filter(None, (*before, str(rebuilt.bin), base.get("PATH", os.defpath))))
    chosen = {"PATH": path, "PYTHONNOUSERSITE": "1"}
    if lock.conda:
        chosen |= {**_set_by_packages(rebuilt.folder), "CONDA_PREFIX": str(rebuilt.folder)}
    else:
        chosen["VIRTUAL_ENV"] = str(rebuilt.folder)
    own = os.pathsep.join(str(worktree / root) for root in own_roots(lock))
    return kept | chosen | ({"PYTHONPATH": own} if own else {})


def _set_by_packages(folder: Path) -> dict[str, str]:
    """The variables that conda's packages ask for in so many words; their scripts are not executed."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("etc/conda/env_vars.d/*.json")):
        with suppress(OSError, ValueError, RecursionError):
            value = json.loads(path.read_bytes()) if path.stat().st_size <= _LARGEST else None
            if isinstance(value, dict):
                found.update((str(name), text) for name, text in value.items() if isinstance(text, str))
    return found


def stand_in(rebuilt: Rebuilt, cmd: str | Sequence[str], cwd: Path, worktree: Path) -> None:
    """Put the rebuilt environment where a command looks for its own, as in `.venv/bin/python train.py`.

    Only inside the worktree, and only where there is nothing.
    """
    named = [Path(os.path.normpath(cwd / word)).parent.parent for word in pythons_in(cmd) if "/" in word]
    for environment in (*named, *map(Path, entered_by(cmd, cwd))):
        # The repository may hold a link at any of the folders above.
        parent = Path(os.path.realpath(environment.parent))
        inside = parent.is_relative_to(os.path.realpath(worktree))
        if inside and not os.path.lexists(environment):
            parent.mkdir(parents=True, exist_ok=True)
            os.symlink(rebuilt.bin.parent, parent / environment.name)


def lend(cmd: str | Sequence[str], folder: str, here: Path, there: Path) -> None:
    """Let a command find the environment that it names, as in `.venv/bin/python`, in another worktree, too.

    Of links in a folder that git doesn't see: a link alone would be a new file to git.
    """
    cwd = here / folder
    named = [os.path.dirname(os.path.dirname(cwd / word)) for word in programs_in(cmd) if "/" in word]
    for lent in map(Path, map(os.path.normpath, (*named, *entered_by(cmd, cwd)))):
        if lent == here or not lent.is_relative_to(here):
            continue
        own = there / lent.relative_to(here)
        if os.path.lexists(own) or not any((lent / mark).exists() for mark in MARKS):
            continue
        own.mkdir(parents=True)
        (own / ".gitignore").write_text("*\n")
        for entry in lent.iterdir():
            if entry.name != ".gitignore":
                (own / entry.name).symlink_to(entry)


def own_roots(lock: Lock) -> list[str]:
    """The folders of the project that its environment imports from, as editable installs do."""
    editable = [package for package in lock.packages if package.source == "editable" and package.url]
    roots = [root for package in editable for root in (package.url or "").split(":")]
    return [root if root == "." else check_path(root, "environment.lock") for root in dict.fromkeys(roots)]
