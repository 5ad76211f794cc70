"""The Python that a command was seen to run in, where its words would have told another one."""

import os
from collections.abc import Sequence

from tallystick.envs.captured import Captured
from tallystick.envs.entering import TOOLS
from tallystick.envs.remains import remains
from tallystick.envs.remembered import capture_once
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.runs.inputs import Surroundings
from tallystick.runs.pipelines import Step
from tallystick.runs.recording import Record
from tallystick.runs.seen import remember
from tallystick.tracing.pythons import PythonProcess, parse


@dataclass(frozen=True, slots=True)
class Seen:
    """The environment that a command ran in, and sentences about what else ran."""

    captured: Captured | None
    remarks: tuple[str, ...] = ()


def as_it_ran(
    project: Project, step: Step, foreseen: Captured | None, record: Record, surroundings: Surroundings
) -> Seen:
    """The environment of the Python that really ran a command; the foreseen one where none told of itself.

    Where it is another than was foreseen, that is remembered for this command.
    """
    # What a Python in a container says of itself is true there, not here.
    processes = [] if step.stage.image is not None else parse(record.pythons())
    decisive = chosen(processes, os.path.realpath(project.git.root))
    if decisive is None:
        return Seen(foreseen)
    remarks = tuple(_besides(processes, decisive, os.path.realpath(project.git.root)))
    if foreseen is not None and _is_of(decisive, foreseen):
        return Seen(foreseen, remarks)
    interpreter = _standing(project, decisive)
    try:
        captured = capture_once(
            interpreter,
            surroundings.variables,
            project.git.root,
            project.home / "captured",
            cwd=project.git.root / step.cwd,
        )
    except Refused:
        gone = f"the command ran in a Python {decisive.version} that is gone, its packages can't be recorded"
        return Seen(foreseen, (gone, *remarks))
    told = surroundings.noted.foreseen(project, step, surroundings.variables)
    remember(project, step, told, interpreter)
    surroundings.noted.seen = None
    return Seen(captured, remarks)


def _standing(project: Project, process: PythonProcess) -> str:
    """The Python of a process, or what is left of one that was made for its command only."""
    if not process.borrowed[2:] or os.access(process.executable, os.X_OK):
        return process.executable
    python, site, *folders = process.borrowed
    return remains(python, site, folders, project.home / "captured") or process.executable


def chosen(processes: Sequence[PythonProcess], root: str) -> PythonProcess | None:
    """The process that a command's result comes from, as far as one can tell.

    What only enters an environment (`poetry`, `conda`) counts least; then programs that come with one
    (`pytest`), then the project's own scripts; of these the one that loaded most, and the last such.
    """
    ranked = [
        (not _is_tool(each), _is_own(each, root), each.modules, number)
        for number, each in enumerate(processes)
    ]
    return processes[max(ranked)[-1]] if ranked else None


def _is_tool(process: PythonProcess) -> bool:
    return os.path.basename(process.script) in TOOLS


def _is_own(process: PythonProcess, root: str) -> bool:
    """Whether it runs the project's own code: a script of it, or code that is named or given directly."""
    if process.script in ("", "-c", "-m"):
        return True
    inside = process.script.startswith(f"{root}/")
    return inside and not process.script.startswith(f"{os.path.realpath(process.prefix)}/")


def _is_of(process: PythonProcess, captured: Captured) -> bool:
    folder = os.path.dirname(captured.interpreter)
    return process.environment == (folder, captured.python.removesuffix("t"))


def _besides(processes: Sequence[PythonProcess], decisive: PythonProcess, root: str) -> list[str]:
    """What else of the project's code ran, in another Python than the one that is recorded."""
    others = {
        (each.version, os.path.basename(each.script) or "a script")
        for each in processes
        if each.environment != decisive.environment and _is_own(each, root) and not _is_tool(each)
    }
    return [
        f"`{script}` ran in another Python ({version}), whose packages are not recorded"
        for version, script in sorted(others)
    ]
