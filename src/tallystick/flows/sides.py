"""What there is to draw of a verdict: the recorded side and the repeated one over each other."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tallystick.digest import Digest
from tallystick.errors import TallyError
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.verdict import StageVerdict, Verdict
from tallystick.runs import ledger
from tallystick.runs.drawings import Drawings, options
from tallystick.runs.ledger import Damaged, Run
from tallystick.runs.pipelines import Graph, load, load_at
from tallystick.runs.receipts import recorded_at
from tallystick.runs.sheet import Chart, Image, Matrix, Sheet

RECORDED, NOW = "recorded", "now"


@dataclass(frozen=True, slots=True)
class Sides:
    """Curves, matrices and images of both sides; `labels` says which of them an id stands for."""

    charts: tuple[Chart, ...]
    matrices: tuple[Matrix, ...]
    images: tuple[Image, ...]
    labels: Mapping[Digest, str]
    notes: tuple[str, ...]


def sides(project: Project, verdict: Verdict) -> Sides:
    """Collect what both sides of a verdict logged and plotted; what can't be had any more is a note."""
    notes: list[str] = []
    labels: dict[Digest, str] = {}
    sheet = Sheet({})
    try:
        named = options(project)
        sheet = Sheet(named)
        drawings = Drawings(project, _graph(project, verdict), notes, named)
        for stage in verdict.stages:
            for label, run in _runs(project, verdict, stage, notes):
                labels[run.id] = label
                for drawing in drawings.of(run.receipt):
                    sheet.put(run, drawing)
    except TallyError as error:
        notes.append(error.message)
    told = tuple(dict.fromkeys(notes))
    return Sides(tuple(sheet.charts()), tuple(sheet.matrices), tuple(sheet.images), labels, told)


def _runs(
    project: Project, verdict: Verdict, stage: StageVerdict, notes: list[str]
) -> Iterator[tuple[str, Run]]:
    """Both sides of a stage."""
    receipt = _receipt(project, verdict, stage)
    if receipt is None:
        notes.append(f"the receipt of `{stage.stage}` is not here, so that nothing of it is drawn")
        return
    yield RECORDED, Run(stage.receipt, receipt)
    yield NOW, _now(project, stage, receipt)


def _graph(project: Project, verdict: Verdict) -> Graph:
    """The stages as they were; they say which outs are plots."""
    return load(project) if verdict.commit is None else load_at(project, verdict.commit)


def _receipt(project: Project, verdict: Verdict, stage: StageVerdict) -> Receipt | None:
    """The receipt that was judged: from the ledger, else from the commit."""
    try:
        run = ledger.read(project, stage.receipt)
        if not isinstance(run, Damaged):
            return run.receipt
        if verdict.commit is None:
            return None
        found = recorded_at(project, verdict.commit, load_at(project, verdict.commit)).get(stage.stage)
    except TallyError:
        return None
    return found.receipt if found is not None and found.id == stage.receipt else None


def _now(project: Project, stage: StageVerdict, receipt: Receipt) -> Run:
    """The repetition as if it were a run: what it logged, and the outs that are still here."""
    series = stage.series if stage.series is not None and project.store.contains(stage.series) else None
    made = replace(receipt, series=series, outs=tuple(_outs(project, stage, receipt)))
    return Run(Digest.of(b"now " + stage.receipt.hex().encode()), made)


def _outs(project: Project, stage: StageVerdict, receipt: Receipt) -> Iterator[Artifact]:
    actual = {each.path: each.actual for each in stage.comparisons}
    for out in receipt.outs:
        digest = actual.get(out.path)
        if digest is not None and (digest == out.digest or project.store.contains(digest)):
            yield replace(out, digest=digest)
