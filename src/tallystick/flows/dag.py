"""Show how stages depend on each other."""

from collections.abc import Iterator, Sequence

from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.runs.pipelines import Graph, Step, load


@dataclass(frozen=True, slots=True)
class Node:
    """One stage: the stages it waits for, what it reads and what it makes."""

    stage: str
    needs: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """One stage waits for another, for the sake of these paths."""

    before: str
    after: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dag:
    """The stages asked for, each after those it waits for, and the edges between them."""

    stages: tuple[Node, ...]
    edges: tuple[Edge, ...]


def dag(project: Project, targets: Sequence[str] = (), *, folder: str = "", downstream: bool = False) -> Dag:
    """The stages that targets name with all they wait for, or `downstream` with all that wait for them."""
    graph = load(project)
    steps = graph.downstream(targets, folder) if downstream else graph.select(targets, folder)
    shown = {step.address for step in steps}
    edges = tuple(edge for step in steps for edge in _edges(graph, step) if edge.before in shown)
    return Dag(tuple(_node(graph, step) for step in steps), edges)


def _node(graph: Graph, step: Step) -> Node:
    return Node(
        step.address,
        graph.needs[step.address],
        (*step.deps, *(part.path for part in step.params)),
        tuple(out.path for out in step.outs),
        step.stage.frozen,
    )


def _edges(graph: Graph, step: Step) -> Iterator[Edge]:
    read = (*step.deps, *(part.path for part in step.params))
    for need in graph.needs[step.address]:
        made = [out.path for out in graph.steps[need].outs]
        yield Edge(need, step.address, tuple(out for out in made if any(_meet(out, dep) for dep in read)))


def _meet(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
