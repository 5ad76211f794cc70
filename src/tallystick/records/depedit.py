"""Adds deps to a stage in a pipeline's text: the stage's comments and every other byte stay."""

from collections.abc import Sequence
from dataclasses import replace

from tallystick.errors import BadRecord
from tallystick.records.expansion import Files, no_files
from tallystick.records.pipeline import FILE, parse
from tallystick.records.syntax import PIPELINE_LIMIT, decode
from tallystick.records.yamledit import content_end, line_span
from tallystick.records.yamltree import Branch, Node, parse_tree
from tallystick.records.yamlwrite import quoted


def with_deps(
    text: bytes, stage: str, deps: Sequence[str], source: str = FILE, files: Files = no_files
) -> bytes:
    """Add deps to a stage; raise BadRecord where its text can't be added to, as in a template."""
    before = parse(text, source, files).stages
    new = tuple(dep for dep in deps if dep not in before[stage].deps)
    if not new:
        return text
    after = {**before, stage: replace(before[stage], deps=(*before[stage].deps, *new))}
    changed = _added(decode(text, source, PIPELINE_LIMIT), stage, new, source).encode()
    if dict(parse(changed, source, files).stages) != after:
        raise _by_hand(stage, new, source)
    return changed


def _added(text: str, stage: str, deps: Sequence[str], source: str) -> str:
    root = parse_tree(text, source)
    stages = root.child("stages") if isinstance(root, Branch) else None
    body = stages.child(stage) if isinstance(stages, Branch) else None
    if not isinstance(body, Branch) or not body.items:
        raise _by_hand(stage, deps, source)
    present, listed = body.child("deps"), ", ".join(map(quoted, deps))
    if present is None and body.flow:
        return _inserted(text, content_end(text, _command(body)), f", deps: [{listed}]")
    if present is None:
        lines = _lines(deps, body.column + 2)
        return _after(text, _command(body), f"{' ' * body.column}deps:\n{lines}")
    if not isinstance(present, Branch):
        raise _by_hand(stage, deps, source)
    if not present.flow:
        return _after(text, present.items[-1], _lines(deps, present.column))
    if not present.items:
        return _inserted(text, present.start + 1, listed)
    return _inserted(text, content_end(text, present.items[-1]), f", {listed}")


def _command(body: Branch) -> Node:
    """Where the deps of a stage without any go: after its command, or else at its end."""
    return body.child("cmd") or body.items[-1]


def _inserted(text: str, position: int, words: str) -> str:
    return text[:position] + words + text[position:]


def _lines(deps: Sequence[str], column: int) -> str:
    return "".join(f"{' ' * column}- {quoted(dep)}\n" for dep in deps)


def _after(text: str, node: Node, lines: str) -> str:
    """Lines to stand below the one that a node ends on."""
    _, stop = line_span(text, node.start, content_end(text, node))
    gap = "" if text[:stop].endswith("\n") else "\n"
    return text[:stop] + gap + lines + text[stop:]


def _by_hand(stage: str, deps: Sequence[str], source: str) -> BadRecord:
    named = ", ".join(f"`{dep}`" for dep in deps)
    return BadRecord(
        f"deps can't be added to the text of stage `{stage}`", source, hint=f"add by hand: {named}"
    )
