"""What a stage would be made from if it ran now."""

from collections.abc import Mapping
from dataclasses import field
from threading import Event
from typing import Any

from tallystick.data.hashing import look
from tallystick.data.singles import digest_now
from tallystick.data.tracked import pointers_of
from tallystick.envs.captured import Captured
from tallystick.envs.remembered import capture_once
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import params as params_record
from tallystick.records.receipt import Artifact
from tallystick.runs.noted import Noted
from tallystick.runs.pipelines import Step


@dataclass(frozen=True, slots=True)
class Standing:
    """The commit that the user is at, the files that their snapshot left out, and submodules' commits."""

    commit: str | None
    left_out: tuple[str, ...] = ()
    submodules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment variables a stage sees, files as they would become, and what was captured so far.

    `seen` are paths that were looked at just now, by somebody who knows that nothing writes to them. In a
    temporary worktree `standing_for` is the state of the user's that it repeats; `stop` ends the command.
    With `declare`, what a command is seen to read becomes a dep of its stage. `lock` is that of the stage
    that runs: an open descriptor.
    """

    variables: Mapping[str, str]
    overlay: Mapping[str, bytes] = field(default_factory=dict)
    captured: dict[str, Captured] = field(default_factory=dict)
    seen: Mapping[str, Artifact] = field(default_factory=dict)
    noted: Noted = field(default_factory=Noted, compare=False)
    standing_for: Standing | None = None
    stop: Event | None = None
    declare: bool = False
    lock: int | None = None


def params_now(project: Project, step: Step, surroundings: Surroundings) -> dict[str, dict[str, Any]]:
    """The parameters that a stage names, by file and dotted key; raise BadRecord if one isn't there."""
    found: dict[str, dict[str, Any]] = {}
    for part in step.params:
        data = surroundings.overlay.get(part.path)
        if data is None:
            data = surroundings.noted.text(project, part.path)
        if data is None:
            raise BadRecord(
                f"stage `{step.address}` reads parameters from `{part.path}`, which doesn't exist",
                step.source,
            )
        values = params_record.select(surroundings.noted.params(data, part.path), part.keys, part.path)
        found.setdefault(part.path, {}).update(values)
    return found


def variables_now(step: Step, surroundings: Surroundings) -> dict[str, str | None]:
    """The environment variables that a stage's result depends on; None where one is not set."""
    return {name: surroundings.variables.get(name) for name in step.stage.variables}


def dep_now(project: Project, path: str) -> Artifact | None:
    """What a stage would read at a path now; None where there is nothing."""
    return digest_now(project, path)


def out_now(project: Project, path: str) -> Artifact | None:
    """What stands at a path that a stage makes, ignored by git or not; None where there is nothing."""
    found = look(project, path)
    return None if found is None else found.artifact


def artifact_pointed(project: Project, path: str) -> Artifact | None:
    """What a path should hold according to its pointer; None without one."""
    tracked = pointers_of(project).at(path)
    if tracked is None:
        return None
    pointer = tracked.pointer
    return Artifact(path, pointer.kind, pointer.digest, pointer.size, pointer.executable)


def environment_now(project: Project, step: Step, surroundings: Surroundings) -> Captured | None:
    """The environment of the interpreter that a stage's command uses; None where it uses none of here."""
    if step.stage.image is not None:
        return None
    interpreter = surroundings.noted.interpreter(project, step, surroundings.variables)
    if interpreter is None:
        return None
    if interpreter not in surroundings.captured:
        cwd = project.git.root / step.cwd
        surroundings.captured[interpreter] = capture_once(
            interpreter, surroundings.variables, project.git.root, project.home / "captured", cwd=cwd
        )
    return surroundings.captured[interpreter]
