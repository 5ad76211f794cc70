"""Look at all stages: what is out of date and why, and whether lock files tell what is installed."""

from collections.abc import Iterable, Mapping, Sequence

from tallystick.project import Project
from tallystick.records.receipt import Artifact
from tallystick.runs.inputs import Surroundings
from tallystick.runs.interrupted import write_down
from tallystick.runs.lockfiles import drift, lock_files
from tallystick.runs.pipelines import Graph, load
from tallystick.runs.reasons import Outlook, StageStatus
from tallystick.runs.staleness import stale_stages


def outlook(
    project: Project,
    targets: Sequence[str],
    variables: Mapping[str, str],
    artifacts: Mapping[str, Artifact],
    listed: Iterable[str],
) -> Outlook:
    """The stages that targets concern, all without targets; what is at paths of `artifacts` is known."""
    write_down(project)
    surroundings = Surroundings(variables, seen=artifacts)
    graph = load(project, listed=listed)
    stages = tuple(_stages(project, graph, targets, surroundings))
    return Outlook(stages, tuple(_drift(project, graph, stages, surroundings)))


def _stages(
    project: Project,
    graph: Graph,
    targets: Sequence[str],
    surroundings: Surroundings,
) -> Iterable[StageStatus]:
    """The stages that targets concern: by what they make, or all without targets."""
    stale = stale_stages(project, graph, surroundings)
    meant = set(graph.steps) if not targets else {found for path in targets if (found := graph.maker(path))}
    return [StageStatus(address, reasons) for address, reasons in stale.items() if address in meant]


def _drift(
    project: Project, graph: Graph, stages: Sequence[StageStatus], surroundings: Surroundings
) -> Iterable[str]:
    """What lock files beside these stages say of the environments that were looked at for them."""
    said = {}
    for folder in sorted({graph.steps[stage.stage].folder for stage in stages}):
        files = lock_files(project, folder)
        for captured in surroundings.captured.values():
            said.update(dict.fromkeys(drift(project, files, captured.lock)))
    return said
