"""What there is to draw of one run: the metric series that it logged, and its stage's plots."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tallystick.data.blobs import bring_blobs
from tallystick.digest import Digest
from tallystick.errors import BadRecord, GitFailed, ObjectsError, Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import curves, tree
from tallystick.records import pipeline as pipeline_record
from tallystick.records.curves import Frame, Grid
from tallystick.records.plots import Plot
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.values import suffix_of
from tallystick.runs.pipelines import PATTERN, Graph, beside, files_of, load_at, read_file

MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}

LARGEST_IMAGE = 8 << 20
MOST_FILES = 100
"""Files of one folder that are drawn."""

UNREADABLE = (ObjectsError, RemoteUnreachable, Refused, BadRecord)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a run made."""

    path: str
    media: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A table, a matrix or an image; `path` is empty for what was logged."""

    path: str
    content: Frame | Grid | Picture


class Drawings:
    """Reads what there is to draw; what can't be had, or read, becomes a note."""

    def __init__(self, project: Project, graph: Graph, notes: list[str], named: Iterable[str] = ()) -> None:
        """Read for a project; `named` are plots that a pipeline names beside its stages."""
        self._project = project
        self._graph = graph
        self._notes = notes
        self._named = tuple(named)

    def of(self, receipt: Receipt, paths: Sequence[str] = ()) -> Iterator[Drawing]:
        """All of a run; with paths only its plots there."""
        if receipt.series is not None and not paths:
            try:
                data = self.data(receipt.series, f"the series of {receipt.stage}")
                yield Drawing("", curves.read_series(data, f"the series of {receipt.stage}"))
            except UNREADABLE as error:
                self._notes.append(error.message)
        declared = self._declared(receipt)
        for out in receipt.outs:
            if out.path in declared and _is_meant(out.path, paths):
                yield from self._out(out, paths)
            elif out.path not in declared:
                named = [path for path in self._named if _is_meant(path, paths)]
                if _is_meant(out.path, named) and named:
                    yield from self._out(out, named)

    def data(self, digest: Digest, path: str) -> bytes:
        """The bytes of something that a run made: from the store, the worktree, or a remote."""
        here = self._outside(digest, path)
        return self._project.store.read(digest) if here is None else here

    def _outside(self, digest: Digest, path: str) -> bytes | None:
        """The same bytes in the worktree where the store lacks them; else a remote has to have them."""
        if self._project.store.contains(digest):
            return None
        here = self._unchanged(digest, path)
        if here is None:
            bring_blobs(self._project, {digest: path})
        return here

    def _unchanged(self, digest: Digest, path: str) -> bytes | None:
        """The file in the worktree, if it is still that one: what git keeps is not in the store."""
        try:
            data = read_file(self._project, path)
        except BadRecord:
            return None
        return data if data is not None and Digest.of(data) == digest else None

    def _declared(self, receipt: Receipt) -> set[str]:
        """The plots of a run's stage: as the worktree names them, or as the run's own code did."""
        made = {out.path for out in receipt.outs}
        found = _plots(self._graph, receipt.stage) & made
        if found or not made:
            return found
        try:
            return _plots(load_at(self._project, receipt.code.tree), receipt.stage) & made
        except (*UNREADABLE, GitFailed):
            return set()

    def _out(self, out: Artifact, paths: Sequence[str]) -> Iterator[Drawing]:
        """One plot, or those in a folder of plots."""
        try:
            if out.kind == "file":
                yield from self._file(out.path, out.digest, out.size)
                return
            entries = tree.parse(self.data(out.digest, out.path), out.path)
            inside = {posixpath.join(out.path, os.fsdecode(each.path)): each for each in entries}
            files = [path for path in inside if inside[path].mode in ("f", "x") and _is_meant(path, paths)]
            for path in files[:MOST_FILES]:
                yield from self._file(path, inside[path].digest, inside[path].size)
            if len(files) > MOST_FILES:
                self._notes.append(
                    f"`{out.path}` holds {len(files):,} files: the first {MOST_FILES} are drawn"
                )
        except UNREADABLE as error:
            self._notes.append(error.message)

    def _file(self, path: str, digest: Digest, size: int) -> Iterator[Drawing]:
        media = MEDIA.get(suffix_of(path))
        largest = curves.LIMIT if media is None else LARGEST_IMAGE
        if media is None and not curves.is_table(path):
            self._notes.append(f"`{path}` can't be drawn: it is no table (.csv, .tsv, .json) and no image")
        elif size > largest:
            self._notes.append(f"`{path}` is not drawn: it is larger than {largest >> 20} MiB")
        else:
            try:
                for content in self._contents(path, digest, size, media):
                    yield Drawing(path, content)
            except UNREADABLE as error:
                self._notes.append(error.message)

    def _contents(
        self, path: str, digest: Digest, size: int, media: str | None
    ) -> Sequence[Frame | Grid | Picture]:
        if media is None:
            return curves.read_table(self.data(digest, path), path)
        self._outside(digest, path)
        return [Picture(path, media, digest, size)]


def options(project: Project) -> Mapping[str, Plot]:
    """How each plot is to be drawn, as far as the worktree's `tally.yaml` files say."""
    found: dict[str, Plot] = {}
    read = files_of(project, {})
    for path in project.git.list_files([PATTERN]):
        text = read_file(project, path) if posixpath.basename(path) == pipeline_record.FILE else None
        if text is not None and b"plots" in text:
            folder = posixpath.dirname(path)
            for plot in pipeline_record.parse(text, path, beside(path, read)).plots:
                found[posixpath.normpath(posixpath.join(folder, plot.path))] = plot
    return found


def _plots(graph: Graph, address: str) -> set[str]:
    step = graph.steps.get(address)
    return set() if step is None else {out.path for out in step.outs if out.kind == "plot"}


def _is_meant(path: str, targets: Sequence[str]) -> bool:
    """Whether a plot is a target, lies in one, or holds one."""
    return not targets or any(
        path == target or path.startswith(f"{target}/") or target.startswith(f"{path}/") for target in targets
    )
