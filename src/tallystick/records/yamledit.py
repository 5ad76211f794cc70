"""Changes a YAML text in place: what isn't meant keeps every byte."""

from collections.abc import Collection, Mapping

from tallystick.records.syntax import plain
from tallystick.records.yamltree import Branch, Node
from tallystick.records.yamlwrite import quoted, scalar


def set_keys(text: str, root: Branch, ours: Collection[str], values: Mapping[str, str]) -> str:
    """Give a mapping new values for our keys: replaced in place, added at the end, or dropped."""
    if root.flow:
        return _unfolded(root, ours, values)
    pieces: list[str] = []
    position = 0
    for key, item in zip(root.keys or (), root.items, strict=True):
        if key.text not in ours:
            continue
        if key.text in values:
            pieces.append(text[position : item.start] + spaced(text, item.start, values[key.text]))
            position = item.end
        else:
            begin, end = line_span(text, key.start, item.end)
            pieces.append(text[position:begin])
            position = end
    pieces.append(text[position:])
    present = {key.text for key in root.keys or ()}
    added = {key: value for key, value in values.items() if key not in present}
    return _appended("".join(pieces), root.column, added)


def spaced(text: str, position: int, value: str) -> str:
    """A value to stand at a position, after the blank that a colon or a dash wants."""
    return f" {value}" if text[position - 1 : position] in (":", "-") else value


def line_span(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole lines that hold a span, the last line's break included."""
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", max(end, start))
    return begin, len(text) if stop < 0 else stop + 1


def _appended(text: str, column: int, values: Mapping[str, str]) -> str:
    if not values:
        return text
    gap = "" if text.endswith("\n") or not text else "\n"
    indent = " " * column
    return text + gap + "".join(f"{indent}{key}: {value}\n" for key, value in values.items())


def _unfolded(root: Branch, ours: Collection[str], values: Mapping[str, str]) -> str:
    """A mapping in braces, written one key a line."""
    others = {
        key.text: scalar(plain(item))
        for key, item in zip(root.keys or (), root.items, strict=True)
        if key.text not in ours
    }
    merged = {**values, **others}
    return "".join(f"{quoted(key)}: {value}\n" for key, value in merged.items())


def content_end(text: str, node: Node) -> int:
    """Where a node's own text ends, without the blank lines and comments that follow it."""
    if isinstance(node, Branch) and not node.flow and node.items:
        return content_end(text, node.items[-1])
    return node.start + len(text[node.start : node.end].rstrip())
