"""Add to a stage's deps what it was seen to read."""

import os
import posixpath
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from threading import Lock

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.depedit import with_deps
from tallystick.records.receipt import Artifact, Receipt
from tallystick.runs import ledger
from tallystick.runs.edited import produced_by
from tallystick.runs.inputs import dep_now
from tallystick.runs.ledger import Damaged
from tallystick.runs.pipelines import Step, beside, files_of, load, read_file
from tallystick.runs.writing import write_record
from tallystick.tracing.accesses import Undeclared

REMEMBERED = 500
"""How many of the newest runs are looked through for the last one of a stage."""

MARGIN = 0.1
"""Seconds by which a file's last change must come before a run: clocks of file systems are coarse."""

_editing = Lock()
"""Stages that run side by side may stand in one file."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A stage whose deps have grown: as it stands now, what it read, and what to say of it.

    `produced_by` is None where nothing has grown.
    """

    step: Step
    deps: tuple[Artifact, ...]
    produced_by: Mapping[str, str] | None
    touched: Undeclared
    notes: tuple[str, ...]


def with_last_findings(
    project: Project, steps: Sequence[Step], edits: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of `edits` and each `tally.yaml` that declares what the stages' last runs read; none written.

    Raises BadRecord for a stage whose deps must be added by hand.
    """
    changed = dict(edits)
    wanted = {step.address: step for step in steps if not step.stage.frozen}
    for receipt in _last_runs(project, set(wanted)):
        step = wanted[receipt.stage]
        paths = [path for path in receipt.undeclared if dep_now(project, path) is not None]
        if paths:
            changed[step.source] = _text_with(project, step, paths, changed)
    return changed


def _last_runs(project: Project, stages: set[str]) -> Iterator[Receipt]:
    """The newest receipt of each stage, of a failed run too: what was denied to it is meant as well."""
    for run in islice(ledger.runs(project), REMEMBERED):
        if not stages:
            return
        if not isinstance(run, Damaged) and run.receipt.stage in stages:
            stages.remove(run.receipt.stage)
            yield run.receipt


def declare(
    project: Project, step: Step, deps: tuple[Artifact, ...], touched: Undeclared, started: str
) -> Declared:
    """Write what a run has just read into its `tally.yaml`, and count among its deps what held still.

    A file that was changed after the run began may have been another when it was read: then the stage is out
    of date, and runs once more.
    """
    with _editing:
        try:
            text = _text_with(project, step, touched.reads, {})
            graph = load(project, {step.source: text})
        except BadRecord as error:
            why = f"`{step.address}`: {error.message}"
            return Declared(step, deps, None, touched, (f"{why} ({error.hint})" if error.hint else why,))
        write_record(project, step.source, text)
    declared = graph.steps[step.address]
    new = [path for path in declared.deps if path not in step.deps]
    still = [
        found for path in new if held_still(project, path, started) and (found := dep_now(project, path))
    ]
    known = {artifact.path for artifact in still}
    return Declared(
        declared,
        (*deps, *still),
        produced_by(project, graph, declared),
        replace(touched, reads=tuple(path for path in touched.reads if path not in known)),
        (grown(step, new),),
    )


def grown(step: Step, new: Sequence[str]) -> str:
    """A sentence on deps that were added to a stage."""
    return f"`{step.source}`: `{step.address}` now depends on {', '.join(f'`{path}`' for path in new)}"


def add_deps(project: Project, step: Step, paths: Sequence[str]) -> None:
    """Write into a stage's `tally.yaml` those of some paths that it doesn't declare."""
    with _editing:
        if set(paths) - set(step.deps):
            write_record(project, step.source, _text_with(project, step, paths, {}))


def _text_with(project: Project, step: Step, paths: Sequence[str], overlay: Mapping[str, bytes]) -> bytes:
    """The `tally.yaml` of a stage with more deps, seen from the folder it runs in."""
    files = files_of(project, overlay)
    text = overlay.get(step.source) or read_file(project, step.source) or b""
    deps = [posixpath.relpath(path, step.cwd or ".") for path in paths if path not in step.deps]
    return with_deps(text, step.stage.name, deps, step.source, beside(step.source, files))


def settle() -> None:
    """Let so much time pass that what was written until now comes before a run that begins now."""
    time.sleep(MARGIN)


def held_still(project: Project, path: str, started: str) -> bool:
    """Whether a file, and every one in a folder, is what it was before a moment, by a time nobody can set."""
    moment = (datetime.fromisoformat(started).timestamp() - MARGIN) * 1e9
    return all(os.lstat(place).st_ctime_ns < moment for place in _all(str(project.git.root / path)))


def _all(place: str) -> Iterator[str]:
    yield place
    for folder, folders, names in os.walk(place):
        yield from (os.path.join(folder, name) for name in (*folders, *names))
