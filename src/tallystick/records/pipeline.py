"""The pipeline `tally.yaml`: the stages of one folder, read and changed in place."""

import posixpath
from collections.abc import Mapping
from dataclasses import field

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records.expansion import Files, Written, no_files
from tallystick.records.fields import Fields, top
from tallystick.records.plots import Plot, read_plots
from tallystick.records.stage import PARAMS, Out, ParamFile, Stage, read_stage
from tallystick.records.stagewrite import render_stage
from tallystick.records.syntax import PIPELINE_LIMIT, decode, load_yaml
from tallystick.records.tolerance import EVERY, Tolerance, Tolerances
from tallystick.records.yamledit import content_end, line_span
from tallystick.records.yamltree import Branch, parse_tree

__all__ = [
    "EVERY",
    "FILE",
    "PARAMS",
    "Files",
    "Out",
    "ParamFile",
    "Pipeline",
    "Plot",
    "Stage",
    "Tolerance",
    "Tolerances",
    "parse",
    "with_stage",
]

FILE = "tally.yaml"

_OTHERS = ("artifacts", "datasets")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages of one file, in its order, written out; files of params, metrics and plots beside them."""

    stages: Mapping[str, Stage] = field(default_factory=dict)
    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()


def parse(data: bytes | str, source: str = FILE, files: Files = no_files) -> Pipeline:
    """Read a pipeline; raise BadRecord naming file, line and stage.

    `files` reads the files that templates take their variables from, by their path in the pipeline's folder.
    """
    text = decode(data, source, PIPELINE_LIMIT)
    value = load_yaml(text, source, PIPELINE_LIMIT)
    if value is None:
        return Pipeline()
    fields = top(value, source, "pipeline")
    for key in _OTHERS:
        if key in fields:
            hint = "delete it: stages take `desc` and `meta`"
            fields.bad(f"`{key}` has no meaning for tally", key, hint=hint)
    fields.only("vars", "stages", "params", "metrics", "plots")
    stages = _stages(fields, files, text) if fields.has("stages") else {}
    return Pipeline(stages, fields.paths("params"), fields.paths("metrics"), read_plots(fields))


def _stages(fields: Fields, files: Files, text: str) -> Mapping[str, Stage]:
    templated = any(word in text for word in ("${", "foreach", "matrix"))
    try:
        bodies = Written(fields, files, templated).stages()
    except RecursionError:
        raise BadRecord("its templates are nested too deeply", fields.source) from None
    stages = {name: read_stage(name, bodies) for name in bodies.value}
    _check_names(bodies)
    _check_outs(stages, bodies)
    return stages


def _check_names(bodies: Fields) -> None:
    """Receipts are files named after stages; some file systems know no case."""
    seen: dict[str, str] = {}
    for name in bodies.value:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            bodies.bad(f"the stages `{other}` and `{name}` differ in case only", name)


def _check_outs(stages: Mapping[str, Stage], bodies: Fields) -> None:
    makers: dict[str, str] = {}
    for name, stage in stages.items():
        for out in stage.all_outs:
            path = posixpath.normpath(posixpath.join(stage.wdir, out.path))
            other = makers.setdefault(path, name)
            if other != name:
                bodies.bad(f"both stage `{other}` and stage `{name}` make `{path}`", name)


def with_stage(text: bytes, stage: Stage, source: str = FILE, files: Files = no_files) -> bytes:
    """Add a stage to a pipeline's text, or replace the one of its name; all else keeps every byte."""
    before = parse(text, source, files)
    after = {**before.stages, stage.name: stage}
    changed = _inserted(decode(text, source, PIPELINE_LIMIT), stage, source).encode()
    if dict(parse(changed, source, files).stages) != after:
        raise BadRecord(
            f"stage `{stage.name}` can't be written into this text", source, hint="add it by hand"
        )
    return changed


def _inserted(text: str, stage: Stage, source: str) -> str:
    root = parse_tree(text, source)
    stages = root.child("stages") if isinstance(root, Branch) else None
    if isinstance(stages, Branch) and not stages.flow:
        return _into_block(text, stages, stage)
    if isinstance(stages, Branch) and stages.items:
        raise BadRecord("stages in braces can't be added to", source, stages.line, "write one key a line")
    if stages is not None:
        return text[: stages.start].rstrip(" ") + _after(text[stages.end :], render_stage(stage, "  "))
    gap = "" if text.endswith("\n") or not text else "\n"
    return f"{text}{gap}stages:\n{render_stage(stage, '  ')}"


def _after(rest: str, body: str) -> str:
    """A body to stand on the lines after `stages:`, whose own line may end in a comment."""
    line, _, below = rest.partition("\n")
    return f"{line}\n{body}{below}"


def _into_block(text: str, stages: Branch, stage: Stage) -> str:
    body = render_stage(stage, " " * stages.column)
    for key, item in zip(stages.keys or (), stages.items, strict=True):
        if key.text == stage.name:
            begin, end = line_span(text, key.start, content_end(text, item))
            return text[:begin] + body + text[end:]
    _, end = line_span(text, stages.start, content_end(text, stages))
    gap = "" if text[:end].endswith("\n") else "\n"
    return text[:end] + gap + body + text[end:]
