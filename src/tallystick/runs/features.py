"""The features that a stage reads: what their versions mean now, as against what they were published as."""

from typing import Any

from tallystick.digest import Digest
from tallystick.errors import BadRecord, Refused
from tallystick.project import Project
from tallystick.records import features, values
from tallystick.records.features import FILE, Use, View
from tallystick.records.provenance import Feature
from tallystick.runs.pipelines import Step, read_file


def views_of(project: Project) -> dict[str, View]:
    """The views of the project's `features.yaml`; none where there is no such file."""
    data = read_file(project, FILE)
    return {} if data is None else features.parse(data)


def meaning(project: Project, view: View) -> Digest:
    """The digest of a view as it is defined now; raise BadRecord if a file that it names isn't there."""
    definition = _read(project, view, view.definition) if view.definition else (view.query or "").encode()
    return features.digest_of(definition, _schema(project, view))


def _schema(project: Project, view: View) -> Any:
    """A schema's values, or its text where it is in a language of its own."""
    if not isinstance(view.schema, str):
        return view.schema
    data = _read(project, view, view.schema)
    suffixes = (*values.YAML_SUFFIXES, values.JSON_SUFFIX, values.TOML_SUFFIX)
    if values.suffix_of(view.schema) in suffixes:
        return values.load(data, view.schema)
    return data.decode("utf-8", "backslashreplace")


def _read(project: Project, view: View, path: str) -> bytes:
    data = read_file(project, path)
    if data is None:
        raise BadRecord(f"view `{view.name}` names `{path}`, which doesn't exist", FILE)
    return data


def features_now(project: Project, step: Step) -> tuple[Feature, ...]:
    """The features that a stage names, with what they mean.

    Raises BadRecord for a view or version that there isn't, Refused for one that changed unpublished.
    """
    if not step.stage.features:
        return ()
    views = views_of(project)
    return tuple(_feature(project, step, use, views) for use in step.stage.features)


def _feature(project: Project, step: Step, use: Use, views: dict[str, View]) -> Feature:
    view = views.get(use.view)
    if view is None:
        known = ", ".join(f"`{name}`" for name in list(views)[:10])
        raise BadRecord(
            f"stage `{step.address}` reads the feature `{use}`, but `{FILE}` has no such view",
            step.source,
            hint=f"it has: {known}" if known else f"define it in `{FILE}`",
        )
    if view.version != use.version:
        raise BadRecord(
            f"stage `{step.address}` reads the feature `{use}`, but `{use.view}` is at {view.version}",
            step.source,
            hint=f"write `{use.view}@{view.version}`, or check out the commit that had {use.version}",
        )
    return Feature(view.name, view.version, checked(project, view))


def checked(project: Project, view: View) -> Digest:
    """What a view means; raise Refused unless that is what its version was published as."""
    digest = meaning(project, view)
    if view.digest is None:
        raise Refused(
            f"view `{view.name}` {view.version} is not published yet",
            hint=f"publish {view.version}: tally features publish {view.name}",
        )
    if view.digest != digest:
        raise Refused(
            f"view `{view.name}` changed, but is still called {view.version}",
            hint=f"publish {view.next}: tally features publish {view.name}",
        )
    return digest
