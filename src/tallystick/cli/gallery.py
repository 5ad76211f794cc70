"""The page of `tally plots`: the runs in a table, then every picture with its legend."""

import base64
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from tallystick.cli.axes import tick_text
from tallystick.cli.charts import DASHED, STYLE, chart, look, matrix
from tallystick.cli.page import Markup, cell, escaped, page, table, tag
from tallystick.digest import Digest
from tallystick.flows.plots import DrawnRun, Plots, image_data
from tallystick.flows.sides import NOW, sides
from tallystick.project import Project
from tallystick.records.verdict import Verdict
from tallystick.runs.conditions import plain_text
from tallystick.runs.sheet import Chart, Image, Matrix


def gallery(found: Plots, title: str, data: Callable[[Image], bytes]) -> str:
    """Lay out everything on one page; `data` brings the bytes of an image."""
    numbers = {run.run: number for number, run in enumerate(found.runs)}
    labels = {run.run: run.label for run in found.runs}
    body: list[str] = [_runs(found.runs)]
    body += [_chart(each, numbers, labels) for each in found.charts]
    body += [_matrix(each, labels[each.run]) for each in found.matrices]
    body += [_image(each, labels[each.run], data(each)) for each in found.images]
    body += [tag("p", f"note: {note}", class_="faint") for note in found.notes]
    return page(title, *body, style=STYLE)


def both_sides(project: Project, verdict: Verdict) -> list[Markup]:
    """Lay out what both sides of a verdict drew, over and beside each other."""
    found = sides(project, verdict)
    looks = {run: DASHED if label == NOW else 0 for run, label in found.labels.items()}
    body = [_chart(each, looks, found.labels) for each in found.charts]
    body += [_matrix(each, found.labels[each.run]) for each in found.matrices]
    body += [_image(each, found.labels[each.run], image_data(project, each)) for each in found.images]
    body += [tag("p", f"note: {note}", class_="faint") for note in found.notes]
    return [tag("h2", "Both sides drawn"), *body] if body else []


def _runs(runs: Sequence[DrawnRun]) -> Markup:
    """A row for each run: what tells it apart, and what came out."""
    params = list(dict.fromkeys(name for run in runs for name in run.params))
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))
    names = [cell(name, "name") for name in (*params, *metrics)]
    headings = ["run", "stage", "started", "status", "commit", *names]
    return table(headings, (_row(number, run, params, metrics) for number, run in enumerate(runs)))


def _row(number: int, run: DrawnRun, params: Sequence[str], metrics: Sequence[str]) -> Iterator[str]:
    yield Markup(_swatch(number) + tag("code", run.run.short))
    yield run.stage
    yield run.started[:19].replace("T", " ")
    yield tag("span", run.status, class_="good" if run.status == "succeeded" else "bad")
    yield tag("code", ("none" if run.commit is None else run.commit[:10]) + ("*" if run.dirty else ""))
    for name in params:
        yield plain_text(run.params[name]) if name in run.params else ""
    for name in metrics:
        yield f"{run.metrics[name]:.6g}" if name in run.metrics else ""


def _swatch(number: int) -> Markup:
    return tag("span", class_=f"swatch {look(number)}")


def _chart(each: Chart, numbers: Mapping[Digest, int], labels: Mapping[Digest, str]) -> Markup:
    where = f"logged by {each.source}" if each.logged else each.source
    curves = [(numbers[curve.run], labels[curve.run], curve.points) for curve in each.curves]
    legend = [tag("li", _swatch(number), f"{label}: {_end(points)}") for number, label, points in curves]
    return tag(
        "figure",
        tag("h2", each.title, " ", tag("span", where, class_="faint")),
        chart(curves, each.x, each.y),
        tag("ul", *legend, class_="legend"),
    )


def _end(points: Sequence[tuple[float, float]]) -> str:
    """What a curve ends with."""
    last = next((y for _x, y in reversed(points) if not math.isnan(y)), None)
    return "nothing" if last is None else tick_text(last)


def _matrix(each: Matrix, label: str) -> Markup:
    grid = each.grid
    heading = tag("h2", each.source, " ", tag("span", label, class_="faint"))
    return tag("figure", heading, matrix(grid.rows, grid.columns, grid.numbers))


def _image(each: Image, label: str, data: bytes) -> Markup:
    """An image within the page itself; a browser lets one load nothing and run nothing."""
    address = f"data:{each.picture.media};base64,{base64.b64encode(data).decode()}"
    heading = tag("h2", each.picture.path, " ", tag("span", label, class_="faint"))
    # Written by hand: an address of megabytes need not be searched for what steers a terminal.
    shown = Markup(f'<img alt="{escaped(each.picture.path)}" src="{address}">')
    return tag("figure", heading, shown, class_="image")
