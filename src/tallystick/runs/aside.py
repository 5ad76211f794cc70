"""Take outs out of a command's way, and give back those that it did not write itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tallystick.data.freezing import keep
from tallystick.patterns import regex
from tallystick.process import lives
from tallystick.project import Project
from tallystick.worktree import Aside

_OWNER = regex(r"\.tally-(\d+)-")
"""The process that moved something aside, in the name of the folder it lies in."""


class SetAside:
    """What lies aside while a command runs; `forget` once what it wrote has taken its place."""

    def __init__(self) -> None:
        self.moved: list[Aside] = []
        self.replaced = False

    def forget(self) -> None:
        """The command succeeded: what was there before is no longer wanted."""
        self.replaced = True


@contextmanager
def set_aside(project: Project, paths: Sequence[str]) -> Iterator[SetAside]:
    """Store what stands at some paths, move it away, and give it back at the end unless it was replaced.

    Where the command wrote something and then failed, what it wrote stays to be looked at; what was there
    before is in the local store.
    """
    present = [path for path in paths if keep(project, path) is not None]
    aside = SetAside()
    try:
        for path in present:
            moved = project.worktree.move_aside(path)
            if moved is not None:
                aside.moved.append(moved)
        yield aside
    finally:
        for moved in aside.moved:
            if aside.replaced or not project.worktree.restore(moved):
                project.worktree.discard(moved)


def give_back_leftovers(project: Project) -> None:
    """Put back what a process that was killed had moved aside, where nothing has taken its place."""
    for moved in project.worktree.asides():
        owner = _OWNER.match(moved.place.name)
        if owner is not None and not lives(int(owner[1])) and not project.worktree.restore(moved):
            project.worktree.discard(moved)
