"""Draw metric series and the plots of stages, of several runs over each other."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.receipt import Receipt
from tallystick.records.stage import PARAMS
from tallystick.runs import ledger
from tallystick.runs.drawings import Drawings, options
from tallystick.runs.edited import told_of_edited
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.naming import METRICS, flat
from tallystick.runs.pipelines import Graph, load
from tallystick.runs.receipts import recorded
from tallystick.runs.sheet import Chart, Image, Matrix, Sheet

FARTHEST = 5000
"""Runs that are looked at, from the newest on, for some of certain stages."""

MOST_RUNS = 50
"""Runs that are drawn over each other at most."""


@dataclass(frozen=True, slots=True)
class DrawnRun:
    """One of the runs; `params` are those that differ from the others of its stage."""

    run: Digest
    stage: str
    started: str
    status: str
    commit: str | None
    dirty: bool
    params: Mapping[str, Any]
    metrics: Mapping[str, float]

    @property
    def label(self) -> str:
        """What a legend calls it: its id, and what it has of its own."""
        return " ".join([self.run.short, *(f"{name}={value}" for name, value in self.params.items())])


@dataclass(frozen=True, slots=True)
class Plots:
    """Everything that is drawn, and the runs that it is of."""

    runs: tuple[DrawnRun, ...]
    charts: tuple[Chart, ...]
    matrices: tuple[Matrix, ...]
    images: tuple[Image, ...]
    notes: tuple[str, ...]


def plots(
    project: Project, targets: Sequence[str] = (), *, last: int | None = None, folder: str = ""
) -> Plots:
    """Collect what is to be drawn of runs, stages or plots' paths; of all stages without targets.

    A stage means its receipt in the worktree, with `last` its newest runs in the ledger. Raises Refused for
    a target that is none of these.
    """
    graph = load(project)
    notes: list[str] = []
    runs, paths = _chosen(project, graph, targets, last, folder, notes)
    if len(runs) > MOST_RUNS:
        notes.append(f"of {len(runs):,} runs the first {MOST_RUNS} are drawn")
    named = options(project)
    sheet = Sheet(named)
    drawings = Drawings(project, graph, notes, named)
    drawn: dict[Digest, Run] = {}
    for run in runs[:MOST_RUNS]:
        for drawing in drawings.of(run.receipt, paths):
            sheet.put(run, drawing)
            drawn[run.id] = run
    return Plots(
        tuple(_described(list(drawn.values()))),
        tuple(sheet.charts()),
        tuple(sheet.matrices),
        tuple(sheet.images),
        tuple(dict.fromkeys(notes)),
    )


def image_data(project: Project, image: Image) -> bytes:
    """The bytes of an image, verified."""
    return Drawings(project, Graph({}, {}, {}), []).data(image.picture.digest, image.picture.path)


def _chosen(
    project: Project, graph: Graph, targets: Sequence[str], last: int | None, folder: str, notes: list[str]
) -> tuple[list[Run], list[str]]:
    """The runs that targets mean, and the paths of plots that alone are meant."""
    runs: dict[Digest, Run] = {}
    stages: dict[str, None] = {}
    paths: list[str] = []
    for target in targets:
        path = posixpath.normpath(posixpath.join(folder, target))
        made = graph.maker(path) is not None and target not in graph.steps
        if not made and target not in graph.steps and _is_run(project, target):
            run = ledger.find(project, target)
            runs[run.id] = run
            continue
        stages.update(dict.fromkeys(graph.addresses(target, folder)))
        if made:
            paths.append(path)
    if stages or not targets:
        wanted = list(stages) or list(graph.steps)
        if last is None:
            found = _present(project, graph, wanted, notes)
        else:
            found = _newest(project, wanted, last, notes)
        runs.update((run.id, run) for run in found)
    return list(runs.values()), paths


def _is_run(project: Project, target: str) -> bool:
    return ledger.seems_run(target) and ledger.knows(project, target)


def _present(project: Project, graph: Graph, stages: Sequence[str], notes: list[str]) -> list[Run]:
    """The receipts that the worktree holds, with a note on each that is not what ran."""
    found = [one for address in stages if (one := recorded(project, graph.steps[address])) is not None]
    notes += told_of_edited(project, found)
    return [Run(one.id, one.receipt) for one in found]


def _newest(project: Project, stages: Sequence[str], last: int, notes: list[str]) -> list[Run]:
    """The newest runs of each stage, oldest first: the later one is drawn over the earlier."""
    wanted = dict.fromkeys(stages, last)
    found: list[Run] = []
    for looked, run in enumerate(ledger.runs(project)):
        if not any(wanted.values()):
            break
        if looked == FARTHEST:
            notes.append(f"only the newest {FARTHEST:,} runs were looked at")
            break
        if not isinstance(run, Damaged) and wanted.get(run.receipt.stage):
            wanted[run.receipt.stage] -= 1
            found.append(run)
    return found[::-1]


def _described(runs: Sequence[Run]) -> Iterator[DrawnRun]:
    """The runs, each with the params that differ between those of its stage."""
    params = [flat(run.receipt.params, PARAMS) for run in runs]
    for run, own in zip(runs, params, strict=True):
        stage = run.receipt.stage
        others = [each for each, one in zip(params, runs, strict=True) if one.receipt.stage == stage]
        differing = {
            name: value for name, value in own.items() if any(each.get(name) != value for each in others)
        }
        yield _drawn(run.id, run.receipt, differing)


def _drawn(run: Digest, receipt: Receipt, params: Mapping[str, Any]) -> DrawnRun:
    code, metrics = receipt.code, flat(receipt.metrics, METRICS)
    return DrawnRun(
        run, receipt.stage, receipt.started, receipt.status, code.commit, code.dirty, params, metrics
    )
