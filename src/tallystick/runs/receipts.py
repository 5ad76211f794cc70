"""The receipts that lie beside their pipelines: what each stage was last made from."""

from collections.abc import Mapping

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import receipt as receipts
from tallystick.records.receipt import Receipt
from tallystick.runs.pipelines import Graph, Step, read_file

NO_PYTHON = "none"
"""What a receipt says of a command that runs where there is no Python."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stage with the receipt of its last successful run."""

    step: Step
    id: Digest
    receipt: Receipt


def recorded(project: Project, step: Step) -> Recorded | None:
    """The receipt that the worktree holds for a stage; raise BadRecord if it is malformed."""
    data = read_file(project, step.receipt_path)
    return None if data is None else recorded_as(step, data, step.receipt_path)


def recorded_at(project: Project, treeish: str, graph: Graph) -> dict[str, Recorded]:
    """The receipts that a commit holds, in the order in which their stages run."""
    texts = project.git.read_at(treeish, [step.receipt_path for step in graph.steps.values()])
    found: dict[str, Recorded] = {}
    for address, step in graph.steps.items():
        data = texts.get(step.receipt_path)
        if data is not None:
            found[address] = recorded_as(step, data, f"{treeish[:10]}:{step.receipt_path}")
    return found


def recorded_as(step: Step, data: bytes, source: str) -> Recorded:
    """A stage with a receipt given as text."""
    return Recorded(step, Digest.of(data), receipts.parse(data, source))


def producers(project: Project, graph: Graph, step: Step) -> Mapping[str, Recorded]:
    """For each dep that another stage makes, the receipt that tells from what."""
    found = {}
    above: dict[str, str | None] = {}
    for path in step.deps:
        folder = path.rpartition("/")[0]
        if folder not in above:
            above[folder] = graph.maker(folder)
        maker = graph.makers.get(path) or above[folder]
        made = recorded(project, graph.steps[maker]) if maker is not None else None
        if made is not None:
            found[path] = made
    return found
