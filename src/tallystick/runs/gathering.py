"""Gather all that a stage is made from, just before its command runs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tallystick.containers.images import Resolved
from tallystick.data.freezing import keep
from tallystick.data.tracked import Tracked, owner_of, pointers_of
from tallystick.envs.captured import Captured
from tallystick.frozen import dataclass
from tallystick.git.snapshots import too_large_or_secret
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records.pointer import SUFFIX
from tallystick.records.provenance import Code, Feature
from tallystick.records.receipt import Artifact
from tallystick.runs.accounts import refuse_secrets
from tallystick.runs.edited import produced_by
from tallystick.runs.features import features_now
from tallystick.runs.images import image_now
from tallystick.runs.inputs import (
    Surroundings,
    dep_now,
    environment_now,
    out_now,
    params_now,
    variables_now,
)
from tallystick.runs.pipelines import Graph, Step
from tallystick.runs.readiness import absent


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a stage is made from, as it was just before its command ran."""

    code: Code
    deps: tuple[Artifact, ...]
    params: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, str | None]
    environment: Captured | None
    produced_by: Mapping[str, str]
    unadded: tuple[str, ...]
    features: tuple[Feature, ...] = ()
    container: Resolved | None = None


def gather(
    project: Project, graph: Graph, step: Step, surroundings: Surroundings, progress: Progress = silent
) -> Inputs:
    """Read all that a stage is made from; raise Refused if something it needs isn't there.

    An image that isn't here is pulled, which may take a while.
    """
    # What was looked at a while ago is looked at again: now it counts, and then what runs will write.
    # Whatever changes behind the look that counts is found to have changed once the command is over.
    surroundings.noted.expire()
    deps = _deps(project, graph, step, surroundings)
    surroundings.noted.untouched = False
    params, variables = params_now(project, step, surroundings), variables_now(step, surroundings)
    refuse_secrets([step], params, variables, surroundings.variables)
    inputs = Inputs(
        code=_code(project, graph, surroundings),
        deps=deps,
        params=params,
        variables=variables,
        environment=environment_now(project, step, surroundings),
        produced_by=produced_by(project, graph, step),
        unadded=tuple(_unadded(project, deps)),
        features=features_now(project, step),
        container=image_now(project, step, surroundings, progress),
    )
    # What runs now may bring programs along.
    surroundings.noted.interpreters.clear()
    return inputs


def _deps(project: Project, graph: Graph, step: Step, surroundings: Surroundings) -> tuple[Artifact, ...]:
    looked = surroundings.noted.artifacts(project, step.deps, dep_now)
    deps = []
    for path in step.deps:
        found = looked[path]
        if found is None:
            raise absent(project, graph, step, path)
        deps.append(found)
    return tuple(deps)


def _unadded(project: Project, deps: Sequence[Artifact]) -> Iterator[str]:
    """The tracked paths whose pointers don't say what is read; it is stored, so that it can be had again."""
    for dep, tracked in _tracked(project, deps):
        now = dep if tracked.path == dep.path else out_now(project, tracked.path)
        if now is not None and now.digest != tracked.pointer.digest:
            keep(project, tracked.path)
            yield tracked.path


def _tracked(project: Project, deps: Sequence[Artifact]) -> Iterator[tuple[Artifact, Tracked]]:
    """The deps that are tracked, with the path that is: the dep's own, one around it, or those inside."""
    pointers = pointers_of(project)
    owners: dict[str, Tracked | None] = {}
    names: dict[str, frozenset[str]] = {}
    for dep in deps:
        folder, _, name = dep.path.rpartition("/")
        if folder not in owners:
            # Ten thousand deps may lie in one folder: it is asked once which of them have pointers.
            owners[folder], names[folder] = owner_of(pointers, dep.path), _names(project, folder)
        own = pointers.at(dep.path) if name + SUFFIX in names[folder] else None
        nearest = own or owners[folder]
        if nearest is None and dep.kind == "file":
            continue
        # Only a folder has something below it, and to look there costs a process of git's.
        inside = pointers.below(dep.path) if nearest is None else ()
        below = [one for one in inside if isinstance(one, Tracked)]
        yield from ((dep, tracked) for tracked in ([nearest] if nearest else below))


def _names(project: Project, folder: str) -> frozenset[str]:
    """The names of the pointers in a folder."""
    try:
        names = os.listdir(os.path.join(project.git.root, folder))
    except OSError:
        return frozenset()
    return frozenset(name for name in names if name.endswith(SUFFIX))


def _code(project: Project, graph: Graph, surroundings: Surroundings) -> Code:
    """The worktree as it is now, kept as a git tree; without what stages make, which may be under way."""

    def leave_out(path: str, size: int) -> bool:
        return _is_made(graph, path) or too_large_or_secret(path, size)

    snapshot, standing = project.git.snapshot(leave_out), surroundings.standing_for
    commit = project.git.head() if standing is None else standing.commit
    missing = snapshot.left_out if standing is None else standing.left_out
    left_out = tuple(path for path in missing if not _is_made(graph, path))
    # Of submodules whose files stand in a temporary worktree themselves, git no longer knows the commits.
    submodules = {**({} if standing is None else standing.submodules), **snapshot.submodules}
    edited = any(path[:-1] in submodules for path in left_out if path.endswith("/"))
    dirty = commit is None or project.git.tree_of(commit) != snapshot.tree or edited
    return Code(commit, snapshot.tree, dirty, left_out, submodules)


def _is_made(graph: Graph, path: str) -> bool:
    """Whether a path is data that a stage makes, and no file that git keeps."""
    maker = graph.maker(path.rstrip("/"))
    outs = () if maker is None else graph.steps[maker].outs
    return any(out.cache and (path == out.path or path.startswith(f"{out.path}/")) for out in outs)
