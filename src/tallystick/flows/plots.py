"""Draw metric series and the plots of stages, of several runs over each other."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.curves import Frame, Grid, Point, curves, thinned
from tallystick.records.plots import Plot
from tallystick.records.receipt import Receipt
from tallystick.records.stage import PARAMS
from tallystick.runs import ledger
from tallystick.runs.drawings import Drawing, Drawings, Picture, options
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.naming import METRICS, flat
from tallystick.runs.pipelines import Graph, load
from tallystick.runs.receipts import recorded

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
class Curve:
    """A column of numbers of one run, thinned; `total` is how many points there were."""

    run: Digest
    points: tuple[Point, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture of curves; `source` is the path of a plot, or the stage that logged."""

    title: str
    source: str
    x: str
    y: str
    logged: bool
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of one run."""

    source: str
    run: Digest
    grid: Grid


@dataclass(frozen=True, slots=True)
class Image:
    """An image of one run."""

    run: Digest
    picture: Picture


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
    sheet = _Sheet(named)
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
        found = _present(project, graph, wanted) if last is None else _newest(project, wanted, last, notes)
        runs.update((run.id, run) for run in found)
    return list(runs.values()), paths


def _is_run(project: Project, target: str) -> bool:
    return ledger.seems_run(target) and ledger.knows(project, target)


def _present(project: Project, graph: Graph, stages: Sequence[str]) -> Iterator[Run]:
    """The receipts that the worktree holds."""
    for address in stages:
        found = recorded(project, graph.steps[address])
        if found is not None:
            yield Run(found.id, found.receipt)


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


class _Sheet:
    """Puts what runs have in common into one chart."""

    def __init__(self, options: Mapping[str, Plot]) -> None:
        self._options = options
        self._charts: dict[tuple[str, str, str, bool], tuple[str, list[Curve]]] = {}
        self.matrices: list[Matrix] = []
        self.images: list[Image] = []

    def put(self, run: Run, drawing: Drawing) -> None:
        """Add something of a run."""
        match drawing.content:
            case Picture():
                self.images.append(Image(run.id, drawing.content))
            case Grid():
                self.matrices.append(Matrix(drawing.path, run.id, drawing.content))
            case Frame():
                self._put_curves(run, drawing, drawing.content)

    def _put_curves(self, run: Run, drawing: Drawing, frame: Frame) -> None:
        option = self._option(drawing.path)
        x, found = curves(frame, option.x, option.y)
        for name, points in found.items():
            key = (drawing.path or run.receipt.stage, frame.name, name, not drawing.path)
            _over, together = self._charts.setdefault(key, (x, []))
            together.append(Curve(run.id, thinned(points), len(points)))

    def charts(self) -> Iterator[Chart]:
        """The charts; a table that only repeats what was logged is left out."""
        # As text, since no NaN is equal to another.
        logged = {(key[2], repr(found)) for key, (_x, found) in self._charts.items() if key[3]}
        for (source, frame, name, is_logged), (x, found) in self._charts.items():
            if is_logged or (name, repr(found)) not in logged:
                option = self._option("" if is_logged else source)
                title = option.title or (f"{frame}: {name}" if frame else name)
                labels = option.x_label or x, option.y_label or name
                yield Chart(title, source, *labels, is_logged, tuple(found))

    def _option(self, path: str) -> Plot:
        """How a plot is to be drawn: as it is named itself, or the folder that it lies in."""
        found = self._options.get(path)
        while found is None and "/" in path:
            path = path.rpartition("/")[0]
            found = self._options.get(path)
        return found or Plot(path)
