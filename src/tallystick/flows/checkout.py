"""Bring back a commit: its code by git, then its data, then its environment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tallystick.data.blobs import JOBS, Brought, bring
from tallystick.data.freezing import ignore
from tallystick.data.placing import (
    Order,
    PlacedPath,
    check_losses,
    place,
    place_all,
    take_away,
    to_place,
    to_take_away,
    worktree_lock,
)
from tallystick.data.tracked import (
    CommittedPointers,
    Selected,
    Tracked,
    WorktreePointers,
    pointers_of,
    select,
)
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.runs.environments import EnvironmentState, bring_back
from tallystick.runs.pipelines import load


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """Where the worktree is now, what came for it, what was done to data, and which environments stand."""

    commit: str | None
    branch: str | None
    fetched: Brought
    paths: tuple[PlacedPath, ...]
    environments: tuple[EnvironmentState, ...] = ()


@dataclass(frozen=True, slots=True)
class _Work:
    """The project and the options of one checkout."""

    project: Project
    remote: str | None
    jobs: int
    force: bool
    progress: Progress


def checkout(
    project: Project,
    rev: str | None = None,
    targets: Sequence[str] = (),
    *,
    variables: Mapping[str, str] | None = None,
    remote: str | None = None,
    jobs: int = JOBS,
    force: bool = False,
    trust: bool = False,
    progress: Progress = silent,
) -> CheckedOut:
    """Let git check out a commit, fetch what its pointers need, place it, and see to its environment.

    Without a commit the data of the worktree's own pointers is placed; with targets only theirs, then or
    now. The environment is left alone without `variables`, those in which stages would run; `trust` allows
    the commands that stand in the worktree in the end, and no others. Raises WouldLoseChanges, before
    anything is touched, for changes that are stored nowhere.
    """
    work = _Work(project, remote, jobs, force, progress)
    if rev is None:
        done = _restore(work, targets)
    elif targets:
        done = _take_from(work, project.git.resolve(rev), targets)
    else:
        done = _switch(work, rev)
    if trust:
        project.grants.grant([step.command for step in load(project).steps.values()])
    if rev is not None and not targets and variables is not None:
        done = replace(done, environments=bring_back(project, variables, progress))
    return done


def _restore(work: _Work, targets: Sequence[str]) -> CheckedOut:
    """Make data what the worktree's pointers say."""
    selected = select(pointers_of(work.project), targets)
    fetched = _fetch(work, selected)
    return _done(work, fetched, place_all(work.project, selected, force=work.force, progress=work.progress))


def _take_from(work: _Work, commit: str, targets: Sequence[str]) -> CheckedOut:
    """Make some paths what they were at a commit, their pointers too unless only a part is meant."""
    selected = select(pointers_of(work.project, commit), targets)
    fetched = _fetch(work, selected)
    placed = place_all(work.project, selected, force=work.force, progress=work.progress)
    whole = [one.tracked for one in selected if not one.parts]
    texts = work.project.git.read_at(commit, [one.pointer_path for one in whole])
    for one in whole:
        hidden = ignore(work.project, one.path)
        write_atomic(work.project.git.root / one.pointer_path, texts[one.pointer_path])
        work.project.git.stage([one.pointer_path, *hidden])
    return _done(work, fetched, placed)


def _switch(work: _Work, rev: str) -> CheckedOut:
    """Go to another commit with code and data."""
    project = work.project
    after = select(CommittedPointers(project, project.git.resolve_target(rev)), ())
    fetched = _fetch(work, after)
    with worktree_lock(project):
        before = [one for one in WorktreePointers(project).below("") if isinstance(one, Tracked)]
        gone = [one for one in before if one.path not in {two.tracked.path for two in after}]
        orders = {} if work.force else _check_losses(work, before, after, gone)
        removed = _go(work, rev, gone)
        placed = [_place(work, one, orders.get(one.tracked.path)) for one in after]
    return _done(work, fetched, (*placed, *removed))


def _check_losses(
    work: _Work, before: Sequence[Tracked], after: Sequence[Selected], gone: Sequence[Tracked]
) -> dict[str, Order]:
    """The orders for what git doesn't track, which is git's to look after; by their paths.

    Raises WouldLoseChanges for changes in the data of now.
    """
    known = {one.path for one in before}
    gits = work.project.git.tracked(one.tracked.path for one in after if one.tracked.path not in known)
    ours = [one for one in after if not any(_covers(one.tracked.path, name) for name in gits)]
    orders = {one.tracked.path: to_place(work.project, one, work.progress) for one in ours}
    check_losses(orders.values())
    check_losses(to_take_away(work.project, one.path, work.progress) for one in gone)
    return orders


def _go(work: _Work, rev: str, gone: Sequence[Tracked]) -> list[PlacedPath]:
    """Clear away what the commit does not track, and let git check it out; if git won't, put it back."""
    removed = []
    try:
        for one in gone:
            order = to_take_away(work.project, one.path, work.progress)
            removed.append(take_away(work.project, order, force=work.force))
        work.project.git.checkout(rev)
    except BaseException:
        for one in gone:
            _place(work, Selected(one))
        raise
    return removed


def _place(work: _Work, selected: Selected, order: Order | None = None) -> PlacedPath:
    """Place a selection, by the order that was made before if there is one: files changed since are seen."""
    made = order or to_place(work.project, selected, work.progress)
    return place(work.project, made, force=work.force, progress=work.progress)


def _fetch(work: _Work, selected: Sequence[Selected]) -> Brought:
    return bring(work.project, selected, remote=work.remote, jobs=work.jobs, progress=work.progress)


def _done(work: _Work, fetched: Brought, paths: tuple[PlacedPath, ...]) -> CheckedOut:
    git = work.project.git
    return CheckedOut(git.head(), git.branch(), fetched, paths)


def _covers(path: str, name: str) -> bool:
    return name == path or name.startswith(path + "/")
