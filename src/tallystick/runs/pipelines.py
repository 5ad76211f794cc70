"""Every stage of a project in one graph: who makes what, and in which order."""

import difflib
import fnmatch
import os
import posixpath
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tallystick.errors import BadRecord, Refused
from tallystick.frozen import dataclass
from tallystick.paths import check_path, is_plain
from tallystick.project import Project
from tallystick.records import pipeline as pipeline_record
from tallystick.records.expansion import Files, no_files
from tallystick.records.pipeline import Pipeline
from tallystick.records.stage import Stage
from tallystick.records.tolerance import Tolerances
from tallystick.runs.filenames import file_name

PATTERN = f"*{pipeline_record.FILE}"
"""How git names every `tally.yaml`: its `*` crosses folders."""
RECEIPTS = "receipts"
ENVIRONMENT_LOCK = "environment.lock"

LARGEST = 16 << 20
"""Bytes of the largest pipeline, parameter file or receipt that is read."""


def inside(command: str, image: str) -> str:
    """A command as it is shown, and allowed, where it runs in a container: the image is code as well."""
    return f"{command} (in the image {image})"


@dataclass(frozen=True, slots=True)
class Output:
    """A path that a stage writes; without `cache` its bytes belong into git."""

    path: str
    cache: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Params:
    """Keys that a stage reads from one file; none means the whole file."""

    path: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A stage where it stands: paths are relative to the project; `beside` are metrics of its pipeline."""

    folder: str
    stage: Stage
    cwd: str
    deps: tuple[str, ...]
    params: tuple[Params, ...]
    outs: tuple[Output, ...]
    beside: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What the stage is called in the whole project: `train`, or `sub/folder:train`."""
        return f"{self.folder}:{self.stage.name}" if self.folder else self.stage.name

    @property
    def source(self) -> str:
        """The `tally.yaml` that declares it."""
        return posixpath.join(self.folder, pipeline_record.FILE)

    @property
    def receipt_path(self) -> str:
        """Where the receipt of its last successful run lies."""
        return f"{self.folder}{'/' * bool(self.folder)}{RECEIPTS}/{file_name(self.stage.name)}.json"

    @property
    def lock_path(self) -> str:
        """Where the environment that last ran it is written down."""
        return posixpath.join(self.folder, ENVIRONMENT_LOCK)

    @property
    def command(self) -> str:
        """The command as a person would type it, and where it runs if that is not here."""
        cmd = self.stage.cmd if isinstance(self.stage.cmd, str) else shlex.join(self.stage.cmd)
        return cmd if self.stage.image is None else inside(cmd, self.stage.image)

    @property
    def wdir(self) -> str:
        """The folder its command runs in, as receipts write it: `.` is the project's root."""
        return self.cwd or "."

    @property
    def tolerance(self) -> Tolerances:
        """How exactly each out must come again, by path in the project."""
        bounds = self.stage.tolerance
        return {posixpath.normpath(posixpath.join(self.cwd, path)): bounds[path] for path in bounds}


@dataclass(frozen=True, slots=True)
class Graph:
    """All stages in an order in which each comes after those it depends on.

    `params` and `metrics` are files that pipelines name beside those of their stages.
    """

    steps: Mapping[str, Step]
    makers: Mapping[str, str]
    needs: Mapping[str, tuple[str, ...]]
    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def maker(self, path: str) -> str | None:
        """The stage that makes a path, or the whole that the path is a part of."""
        if path in self.makers:
            return self.makers[path]
        return next((self.makers[part] for part in _with_parents(path) if part in self.makers), None)

    def select(self, targets: Sequence[str], folder: str = "") -> tuple[Step, ...]:
        """The stages that targets name, with all they depend on, in order; all stages without targets."""
        if not targets:
            return tuple(self.steps.values())
        return self._reached(self._all_addresses(targets, folder), self.needs)

    def downstream(self, targets: Sequence[str], folder: str = "") -> tuple[Step, ...]:
        """The stages that targets name, with all that depend on them, in order; all without targets."""
        if not targets:
            return tuple(self.steps.values())
        after: dict[str, list[str]] = {}
        for address, needs in self.needs.items():
            for need in needs:
                after.setdefault(need, []).append(address)
        return self._reached(self._all_addresses(targets, folder), after)

    def _all_addresses(self, targets: Sequence[str], folder: str) -> list[str]:
        return [address for target in targets for address in self.addresses(target, folder)]

    def _reached(self, todo: list[str], edges: Mapping[str, Sequence[str]]) -> tuple[Step, ...]:
        """All that edges lead to, the start among it, in the order in which stages run."""
        wanted: set[str] = set()
        while todo:
            address = todo.pop()
            if address not in wanted:
                wanted.add(address)
                todo.extend(edges.get(address, ()))
        return tuple(step for address, step in self.steps.items() if address in wanted)

    def addresses(self, target: str, folder: str = "") -> tuple[str, ...]:
        """What a target means: a stage, all of a `foreach` or `matrix`, a pattern, an out, a `tally.yaml`.

        Raises Refused for others.
        """
        local = f"{folder}:{target}" if folder else target
        for name in (local, target):
            if name in self.steps:
                return (name,)
        for name in (local, target):
            found = tuple(address for address in self.steps if _is_meant(address, name))
            if found:
                return found
        for path in (posixpath.normpath(posixpath.join(folder, target)), target):
            inside = tuple(step.address for step in self.steps.values() if step.source == path)
            if inside:
                return inside
            maker = self.maker(path)
            if maker is not None:
                return (maker,)
        raise self._unknown(target)

    def _unknown(self, target: str) -> Refused:
        if not self.steps:
            return Refused(
                f"there is no stage `{target}`: the project has no `{pipeline_record.FILE}` with stages",
                hint="make one: tally run -n train -d train.py -o model.npz -- python train.py",
            )
        close = difflib.get_close_matches(target, self.steps, n=1)
        known = ", ".join(list(self.steps)[:10])
        hint = f"did you mean `{close[0]}`?" if close else f"the stages are: {known}"
        return Refused(f"there is no stage `{target}`", hint=hint)


def _is_meant(address: str, target: str) -> bool:
    """Whether a stage came from the `foreach` or `matrix` of a name, or fits a pattern like `train@*`."""
    return address.startswith(f"{target}@") or (
        any(sign in target for sign in "*?[") and fnmatch.fnmatchcase(address, target)
    )


def load(
    project: Project, overlay: Mapping[str, bytes] | None = None, listed: Iterable[str] | None = None
) -> Graph:
    """Read every `tally.yaml` of the worktree; `overlay` holds files as they would become.

    `listed` are the files that git lists, these and others, if the caller has asked for them already.
    """
    changed = dict(overlay or {})
    listed = project.git.list_files([PATTERN]) if listed is None else listed
    paths = {path for path in listed if _is_pipeline(path)}
    found = {path: read_file(project, path) for path in sorted(paths - changed.keys())}
    texts = {path: text for path, text in found.items() if text is not None}
    texts.update({path: text for path, text in changed.items() if _is_pipeline(path)})
    return graph(texts, files_of(project, changed))


def files_of(project: Project, overlay: Mapping[str, bytes]) -> Files:
    """Reads the worktree by paths in the project; `overlay` holds files as they would become."""
    return lambda path: overlay[path] if path in overlay else read_file(project, path)


def load_at(project: Project, treeish: str, overlay: Mapping[str, bytes] | None = None) -> Graph:
    """Read every `tally.yaml` of a commit or tree; `overlay` holds files as they would become."""
    changed = dict(overlay or {})
    paths = [path for path, _, _ in project.git.list_tree(treeish, [PATTERN]) if _is_pipeline(path)]
    texts = project.git.read_at(treeish, paths)
    texts.update({path: text for path, text in changed.items() if _is_pipeline(path)})
    return graph(
        texts,
        lambda path: changed[path] if path in changed else project.git.read_at(treeish, [path]).get(path),
    )


def _is_pipeline(path: str) -> bool:
    return posixpath.basename(path) == pipeline_record.FILE


def read_file(project: Project, path: str) -> bytes | None:
    """A small file of the worktree; None if there is none. Raises BadRecord if it can't be read."""
    try:
        # A thousand receipts are read so: to ask for the most that may come would make room for it each time.
        with open(f"{project.git.root}/{path}", "rb") as file:
            status = os.fstat(file.fileno())
            size = status.st_size if stat.S_ISREG(status.st_mode) else LARGEST
            data = file.read(min(size, LARGEST) + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadRecord(f"it can't be read: {error.strerror}", path) from error
    if len(data) > LARGEST:
        raise BadRecord(f"it is larger than {LARGEST >> 20} MiB", path)
    return data


def graph(texts: Mapping[str, bytes], files: Files = no_files) -> Graph:
    """Join pipelines, given as text by path, into one graph; raise BadRecord where they contradict.

    `files` reads the files that templates take their variables from.
    """
    read = {
        path: pipeline_record.parse(texts[path], path, beside(path, files))
        for path in sorted(texts, key=lambda path: (path.count("/"), path))
    }
    steps = {
        step.address: step
        for path, pipeline in read.items()
        for step in place(posixpath.dirname(path), pipeline)
    }
    makers = _makers(steps.values())
    holders = _holders(makers)
    needs = {step.address: _needs(step, makers, holders) for step in steps.values()}
    ordered = {address: steps[address] for address in _ordered(steps, needs)}
    more = (tuple(_files_beside(read, kind)) for kind in ("params", "metrics"))
    return Graph(ordered, makers, needs, *more)


def _files_beside(pipelines: Mapping[str, Pipeline], kind: str) -> Iterator[str]:
    """The files of params or metrics that pipelines name beside those of their stages."""
    for path, pipeline in pipelines.items():
        yield from (_join(path, posixpath.dirname(path), name) for name in getattr(pipeline, kind))


def beside(path: str, files: Files) -> Files:
    """Reads files by their path in the folder of a pipeline; raises BadRecord for one outside the project."""
    folder = posixpath.dirname(path)

    def read(name: str) -> bytes | None:
        where = _join(path, folder, name)
        return files(check_path(where, path)) if where else None

    return read


def place(folder: str, pipeline: Pipeline) -> Iterator[Step]:
    """The stages of the `tally.yaml` in a folder, with paths relative to the project."""
    source = posixpath.join(folder, pipeline_record.FILE)
    beside = tuple(_join(source, folder, path) for path in pipeline.metrics)
    for stage in pipeline.stages.values():
        yield step_of(folder, stage, beside)


def step_of(folder: str, stage: Stage, beside: tuple[str, ...] = ()) -> Step:
    """A stage with its paths made relative to the project."""
    source = posixpath.join(folder, pipeline_record.FILE)
    cwd = _join(source, folder, stage.wdir)

    def at(path: str) -> str:
        if not cwd and is_plain(path):
            return path
        return check_path(_join(source, cwd, path), source)

    kinds = (("out", stage.outs), ("metrics", stage.metrics), ("plot", stage.plots))
    return Step(
        folder=folder,
        stage=stage,
        cwd=cwd,
        deps=tuple(at(path) for path in stage.deps),
        params=tuple(Params(at(part.file), part.keys) for part in stage.params),
        outs=tuple(Output(at(out.path), out.cache, kind) for kind, outs in kinds for out in outs),
        beside=beside,
    )


def _join(source: str, folder: str, path: str) -> str:
    """A path as seen from the project; raise BadRecord if it leads out of it."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    if joined == ".." or joined.startswith(("../", "/")):
        raise BadRecord(f"`{path}` leads out of the project", source)
    return "" if joined == "." else joined


def _with_parents(path: str) -> Iterator[str]:
    """A path, then every folder above it, the root of all files not among them."""
    while path.strip("/"):
        yield path
        path = posixpath.dirname(path)


def _makers(steps: Iterable[Step]) -> dict[str, str]:
    """Who writes each out; raise BadRecord if two stages would write the same bytes."""
    makers: dict[str, str] = {}
    for step in steps:
        for out in step.outs:
            if out.path in makers:
                raise _written_twice(step, out.path, makers[out.path])
            makers[out.path] = step.address
    for step in steps:
        for out in step.outs:
            for parent in _with_parents(posixpath.dirname(out.path)):
                if parent in makers:
                    raise _written_twice(step, out.path, makers[parent])
    return makers


def _written_twice(step: Step, path: str, other: str) -> BadRecord:
    hint = "give each stage an out of its own"
    if other == step.address:
        return BadRecord(f"stage `{step.address}` names the out `{path}` twice", step.source, hint=hint)
    return BadRecord(f"stages `{other}` and `{step.address}` both write `{path}`", step.source, hint=hint)


def _holders(makers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """For every folder, the stages that write something inside it."""
    holders: dict[str, dict[str, None]] = {}
    for path, address in makers.items():
        for parent in _with_parents(posixpath.dirname(path)):
            holders.setdefault(parent, {})[address] = None
    return {folder: tuple(addresses) for folder, addresses in holders.items()}


def _needs(step: Step, makers: Mapping[str, str], holders: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The stages whose outs a stage reads, as a whole, in part, or among others in a folder."""
    found: dict[str, None] = {}
    above: dict[str, list[str]] = {}
    for path in (*step.deps, *(part.path for part in step.params)):
        folder = path.rpartition("/")[0]
        if folder not in above:
            above[folder] = [makers[part] for part in _with_parents(folder) if part in makers]
        found.update(dict.fromkeys((makers[path], *above[folder]) if path in makers else above[folder]))
        found.update(dict.fromkeys(holders.get(path, ())))
    return tuple(found)


def _ordered(steps: Mapping[str, Step], needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Addresses, each after all it needs, otherwise as written; raise BadRecord on a cycle."""
    done: dict[str, None] = {}
    for start in steps:
        path: dict[str, Iterator[str]] = {start: iter(needs[start])} if start not in done else {}
        while path:
            address = next(reversed(path))
            following = next((need for need in path[address] if need not in done), None)
            if following is None:
                path.popitem()
                done[address] = None
            elif following in path:
                raise _cycle(steps[following], list(path))
            else:
                path[following] = iter(needs[following])
    return list(done)


def _cycle(step: Step, path: list[str]) -> BadRecord:
    """The complaint about stages that wait for each other."""
    round_trip = [*path[path.index(step.address) :], step.address]
    if len(round_trip) == 2:
        return BadRecord(f"stage `{step.address}` depends on its own out", step.source)
    return BadRecord(
        f"stages wait for each other: {' -> '.join(f'`{name}`' for name in round_trip)}", step.source
    )
