"""Which images the stages of a state name, and which ones they last ran in."""

from collections.abc import Mapping

from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.provenance import Container
from tallystick.runs import ledger
from tallystick.runs.pipelines import Step, load, load_at
from tallystick.runs.receipts import Recorded, recorded, recorded_at


@dataclass(frozen=True, slots=True)
class StageImage:
    """A stage with its image as it is written, and the one that it last ran in, if it ever ran."""

    stage: str
    image: str
    container: Container | None


def images_of(project: Project, target: str | None = None) -> tuple[StageImage, ...]:
    """The images of the worktree's stages, of a commit's or of a run; nothing where all run without."""
    if target is None:
        steps = load(project).steps
        return _of_stages(steps, {name: recorded(project, step) for name, step in steps.items()})
    try:
        commit = project.git.resolve(target)
    except Refused:
        return _of_run(project, target) if ledger.seems_run(target) else ()
    graph = load_at(project, commit)
    return _of_stages(graph.steps, recorded_at(project, commit, graph))


def _of_run(project: Project, target: str) -> tuple[StageImage, ...]:
    receipt = ledger.find(project, target).receipt
    container = receipt.environment.container
    return () if container is None else (StageImage(receipt.stage, container.image, container),)


def _of_stages(steps: Mapping[str, Step], last: Mapping[str, Recorded | None]) -> tuple[StageImage, ...]:
    found = []
    for address, step in steps.items():
        if step.stage.image is not None:
            known = last.get(address)
            container = None if known is None else known.receipt.environment.container
            found.append(StageImage(address, step.stage.image, container))
    return tuple(found)
