"""Run a program in a recorded environment, with the terminal to itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tallystick import process
from tallystick.envs.activate import variables as activated
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.runs.environments import build_found
from tallystick.runs.locks import find_lock, require_lock_grant


def env_exec(
    project: Project,
    words: Sequence[str],
    target: str | None = None,
    *,
    variables: Mapping[str, str],
    cwd: Path,
    folder: str = "",
    any_python: bool = False,
    progress: Progress = silent,
) -> int:
    """Run a command in the environment of a lock, built first if it isn't there; return its exit code.

    The code of the project that it imports is the worktree's, whichever commit's environment it is.
    Raises NotTrusted before anything is installed, EnvironmentNotRebuilt with the reason.
    """
    found = find_lock(project, target, folder)
    require_lock_grant(project, found)
    rebuilt = build_found(project, found, variables, any_python=any_python, progress=progress)
    env = activated(rebuilt, variables, found.lock, project.git.root)
    return process.hand_over(words, cwd=cwd, env=env)
