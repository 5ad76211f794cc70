"""Whether stages can run at all: what they read is there, and what they write is free."""

import posixpath
from collections.abc import Collection, Sequence

from tallystick.data.tracked import Tracked, owner_of, pointers_of
from tallystick.errors import Refused
from tallystick.project import Project
from tallystick.runs.contained import require_observable
from tallystick.runs.features import features_now
from tallystick.runs.inputs import artifact_pointed
from tallystick.runs.listing import missing
from tallystick.runs.pipelines import Graph, Step


def require(project: Project, graph: Graph, steps: Sequence[Step]) -> None:
    """Raise Refused if a stage needs what isn't there and no stage makes, or writes what isn't its own.

    A feature that isn't what it was published as is refused, too, and a container that can't be looked into.
    """
    root = str(project.git.root)
    for step in steps:
        gone = missing(root, step.deps)
        for path in step.deps if gone else ():
            if path in gone and not _is_made(graph, path, step):
                raise absent(project, graph, step, path)

    committed = project.git.tracked([out.path for step in steps for out in step.outs if out.cache])
    # A thousand outs may lie in one folder: each folder is looked at once.
    owners: dict[str, Tracked | None] = {}
    folders: dict[str, bool] = {}
    for step in steps:
        features_now(project, step)
        require_observable(step)
        _check_folder(project, graph, step, folders)
        _check_outs(project, step, committed, owners)


def _check_folder(project: Project, graph: Graph, step: Step, folders: dict[str, bool]) -> None:
    """Raise Refused if the folder that the command runs in isn't there."""
    if step.cwd not in folders:
        folders[step.cwd] = (project.git.root / step.cwd).is_dir()
    if not folders[step.cwd] and not _is_made(graph, step.cwd, step):
        raise Refused(
            f"stage `{step.address}` runs in `{step.cwd}`, which is no folder",
            hint=f"make it, or correct `wdir` in `{step.source}`",
        )


def _check_outs(
    project: Project, step: Step, committed: Collection[str], owners: dict[str, Tracked | None]
) -> None:
    """Raise Refused if an out belongs to git, or to a tracked folder, already."""
    cached = [out.path for out in step.outs if out.cache]
    for path in cached:
        held = [name for name in committed if name == path or name.startswith(f"{path}/")]
        if held:
            raise Refused(
                f"`{min(held)}`, which stage `{step.address}` makes, is tracked by git",
                hint=f"`git rm --cached {min(held)}`, or declare the out with `cache: false`",
            )
        folder = posixpath.dirname(path)
        if folder not in owners:
            owners[folder] = owner_of(pointers_of(project), path)
        owner = owners[folder]
        if owner is not None:
            raise Refused(
                f"`{path}`, which stage `{step.address}` makes, lies in the tracked folder `{owner.path}`",
                hint="give the stage a folder of its own",
            )


def _is_made(graph: Graph, path: str, step: Step) -> bool:
    """Whether another stage makes a path, or a part of it."""
    parts = (address for out, address in graph.makers.items() if out.startswith(f"{path}/"))
    return graph.maker(path) is not None or any(address != step.address for address in parts)


def absent(project: Project, graph: Graph, step: Step, path: str) -> Refused:
    """The complaint about a dep that isn't there, with the way to it."""
    if artifact_pointed(project, path) is not None:
        return Refused(
            f"stage `{step.address}` needs `{path}`, whose data isn't in the worktree",
            hint=f"tally pull {path}",
        )
    maker = graph.maker(path)
    if maker is not None and maker != step.address:
        frozen = graph.steps[maker].stage.frozen
        return Refused(
            f"stage `{step.address}` needs `{path}`, which stage `{maker}` makes"
            + (", and that is frozen" if frozen else ""),
            hint=f"take `frozen` out of `{maker}`, or put `{path}` there" if frozen else f"tally run {maker}",
        )
    return Refused(
        f"stage `{step.address}` needs `{path}`, which doesn't exist and which no stage makes",
        hint=f"put it there, or correct `deps` in `{step.source}`",
    )
