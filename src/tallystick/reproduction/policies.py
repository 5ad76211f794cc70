"""Write what was measured into the pipelines, as the tolerance that counts from now on."""

from collections.abc import Mapping

from tallystick.errors import Refused
from tallystick.project import Project
from tallystick.records.toleranceedit import with_tolerances
from tallystick.reproduction.attempt import Attempt, Trial
from tallystick.reproduction.spread import Spread, policy
from tallystick.runs.pipelines import Step, beside, files_of, load, read_file
from tallystick.runs.writing import write_record


def write_policies(trial: Trial, made: Attempt) -> tuple[str, ...]:
    """Write each stage's spread into the `tally.yaml` of the worktree; say which files were changed.

    Raises Refused for a stage that is no longer there, BadRecord for one whose text can't be changed.
    """
    graph = load(trial.project)
    changed: dict[str, bytes] = {}
    for address in trial.past.recorded:
        measured = _of_stage(trial, made.spread, address)
        if not measured:
            continue
        step = graph.steps.get(address)
        if step is None:
            raise Refused(f"stage `{address}` is not in the worktree, so its tolerance can't be written")
        changed[step.source] = _text_with(trial.project, step, measured, trial.manner.repetitions, changed)
    written = [path for path, text in changed.items() if text != read_file(trial.project, path)]
    for path in written:
        write_record(trial.project, path, changed[path])
    return tuple(written)


def _of_stage(trial: Trial, spread: Spread, address: str) -> Spread:
    return {path: names for path, names in spread.items() if trial.past.graph.maker(path) == address}


def _text_with(
    project: Project, step: Step, measured: Spread, runs: int, overlay: Mapping[str, bytes]
) -> bytes:
    text = overlay.get(step.source) or read_file(project, step.source) or b""
    tolerances = policy(measured, runs, step.cwd)
    files = beside(step.source, files_of(project, overlay))
    return with_tolerances(text, step.stage.name, tolerances, step.source, files)
