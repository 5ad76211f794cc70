"""Observe a stage's command, and name what it touched in the project without declaring it."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from tallystick.data.tracked import owner_of, pointers_of
from tallystick.envs.activate import MARKS
from tallystick.errors import BadRecord
from tallystick.paths import check_path
from tallystick.project import SHARED_CONFIG, Project
from tallystick.runs.declaring import held_still
from tallystick.runs.listing import links
from tallystick.runs.pipelines import RECEIPTS, Step
from tallystick.tracing import landlock
from tallystick.tracing.accesses import Access, Scope, Undeclared, inside, undeclared, within
from tallystick.tracing.tracer import Tracer, observing

ENVIRONMENT_DEPTH = 2
"""How deep in the project such folders are looked for."""

SHOWN = 3
"""How many paths a note names."""


@contextmanager
def observed(project: Project, step: Step, variables: Mapping[str, str]) -> Iterator[Tracer]:
    """A tracer for a stage's command, as its `trace` says; raise Refused where that can't be had here."""
    scope = scope_of(project, step)
    with observing(step.stage.trace, scope, variables, project.home / "traces") as tracer:
        yield replace(tracer, scope=scope)


def scope_of(project: Project, step: Step) -> Scope:
    """What a stage declares, and what in the project is not its business."""
    root = os.path.realpath(project.git.root)
    reads = (*step.deps, *(part.path for part in step.params), step.source, SHARED_CONFIG)
    return Scope(
        root=root,
        cwd=step.cwd,
        reads=(*reads, *_targets(root, reads)),
        makes=tuple(out.path for out in step.outs),
        apart=_apart(root, step),
    )


def _apart(root: str, step: Step) -> tuple[str, ...]:
    """What is no part of its work: records of ours, and environments, of which it may have made one itself.

    Where `tallystick.log` writes unless it is told otherwise is nobody's mistake: the run keeps its series.
    """
    series = posixpath.join(step.cwd, "plots", f"{step.stage.name}.csv")
    return (posixpath.join(step.folder, RECEIPTS), series, *_environments(root, "", ENVIRONMENT_DEPTH))


def found(project: Project, step: Step, tracer: Tracer) -> Undeclared:
    """What a command that has ended touched undeclared; data that is tracked is named as the whole it is."""
    if tracer.trace == "none":
        return Undeclared()
    before = tracer.scope
    # To find the links among ten thousand deps takes a tenth of a second: they are what they were.
    scope = scope_of(project, step) if before is None else replace(before, apart=_apart(before.root, step))
    touched = undeclared(tracer.findings(), scope, lambda path: _counts(scope, path))
    pointers = pointers_of(project)

    def owner(path: str) -> str | None:
        try:
            found = pointers.at(path) or owner_of(pointers, path)
        except BadRecord:
            return None  # a pointer that can't be read is told of elsewhere
        return None if found is None else found.path

    reads, writes = (
        tuple(sorted({owner(path) or path for path in paths})) for paths in (touched.reads, touched.writes)
    )
    # What is tracked, as the outs of other stages are, is looked after: `tally status` tells of it.
    changed = tuple(path for path in _changed(scope, tracer) if path not in writes and owner(path) is None)
    return Undeclared(reads, writes, touched.more, changed)


def _changed(scope: Scope, tracer: Tracer) -> tuple[str, ...]:
    """What changed while a command ran that the kernel lets write where its outs lie."""
    if tracer.trace != "enforce":
        return ()
    paths = landlock.changed(scope, tracer.since)
    written = (Access(posixpath.join(scope.root, path), write=True) for path in paths)
    found = undeclared(written, scope, lambda path: _counts(scope, path))
    return tuple(path for path in found.writes if posixpath.basename(posixpath.dirname(path)) != RECEIPTS)


def remarks(step: Step, touched: Undeclared) -> Iterator[str]:
    """What to tell the user about it, with what to do."""
    # Under `enforce` most of it was denied, but for what lies in a folder that is open for an out.
    name, denied = step.address, step.stage.trace == "enforce"
    if touched.reads:
        seen = "tried to read" if denied else "read"
        what = _some(touched.reads, touched.more)
        yield f"`{name}` {seen} {what}, which it doesn't declare: `tally run --declare {name}` adds it"
    if touched.writes:
        what = _some(touched.writes, touched.more)
        seen = "tried to write" if denied else "wrote"
        yield f"`{name}` {seen} {what}, which is none of its outs: name it there, or write it elsewhere"
    if touched.changed:
        what = _some(touched.changed, 0)
        yield (
            f"while `{name}` ran, {what} changed, where it is free to write as an out of it lies there: "
            "if it wrote that, name it as an out, or keep its outs in a folder of their own"
        )


def got_through(project: Project, step: Step, touched: Undeclared, started: str) -> str:
    """What a command wrote under `trace: enforce` all the same, in a folder that was open for an out."""
    enforced = step.stage.trace == "enforce"
    written = [path for path in touched.writes if enforced and not held_still(project, path, started)]
    return f"it wrote {_some(tuple(written), 0)}, which is none of its outs" if written else ""


def denial(step: Step, touched: Undeclared) -> str:
    """What a command that failed under `trace: enforce` was denied, to go behind how it ended."""
    if step.stage.trace != "enforce":
        return ""
    denied = (*touched.reads, *touched.writes)
    if not denied:  # what programs other than Python were denied, nobody heard
        return "; under `trace: enforce` it can only use what it declares"
    return f"; it was denied {_some(denied, touched.more)}, which it doesn't declare"


def _some(paths: tuple[str, ...], more: int) -> str:
    named = ", ".join(f"`{path}`" for path in paths[:SHOWN])
    rest = len(paths) - SHOWN + more
    return f"{named} and {rest:,} more" if rest > 0 else named


def _counts(scope: Scope, path: str) -> bool:
    """Whether a path is a file that is left, can be written down, and is no other way to a declared one."""
    place = os.path.join(scope.root, path)
    if not os.path.isfile(place):
        return False
    try:
        check_path(path)
        path.encode()
    except (BadRecord, UnicodeEncodeError):
        return False
    real = inside(os.path.realpath(place), scope.root)
    return real is not None and not (real != path and within(real, {*scope.reads, *scope.makes}))


def _targets(root: str, paths: Iterable[str]) -> Iterator[str]:
    """Where links among some paths lead to in the project: a system tracer sees only that."""
    for path in links(root, paths):
        target = inside(os.path.realpath(f"{root}/{path}"), root)
        if target is not None:
            yield target


def _environments(root: str, folder: str, depth: int) -> Iterator[str]:
    """The folders that hold a Python with its packages, as paths in the project."""
    with suppress(OSError), os.scandir(os.path.join(root, folder)) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False) or entry.name == ".git":
                continue
            path = posixpath.join(folder, entry.name)
            if any(os.path.lexists(os.path.join(entry.path, mark)) for mark in MARKS):
                yield path
            elif depth > 1:
                yield from _environments(root, path, depth - 1)
