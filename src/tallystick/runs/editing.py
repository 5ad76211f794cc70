"""The files that a request changes before stages run, as they will be; nothing is written yet."""

import posixpath
from collections.abc import Iterable, Mapping

from tallystick.errors import Refused
from tallystick.project import Project
from tallystick.records import params as params_record
from tallystick.records import pipeline as pipeline_record
from tallystick.records.expansion import Files
from tallystick.records.stage import PARAMS, Stage
from tallystick.runs.pipelines import beside, files_of, read_file


def with_stage(project: Project, folder: str, stage: Stage, *, force: bool = False) -> dict[str, bytes]:
    """The `tally.yaml` of a folder with one more stage; with `force` it may replace another."""
    path = posixpath.join(folder, pipeline_record.FILE)
    text = read_file(project, path) or b""
    files = beside(path, files_of(project, {}))
    _check_not_replaced(text, path, stage, force, files)
    return {path: pipeline_record.with_stage(text, stage, path, files)}


def with_params(
    project: Project, folder: str, overrides: Iterable[str], edits: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """Edits, with parameters set: `lr=0.1`, or `other.yaml:lr=0.1`, as seen from a folder."""
    changed = dict(edits or {})
    for override in overrides:
        file, assignment = _file_and_assignment(override)
        path = posixpath.normpath(posixpath.join(folder, file))
        text = changed[path] if path in changed else read_file(project, path)
        if text is None:
            hint = "write it, or name another file: `-S other.yaml:key=value`"
            raise Refused(f"there is no `{path}` in which `{assignment}` could be set", hint=hint)
        changed[path] = params_record.override(text, path, assignment)
    return changed


def _check_not_replaced(text: bytes, path: str, stage: Stage, force: bool, files: Files) -> None:
    """Refuse to replace a stage that someone wrote differently, unless that is meant."""
    present = pipeline_record.parse(text, path, files).stages.get(stage.name)
    if present is not None and present != stage and not force:
        raise Refused(
            f"`{path}` has another stage `{stage.name}` already",
            hint=f"run it with `tally run {stage.name}`, or replace it with `--force`",
        )


def _file_and_assignment(override: str) -> tuple[str, str]:
    """`other.yaml:train.lr=0.1` names its file; without one it is `params.yaml`."""
    place, equals, value = override.partition("=")
    file, colon, key = place.rpartition(":")
    return (file, f"{key}{equals}{value}") if colon else (PARAMS, override)
