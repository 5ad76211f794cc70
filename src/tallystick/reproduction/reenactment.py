"""Perform a recorded stage again, on its recorded inputs, and judge what comes of it."""

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from tallystick.data.blobs import bring
from tallystick.data.placing import place_all
from tallystick.data.tracked import CommittedPointers, Selected, Tracked, owner_of, pointer_path_of
from tallystick.errors import BadRecord, ObjectMissing
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records.pointer import Pointer
from tallystick.records.receipt import Artifact
from tallystick.records.verdict import Comparison, Outcome, StageVerdict, worst
from tallystick.reproduction.comparison import Halves, bytes_in_git, compare_outs
from tallystick.reproduction.confinement import Limits, confined
from tallystick.reproduction.containment import Contained, contained
from tallystick.reproduction.deadline import deadline
from tallystick.reproduction.isolation import Surrounding
from tallystick.reproduction.past import Past
from tallystick.runs.execution import Execution, execute, stage_variables
from tallystick.runs.inputs import Surroundings, dep_now, params_now
from tallystick.runs.receipts import Recorded
from tallystick.runs.recording import passing
from tallystick.runs.staleness import same
from tallystick.runs.writing import make_folders, write_record
from tallystick.sandbox.room import NO_NETWORK, READ_ONLY
from tallystick.tracing.tracer import Tracer

UNBUILT: Outcome = "could not be rebuilt"

LONGEST_LINE = 200
_OUTSIDE = ("read-only file system", "permission denied")
_OFFLINE = (
    *("network is unreachable", "name resolution", "name or service not known", "could not resolve"),
    *("nodename nor servname", "no route to host"),
)
"""How programs say that they met a wall."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A stage's verdict; the exit code that its command ended with, and what was enforced meanwhile.

    `complaint` says why the command came to no end that could be judged, `hint` what to do about it.
    """

    verdict: StageVerdict
    exit_code: int
    enforced: tuple[str, ...] = ()
    complaint: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and how a stage is performed again; `edits` are files that are not as in the past's code."""

    around: Surrounding
    limits: Limits = field(default_factory=Limits)
    edits: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a command ended, with the last lines that it wrote; `late` if it had to be ended."""

    execution: Execution
    enforced: tuple[str, ...]
    late: bool
    tail: tuple[str, ...]


def bring_roots(project: Project, past: Past, inner: Project, progress: Progress) -> None:
    """Fetch the data that no repeated stage makes, and place it; raise ObjectMissing if nobody has it."""
    selected = tuple(_roots(project, past))
    bring(project, selected, progress=progress)
    place_all(inner, selected, force=True, progress=progress)


def _roots(project: Project, past: Past) -> Iterator[Selected]:
    """The pointers at the past that recorded deps stand on, but for what will be made anew."""
    pointers = CommittedPointers(project, past.treeish)
    found: dict[str, Tracked] = {}
    for each in past.recorded.values():
        for dep in each.receipt.deps:
            nearest = pointers.at(dep.path) or owner_of(pointers, dep.path)
            below = [one for one in pointers.below(dep.path) if isinstance(one, Tracked)]
            found.update((one.path, one) for one in ([nearest] if nearest else below))
    for path in sorted(found):
        if past.graph.maker(path) not in past.recorded:
            yield Selected(found[path])


def reenact(halves: Halves, scene: Scene, *, output: Callable[[bytes], None], progress: Progress) -> Judged:
    """Run one stage of the past in its worktree and compare what it makes with its receipt.

    Raises ObjectMissing when an input can't be had, KeyboardInterrupt when the user ends it.
    """
    recorded, receipt = halves.recorded, halves.receipt
    for path, data in scene.edits.items():
        write_record(halves.inner, path, data)
    remarks = [*_prepare(halves, receipt.deps, progress), *_unlike(halves, recorded)]
    _clear(halves.inner, receipt.outs)
    ending = _performed(halves, scene, output)
    execution = ending.execution
    if ending.late:
        remarks = [*remarks, f"the command did not end within {scene.limits.timeout:g} s"]
        return _judged(recorded, UNBUILT, (), ending, remarks)
    if execution.interrupted:
        raise KeyboardInterrupt
    if execution.exit_code != receipt.exit_code or receipt.status != "succeeded":
        return _ended(recorded, ending, remarks)
    comparisons = compare_outs(halves)
    _keep_plots(halves, comparisons)
    outcome = worst(each.outcome for each in comparisons)
    return _judged(recorded, outcome, comparisons, ending, remarks)


def _performed(halves: Halves, scene: Scene, output: Callable[[bytes], None]) -> _Ending:
    """Run the command within its walls, for as long as it may take."""
    receipt = halves.receipt
    with passing(halves.project) as record, deadline(scene.limits.timeout) as stop:
        apart = _apart(halves, scene, record.folder)
        execution = execute(
            halves.inner,
            receipt.cmd,
            cwd=halves.inner.git.root / receipt.wdir,
            variables=apart.variables,
            output=output,
            record=record,
            stop=stop,
            tracer=apart.tracer,
        )
        late = execution.interrupted and stop is not None and stop.is_set()
        return _Ending(execution, apart.facts, late, record.tail())


def _apart(halves: Halves, scene: Scene, record: Path) -> Contained:
    """The container that the command ran in, else walls around it, and its variables."""
    receipt, around = halves.receipt, scene.around
    if around.container is not None:
        return contained(halves.inner, halves.recorded, around, record, scene.limits)
    network = halves.recorded.step.stage.network
    walls = confined(halves.project, halves.inner, around, record, network=network, limits=scene.limits)
    variables = stage_variables(around.variables, receipt.stage, receipt.seed, receipt.variables)
    return Contained(Tracer("none", walls.before, walls.variables), variables, walls.facts)


def _ended(recorded: Recorded, ending: _Ending, remarks: list[str]) -> Judged:
    """Judge a command that failed now or then, by how it ended: there are no outs to compare."""
    then, now = recorded.receipt.exit_code, ending.execution.exit_code
    if recorded.receipt.status == "succeeded":
        last = f": {ending.tail[-1][:LONGEST_LINE]}" if ending.tail else ""
        remarks = [*remarks, f"the command ended with exit code {now}{last}"]
        return _judged(recorded, UNBUILT, (), ending, remarks)
    if then == now:
        remarks = [*remarks, f"it failed again, as recorded, with exit code {now}"]
        return _judged(recorded, "identical", (), ending, remarks)
    remarks = [*remarks, f"it had failed with exit code {then}; now it ended with {now}"]
    return _judged(recorded, "different", (), ending, remarks)


def _judged(
    recorded: Recorded,
    outcome: Outcome,
    comparisons: tuple[Comparison, ...],
    ending: _Ending,
    remarks: list[str],
) -> Judged:
    reason = "; ".join(remarks) or None
    stage, execution = recorded.receipt.stage, ending.execution
    seconds, series = execution.seconds, execution.series
    verdict = StageVerdict(stage, recorded.id, outcome, comparisons, seconds, reason, series=series)
    if outcome != UNBUILT:
        return Judged(verdict, 0, ending.enforced)
    complaint = f"stage `{stage}`: {remarks[-1]}"
    return Judged(verdict, execution.exit_code, ending.enforced, complaint, _hint(ending))


def _hint(ending: _Ending) -> str:
    """What to do about a command that failed: often it met a wall."""
    said = " ".join(ending.tail).lower()
    if READ_ONLY in ending.enforced and any(each in said for each in _OUTSIDE):
        return (
            "it writes outside of its worktree, or reads what it does not declare: `--no-isolation` lets it"
        )
    if NO_NETWORK in ending.enforced and any(each in said for each in _OFFLINE):
        return "it asks for a network: say `network: true` in its stage, or repeat with `--no-isolation`"
    return "repeat with `--keep` to look at the worktree where it failed"


def _prepare(halves: Halves, deps: Sequence[Artifact], progress: Progress) -> Iterator[str]:
    """Put the recorded inputs in place, so that each stage is judged by itself; tell where that can't be."""
    for dep in deps:
        now = dep_now(halves.inner, dep.path)
        if now is not None and same(now, dep):
            continue
        if now is not None and (held := _submodule_of(halves, dep.path)) is not None:
            yield f"its input `{dep.path}` is not the recorded one: submodule `{held}` is as it was committed"
            continue
        try:
            _put(halves, dep, progress)
        except ObjectMissing:
            if now is None:
                raise
            yield f"its input `{dep.path}` is not the recorded one, which is in none of the places"
        else:
            yield f"its input `{dep.path}` was not the recorded one, which was put in its place"


def _submodule_of(halves: Halves, path: str) -> str | None:
    """The submodule that a path means or holds something of, if it is here: nothing is written into it."""
    for each in halves.recorded.receipt.code.submodules:
        touched = path == each or path.startswith(f"{each}/") or each.startswith(f"{path}/")
        if touched and (halves.inner.git.root / each / ".git").exists():
            return each
    return None


def _put(halves: Halves, dep: Artifact, progress: Progress) -> None:
    """Place what a receipt says was read; raise ObjectMissing if neither a store nor git has it."""
    pointer = Pointer(posixpath.basename(dep.path), dep.kind, dep.digest, dep.size, executable=dep.executable)
    selected = Selected(Tracked(pointer_path_of(dep.path), dep.path, pointer))
    try:
        bring(halves.project, [selected], progress=progress)
    except ObjectMissing:
        data = bytes_in_git(halves, dep)
        if data is None:
            raise
        with halves.project.store.writer() as writer:
            writer.add(data)
    place_all(halves.inner, [selected], force=True, progress=progress)


def _unlike(halves: Halves, recorded: Recorded) -> Iterator[str]:
    """In what the pipeline at that commit differs from what the receipt says ran."""
    step, receipt = recorded.step, recorded.receipt
    if step.stage.cmd != receipt.cmd:
        yield "the pipeline there has another command; the receipt's was run"
    try:
        params = params_now(halves.inner, step, Surroundings({}))
    except BadRecord as error:
        yield f"its parameters can't be read: {error.message}"
    else:
        changed = [file for file, values in receipt.params.items() if params.get(file) != values]
        yield from (f"`{file}` there holds other parameters than the receipt" for file in changed)


def _keep_plots(halves: Halves, comparisons: Sequence[Comparison]) -> None:
    """Keep what can be drawn of this side, so that a page can show it beside the recorded one."""
    plots = {out.path for out in halves.recorded.step.outs if out.kind == "plot"}
    for each in comparisons:
        file = halves.inner.git.root / each.path
        if each.path in plots and each.actual not in (None, each.expected) and file.is_file():
            with halves.project.store.writer() as writer:
                writer.add_file(file)


def _clear(inner: Project, outs: Sequence[Artifact]) -> None:
    """Remove what the stage is to make, and make the folders it goes to."""
    for out in outs:
        moved = inner.worktree.move_aside(out.path)
        if moved is not None:
            inner.worktree.discard(moved)
        make_folders(inner, out.path)
