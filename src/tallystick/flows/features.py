"""List the views of features.yaml, and publish what they are now as a version."""

from typing import Literal

from tallystick.digest import Digest
from tallystick.errors import BadRecord, Refused
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import features as record
from tallystick.records.features import FILE, View
from tallystick.runs.features import meaning, views_of
from tallystick.runs.pipelines import Graph, load, read_file
from tallystick.runs.writing import write_record

State = Literal["published", "unpublished", "changed", "malformed"]


@dataclass(frozen=True, slots=True)
class ListedView:
    """A view, whether it is what its version was published as, and the stages that read it."""

    view: str
    version: str
    state: State
    next: str
    description: str | None
    published: tuple[str, ...]
    stages: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Features:
    """All views, in the order of the file."""

    views: tuple[ListedView, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A view is published as a version; `new` unless it was already. `stages` name an older version."""

    view: str
    version: str
    digest: Digest
    new: bool
    stages: tuple[str, ...] = ()


def list_features(project: Project) -> Features:
    """Say of each view whether it is what its version was published as."""
    graph = load(project)
    return Features(tuple(_listed(project, graph, view) for view in views_of(project).values()))


def publish_feature(project: Project, name: str, version: str | None = None) -> Published:
    """Write down what a view is now, as its version, or as the next one if that one meant something else.

    A version that was published never changes its meaning: Refused is raised for one that is taken.
    """
    view = views_of(project).get(name)
    if view is None:
        raise Refused(f"`{FILE}` has no view `{name}`", hint="tally features list")
    digest = meaning(project, view)
    wanted = _wanted(view, digest, version)
    if (view.published or {}).get(wanted) == digest and wanted == view.version:
        return Published(name, wanted, digest, new=False)
    text = read_file(project, FILE) or b""
    write_record(project, FILE, record.with_published(text, name, wanted, digest))
    graph = load(project)
    behind = tuple(
        step.address
        for step in graph.steps.values()
        if any(use.view == name and use.version != wanted for use in step.stage.features)
    )
    return Published(name, wanted, digest, new=True, stages=behind)


def _wanted(view: View, digest: Digest, version: str | None) -> str:
    """The version that a view is to be published as."""
    if version is None:
        return view.version if view.digest in (None, digest) else view.next
    wanted = record.parse_version(version)
    if wanted is None:
        raise Refused(f"`{version}` is no version", hint="write it as `v4`, or `v4.1.0`")
    if (view.published or {}).get(wanted, digest) != digest:
        raise Refused(f"`{view.name}` {wanted} was published already, and meant something else")
    return wanted


def _listed(project: Project, graph: Graph, view: View) -> ListedView:
    state, reason = _state(project, view)
    stages = (
        step.address
        for step in graph.steps.values()
        if any(use.view == view.name for use in step.stage.features)
    )
    published = tuple(view.published or ())
    return ListedView(
        view.name, view.version, state, view.next, view.description, published, tuple(stages), reason
    )


def _state(project: Project, view: View) -> tuple[State, str | None]:
    try:
        digest = meaning(project, view)
    except BadRecord as error:
        return "malformed", error.message
    if view.digest is None:
        return "unpublished", None
    return ("published" if view.digest == digest else "changed"), None
