"""Writes tolerances into a stage in a pipeline's text: comments, and every byte that isn't meant, stay."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tallystick.errors import BadRecord
from tallystick.records.expansion import Files, no_files
from tallystick.records.pipeline import FILE, parse
from tallystick.records.syntax import PIPELINE_LIMIT, decode
from tallystick.records.templating import escaped
from tallystick.records.tolerance import Tolerances, short_values
from tallystick.records.yamledit import content_end, line_span, spaced
from tallystick.records.yamltree import Branch, Node, parse_tree
from tallystick.records.yamlwrite import quoted, scalar

KEY = "tolerance"


def with_tolerances(
    text: bytes, stage: str, tolerances: Tolerances, source: str = FILE, files: Files = no_files
) -> bytes:
    """Give numbers of a stage new tolerances, and leave all others; raise BadRecord where that can't be.

    Paths are relative to the stage's folder, as they stand in the text. A stage out of a template
    has to be changed by hand.
    """
    before = parse(text, source, files).stages
    merged = _merged(before[stage].tolerance, tolerances)
    if merged == before[stage].tolerance:
        return text
    values = {path: _escaped(short_values(merged[path])) for path in tolerances}
    changed = _changed(decode(text, source, PIPELINE_LIMIT), stage, values, source).encode()
    after = {**before, stage: replace(before[stage], tolerance=merged)}
    if dict(parse(changed, source, files).stages) != after:
        raise _by_hand(stage, values, source)
    return changed


def _merged(old: Tolerances, new: Tolerances) -> Tolerances:
    return {**old, **{path: {**old.get(path, {}), **bounds} for path, bounds in new.items()}}


def _escaped(bounds: Any) -> Any:
    """Names that look like templates and are none."""
    return {escaped(key): bound for key, bound in bounds.items()} if isinstance(bounds, dict) else bounds


def _changed(text: str, stage: str, values: Mapping[str, Any], source: str) -> str:
    root = parse_tree(text, source)
    stages = root.child("stages") if isinstance(root, Branch) else None
    body = stages.child(stage) if isinstance(stages, Branch) else None
    if not isinstance(body, Branch) or body.flow or not body.items:
        raise _by_hand(stage, values, source)
    present = body.child(KEY)
    if present is None:
        indent = " " * body.column
        return _after(text, body.items[-1], f"{indent}{KEY}:\n{_lines(values, body.column + 2)}")
    if not isinstance(present, Branch) or not present.items or present.keys is None:
        raise _by_hand(stage, values, source)
    return _in_flow(text, present, values) if present.flow else _in_block(text, present, values)


def _in_block(text: str, present: Branch, values: Mapping[str, Any]) -> str:
    """Replace the values of paths that are there, from the last to the first; add the others below."""
    known = {key.text for key in present.keys or ()}
    added = {path: value for path, value in values.items() if escaped(path) not in known}
    if added:
        text = _after(text, present.items[-1], _lines(added, present.column))
    for key, item in reversed(list(zip(present.keys or (), present.items, strict=True))):
        found = next((value for path, value in values.items() if escaped(path) == key.text), None)
        if found is not None:
            end = content_end(text, item)
            text = text[: item.start] + spaced(text, item.start, scalar(found)) + text[end:]
    return text


def _in_flow(text: str, present: Branch, values: Mapping[str, Any]) -> str:
    """The same in braces."""
    known = {key.text for key in present.keys or ()}
    added = {path: value for path, value in values.items() if escaped(path) not in known}
    end = content_end(text, present.items[-1])
    text = text[:end] + "".join(f", {_line(*pair)}" for pair in added.items()) + text[end:]
    return _in_block(text, present, {path: value for path, value in values.items() if path not in added})


def _lines(values: Mapping[str, Any], column: int) -> str:
    return "".join(f"{' ' * column}{_line(path, value)}\n" for path, value in values.items())


def _line(path: str, value: Any) -> str:
    return f"{quoted(escaped(path))}: {scalar(value)}"


def _after(text: str, node: Node, lines: str) -> str:
    """Lines to stand below the one that a node ends on."""
    _, stop = line_span(text, node.start, content_end(text, node))
    gap = "" if text[:stop].endswith("\n") else "\n"
    return text[:stop] + gap + lines + text[stop:]


def _by_hand(stage: str, values: Mapping[str, Any], source: str) -> BadRecord:
    written = scalar({path: values[path] for path in values})
    return BadRecord(
        f"tolerances can't be added to the text of stage `{stage}`",
        source,
        hint=f"add by hand: {KEY}: {written}",
    )
