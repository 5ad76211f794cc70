"""Record the environment at hand, or that of a stage, without running anything in it."""

import posixpath
from collections.abc import Mapping

from tallystick.digest import Digest
from tallystick.envs.captured import Captured
from tallystick.envs.interpreter import interpreter_of
from tallystick.envs.remembered import capture_anew, kept_wheel
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.project.trust import require_grant
from tallystick.records import environment as environments
from tallystick.records.pipeline import FILE as PIPELINE
from tallystick.runs.locks import upwards
from tallystick.runs.pipelines import load, read_file
from tallystick.runs.writing import write_record


@dataclass(frozen=True, slots=True)
class Locked:
    """What was recorded, where, what of it differs from before, and what a rebuild won't have."""

    path: str
    digest: Digest
    python: str
    platform: str
    interpreter: str
    packages: int
    changes: tuple[str, ...]
    problems: tuple[str, ...]
    new: bool


def env_lock(
    project: Project, stage: str | None = None, *, variables: Mapping[str, str], folder: str = ""
) -> Locked:
    """Write `environment.lock`: of the Python that a stage would use, or else of the one on PATH.

    It lies beside the pipeline: that of the stage, or the nearest one from a folder upwards. Packages that no
    index has go into the store. Raises Refused where there is no Python, or a container.
    """
    path, captured = _taken(project, stage, variables, folder)
    before = read_file(project, path)
    with project.store.writer() as writer:
        for wheel in captured.wheels:
            if not project.store.contains(wheel.digest):
                writer.add(kept_wheel(wheel))
        digest = writer.add(environments.render(captured.lock))
    old = None if before is None else environments.parse(before, path)
    write_record(project, path, environments.render(captured.lock))
    return Locked(
        path,
        digest,
        captured.python,
        captured.platform,
        captured.interpreter,
        len(captured.lock.packages),
        () if old is None else environments.compare(old, captured.lock),
        captured.problems,
        old is None,
    )


def _taken(
    project: Project, stage: str | None, variables: Mapping[str, str], folder: str
) -> tuple[str, Captured]:
    """Where the lock belongs, and what was found. Raises NotTrusted before a stage's Python is started."""
    if stage is None:
        path, cwd = _nearest(project, folder), project.git.root / folder
        interpreter = interpreter_of("python", variables, cwd)
    else:
        graph = load(project)
        step = graph.steps[graph.addresses(stage, folder)[0]]
        if step.stage.image is not None:
            raise Refused(
                f"stage `{step.address}` runs in the image `{step.stage.image}`: it uses no Python of here",
                hint="its receipt records the image, by its digest",
            )
        require_grant(project, [step.command])
        path, cwd = step.lock_path, project.git.root / step.cwd
        interpreter = interpreter_of(step.stage.cmd, variables, cwd)
    if interpreter is None:
        raise Refused("there is no Python on PATH", hint="activate the environment that is meant")
    return path, capture_anew(interpreter, variables, project.git.root, cwd=cwd)


def _nearest(project: Project, folder: str) -> str:
    """Where the lock of a folder belongs: where a pipeline or a lock stands, upwards, or else in the root."""
    for lock in upwards(folder):
        pipeline = posixpath.join(posixpath.dirname(lock), PIPELINE)
        if any((project.git.root / path).is_file() for path in (lock, pipeline)):
            return lock
    return environments.FILE
