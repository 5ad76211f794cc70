"""Put a command into a container: the worktree, a record of what it does, and nothing else of here."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tallystick.containers.box import HOME, HOOK, NOBODY, PROJECT, RECORD, TRACE, Box, Shared
from tallystick.containers.images import Resolved
from tallystick.errors import Refused
from tallystick.git.plumbing import Git
from tallystick.project import Project
from tallystick.runs.execution import Execution, execute
from tallystick.runs.inputs import Surroundings
from tallystick.runs.pipelines import Step
from tallystick.runs.recording import VARIABLE as RECORD_VARIABLE
from tallystick.runs.recording import Record
from tallystick.runs.undeclared import found, scope_of
from tallystick.tracing.accesses import Access, Undeclared
from tallystick.tracing.tracer import HOOK as HOOK_HERE
from tallystick.tracing.tracer import UNTRACED, Tracer, observing
from tallystick.tracing.tracer import VARIABLE as TRACE_VARIABLE

UNSTARTED = 125
"""The exit code of an engine that could not start a container."""

OUTSIDE = frozenset({"strace", "enforce"})
"""Ways to observe a command that can't look into a container."""


def require_observable(step: Step) -> None:
    """Raise Refused where a stage wants to be observed in a way that ends at its container."""
    if step.stage.image is not None and step.stage.trace in OUTSIDE:
        raise Refused(
            f"stage `{step.address}` runs in a container, which `trace: {step.stage.trace}` can't look into",
            hint=f"write `trace: python` or `trace: none` into `{step.source}`",
        )


def boxed(
    git: Git, resolved: Resolved, cwd: str, variables: Mapping[str, str], record: Path, *, network: bool
) -> Box:
    """A container in which a worktree is at its usual place; its history can only be read."""
    home = record / "home"
    home.mkdir(exist_ok=True)
    root = os.path.realpath(git.root)
    return Box(
        resolved,
        cwd,
        {**variables, "HOME": HOME, "USER": NOBODY, RECORD_VARIABLE: RECORD},
        (
            Shared(root, PROJECT, writable=True),
            *_history(git, root),
            Shared(os.path.realpath(record), RECORD, writable=True),
            Shared(os.path.realpath(home), HOME, writable=True),
        ),
        network,
    )


def _history(git: Git, root: str) -> Iterator[Shared]:
    """What git knows, to be read; a linked worktree names it by its real path."""
    common, own = os.path.realpath(git.common), os.path.join(root, ".git")
    if common == own:
        yield Shared(own, f"{PROJECT}/.git")
    else:
        yield Shared(common, common)


def tracer_of(box: Box) -> Tracer:
    """A container as what is put around a command."""
    return Tracer("none", box.before, farewell=box.farewell)


def executed_inside(
    project: Project,
    step: Step,
    resolved: Resolved,
    variables: Mapping[str, str],
    surroundings: Surroundings,
    record: Record,
    output: Callable[[bytes], None],
) -> tuple[Execution, Undeclared]:
    """Run a stage's command in its image, and see what Python opens there."""
    # Like any stage's command when it runs for the first time: the network is the user's.
    box = boxed(project.git, resolved, step.cwd, variables, record.folder, network=True)
    with _watched(project, step, box) as (watched, tracer):
        around = tracer_of(watched)
        execution = execute(
            project,
            step.stage.cmd,
            cwd=project.git.root,
            variables=surroundings.variables,
            output=output,
            record=record,
            stop=surroundings.stop,
            lock=surroundings.lock,
            tracer=around,
        )
        return execution, found(project, step, tracer)


@contextmanager
def _watched(project: Project, step: Step, box: Box) -> Iterator[tuple[Box, Tracer]]:
    """A container whose own Python tells what it opens, and who hears it."""
    scope = scope_of(project, step)
    inside = replace(scope, root=PROJECT)
    with observing(step.stage.trace, inside, {}, project.home / "traces") as tracer:
        if tracer.trace == "none":
            yield box, UNTRACED
            return
        folder = tracer.variables[TRACE_VARIABLE]
        paths = (box.variables.get("PYTHONPATH"), box.resolved.image.variables.get("PYTHONPATH"))
        own = next((path for path in paths if path is not None), "")
        variables = {
            **box.variables,
            TRACE_VARIABLE: TRACE,
            "PYTHONPATH": os.pathsep.join(filter(None, (HOOK, own))),
        }
        shared = (*box.shared, Shared(str(HOOK_HERE), HOOK), Shared(folder, TRACE, writable=True))
        watched = replace(box, variables=variables, shared=shared)
        yield watched, replace(tracer, account=lambda: tuple(_outside(tracer.findings(), scope.root)))


def _outside(accesses: tuple[Access, ...], root: str) -> Iterator[Access]:
    """What was opened in a container, as this machine calls it."""
    for access in accesses:
        if access.path.startswith(f"{PROJECT}/"):
            yield replace(access, path=root + access.path[len(PROJECT) :])
