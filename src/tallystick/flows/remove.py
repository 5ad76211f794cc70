"""Stop tracking: pointers and ignore lines go, the data stays unless asked otherwise."""

import posixpath
import shlex
from collections.abc import Sequence
from contextlib import suppress

from tallystick.data.placing import check_losses, take_away, to_take_away, worktree_lock
from tallystick.data.tracked import Tracked, pointers_of, select
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project


@dataclass(frozen=True, slots=True)
class RemovedPath:
    """A path that is no longer tracked; `deleted` are the files of its data that are gone."""

    path: str
    pointer: str
    stage: str | None
    deleted: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What `tally remove` did, in the order of the paths."""

    paths: tuple[RemovedPath, ...]
    notes: tuple[str, ...] = ()


def remove(
    project: Project,
    targets: Sequence[str],
    *,
    delete: bool = False,
    stage: bool = True,
    force: bool = False,
    progress: Progress = silent,
) -> Removed:
    """Delete the pointers of targets and have git see the data again; with `delete` the data goes too.

    What is in the stores stays there. Data that is stored nowhere is deleted by `force` only: else
    WouldLoseChanges is raised before anything is touched.
    """
    tracked = _whole(project, targets)
    with worktree_lock(project):
        orders = [to_take_away(project, one.path, progress) for one in tracked] if delete else []
        if not force:
            check_losses(orders)
        deleted = {order.path: take_away(project, order, force=force).removed for order in orders}
        for one in tracked if not delete else ():
            _unlink_from_store(project, one.path)
        _forget(project, tracked, stage=stage)
    return Removed(
        tuple(_removed(one, deleted.get(one.path, 0)) for one in tracked),
        tuple(_note(one) for one in tracked if one.pointer.stage is not None),
    )


def _whole(project: Project, targets: Sequence[str]) -> list[Tracked]:
    """The tracked paths that targets name; raise Refused for a part of one."""
    selected = select(pointers_of(project), targets)
    for one in selected:
        if one.parts:
            raise Refused(
                f"`{one.tracked.path}` is tracked as a whole",
                hint=f"delete what you don't want in it, then `tally add {shlex.quote(one.tracked.path)}`",
            )
    return [one.tracked for one in selected]


def _unlink_from_store(project: Project, path: str) -> None:
    """Put copies in the place of links to the store: git would see them next, and keep them as links."""
    with suppress(Refused):
        scan = project.worktree.scan(path)
        if scan is not None and scan.stored:
            linked = [found for found in scan.files if found.path in scan.stored]
            project.worktree.unprotect(path, linked)


def _forget(project: Project, tracked: Sequence[Tracked], *, stage: bool) -> None:
    """Delete pointers and the lines that hide their data, which git then sees."""
    names: dict[str, list[str]] = {}
    for one in tracked:
        names.setdefault(posixpath.dirname(one.path), []).append(posixpath.basename(one.path))
    changed = [
        posixpath.join(folder, ".gitignore")
        for folder, some in names.items()
        if project.worktree.update_ignore(folder, remove=some)
    ]
    for one in tracked:
        (project.git.root / one.pointer_path).unlink(missing_ok=True)
    if stage:
        project.git.stage([*(one.pointer_path for one in tracked), *changed])


def _removed(tracked: Tracked, deleted: int) -> RemovedPath:
    return RemovedPath(tracked.path, tracked.pointer_path, tracked.pointer.stage, deleted)


def _note(tracked: Tracked) -> str:
    return f"`{tracked.path}` is tracked again when the stage `{tracked.pointer.stage}` runs"
