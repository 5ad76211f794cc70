"""Puts what several runs have to draw onto one sheet: curves of the same number over each other."""

from collections.abc import Iterator, Mapping

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.records.curves import Frame, Grid, Point, curves, thinned
from tallystick.records.plots import Plot
from tallystick.runs.drawings import Drawing, Picture
from tallystick.runs.ledger import Run


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


class Sheet:
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
