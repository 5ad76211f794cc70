"""Run stages in a temporary worktree, furnished like the user's, and bring home what they made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tallystick.data.blobs import bring
from tallystick.data.freezing import keep
from tallystick.data.placing import place_all
from tallystick.data.tracked import Selected, Tracked, owner_of, pointers_of
from tallystick.envs.activate import lend
from tallystick.envs.interpreter import kept_by_place
from tallystick.errors import ObjectMissing, TallyError
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.project import Project
from tallystick.records.receipt import Artifact
from tallystick.reproduction.isolation import isolated
from tallystick.runs import ledger
from tallystick.runs.attending import Attendance, StageRun, attend_all
from tallystick.runs.declaring import add_deps
from tallystick.runs.gathering import gather
from tallystick.runs.inputs import Standing, Surroundings, out_now
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.live import only_run
from tallystick.runs.made import selected_of
from tallystick.runs.pipelines import Graph, Step, load
from tallystick.runs.readiness import require
from tallystick.runs.recipes import recipe_of
from tallystick.runs.reuse import recipe_for, take
from tallystick.runs.writing import write_record


@dataclass(frozen=True, slots=True)
class State:
    """What a temporary worktree repeats: the snapshot of the user's, what is to change, what outs held."""

    tree: str
    standing: Standing
    edits: Mapping[str, bytes]
    outs: Mapping[str, Artifact | None]


def state_of(
    project: Project, steps: Sequence[Step], edits: Mapping[str, bytes], *, whole: bool = False
) -> State:
    """The user's worktree as it is now; `whole` for those who can't have its submodules' repositories."""
    snapshot = project.git.snapshot(whole=whole)
    outs = {out.path: out_now(project, out.path) for step in steps for out in step.outs}
    standing = Standing(project.git.head(), snapshot.left_out, snapshot.submodules)
    return State(snapshot.tree, standing, edits, outs)


def run_apart(to: Attendance, steps: Sequence[Step], edits: Mapping[str, bytes]) -> tuple[StageRun, ...]:
    """Run stages in a worktree of their own, files changed as told, and bring home what they made."""
    state = state_of(to.project, steps, edits)
    return bring_home(to, attend_apart(to, steps, state), state)


def attend_apart(to: Attendance, steps: Sequence[Step], state: State) -> tuple[StageRun, ...]:
    """See to stages in a worktree of their own; the user's is not touched."""
    with isolated(to.project, state.tree, None) as inner:
        for path, text in state.edits.items():
            write_record(inner, path, text)
        _furnish(to.project, inner, steps, to.progress)
        for step in steps:
            lend(step.stage.cmd, step.cwd, to.project.git.root, inner.git.root)
        graph = load(inner)
        require(inner, graph, steps)
        surroundings = replace(
            to.surroundings,
            variables=_with_active(to, steps),
            overlay={},
            captured={},
            seen={},
            standing_for=state.standing,
        )
        there = replace(to, project=inner, graph=graph, surroundings=surroundings)
        return attend_all(there, [graph.steps[step.address] for step in steps])


def _with_active(to: Attendance, steps: Sequence[Step]) -> Mapping[str, str]:
    """The user's variables, with the environment active that tools keep for the user's folder alone."""
    variables, root = to.surroundings.variables, to.project.git.root
    kept = {place for step in steps for place in kept_by_place(step.stage.cmd, root / step.cwd, variables)}
    outside = [place for place in kept if not Path(place).is_relative_to(root)]
    return {**variables, "VIRTUAL_ENV": outside[0]} if len(outside) == 1 else variables


def bring_home(to: Attendance, stages: Sequence[StageRun], state: State) -> tuple[StageRun, ...]:
    """Take over what was made apart, where the user changed neither what it was made from nor its outs.

    What stays away says why in a note; it is in the ledger and the store.
    """
    graph = _with_findings(to, stages) if to.surroundings.declare else load(to.project)
    return tuple(stage if stage.run is None else _brought(to, graph, stage, state) for stage in stages)


def _with_findings(to: Attendance, stages: Sequence[StageRun]) -> Graph:
    """Declare here what the stages were found to read there."""
    graph = load(to.project)
    for stage in stages:
        run = None if stage.run is None else ledger.read(to.project, stage.run)
        if stage.stage in graph.steps and isinstance(run, Run):
            add_deps(to.project, graph.steps[stage.stage], [dep.path for dep in run.receipt.deps])
    return load(to.project)


def _furnish(project: Project, inner: Project, steps: Sequence[Step], progress: Progress) -> None:
    """Place what the stages read and made last, as it stands in the user's worktree."""
    made = {out.path for step in steps for out in step.outs}
    read = {path for step in steps for path in (*step.deps, *(part.path for part in step.params))}
    roots = tracked_at(inner, sorted(read - made)) | _untracked(project, inner, sorted(read - made))
    for path, tracked in (roots | tracked_at(inner, sorted(made))).items():
        selected = _as_it_stands(project, path, tracked)
        if selected is None:
            continue
        try:
            bring(project, [selected], progress=progress)
        except ObjectMissing:
            if path in roots:
                raise
        else:
            place_all(inner, [selected], force=True, progress=progress)


def tracked_at(inner: Project, paths: Iterable[str]) -> dict[str, Tracked | None]:
    """The tracked paths that some paths are, lie in, or hold."""
    pointers = pointers_of(inner)
    found: dict[str, Tracked | None] = {}
    for path in paths:
        nearest = pointers.at(path) or owner_of(pointers, path)
        below = [one for one in pointers.below(path) if isinstance(one, Tracked)]
        found.update((one.path, one) for one in ([nearest] if nearest else below))
    return found


def _untracked(project: Project, inner: Project, paths: Iterable[str]) -> dict[str, Tracked | None]:
    """The paths that neither git nor a pointer brings: what the user's snapshot leaves out."""
    absent = [path for path in paths if not (inner.git.root / path).exists()]
    return {path: None for path in absent if (project.git.root / path).exists()} if absent else {}


def _as_it_stands(project: Project, path: str, tracked: Tracked | None) -> Selected | None:
    """What stands at a path of the user's, added or not; else what its pointer says."""
    kept = keep(project, path)
    if kept is not None:
        return selected_of(kept.artifact)
    return None if tracked is None else Selected(tracked)


def _brought(to: Attendance, graph: Graph, stage: StageRun, state: State) -> StageRun:
    assert stage.run is not None
    run, step = ledger.read(to.project, stage.run), graph.steps.get(stage.stage)
    try:
        reason = "its stage is gone" if step is None else _obstacle(to, graph, step, run, state)
    except TallyError as error:
        reason = error.message
    if reason is None:
        return stage
    note = (
        f"`{stage.stage}` was not brought into your worktree: {reason}; run {stage.run.short} is in the "
        f"ledger, and `tally run {stage.stage}` takes it over once its inputs stand here"
    )
    return replace(stage, notes=(*stage.notes, note))


def _obstacle(to: Attendance, graph: Graph, step: Step, run: Run | Damaged, state: State) -> str | None:
    """Take a run over, or say why not."""
    if isinstance(run, Damaged):
        return run.error.message
    with only_run(to.project, step.address):
        changed = next(iter(_changed(to.project, step, state)), None)
        if changed is not None:
            return f"`{changed}` changed meanwhile"
        inputs = gather(to.project, graph, step, Surroundings(to.surroundings.variables))
        if recipe_for(step, inputs) != recipe_of(run.receipt):
            return "what it was made from is not what stands here"
        take(to.project, step, run, inputs, to.progress)
    return None


def _changed(project: Project, step: Step, state: State) -> Iterator[str]:
    """The outs that are not what they were when the run began."""
    for out in step.outs:
        if out_now(project, out.path) != state.outs.get(out.path):
            yield out.path
