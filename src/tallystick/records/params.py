"""Parameters: the values of params.yaml and its like that a stage depends on, read and overridden."""

from collections.abc import Mapping, Sequence
from typing import Any

from tallystick.errors import BadRecord, Refused
from tallystick.records import jsontext, tomltext
from tallystick.records.syntax import PIPELINE_LIMIT, decode, load_yaml
from tallystick.records.values import JSON_SUFFIX, YAML_SUFFIXES, flatten, load, suffix_of
from tallystick.records.yamledit import spaced
from tallystick.records.yamltree import Branch, Leaf, Node, parse_tree
from tallystick.records.yamlwrite import scalar

Values = dict[str, Any]


def read(data: bytes | str, file: str) -> Values:
    """Read a parameters file; an empty one has no values."""
    values = load(data, file)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadRecord("parameters must be a mapping", file, 1)
    return values


def select(values: Mapping[str, Any], keys: Sequence[str] = (), file: str = "") -> Values:
    """Dotted key -> value below the keys asked for, all without keys; raise BadRecord for a missing one."""
    if not keys:
        return flatten(values, file)
    chosen: Values = {}
    for key in keys:
        value = _find(values, key, file)
        chosen.update(flatten(value, file, f"{key}.") if isinstance(value, dict) and value else {key: value})
    return chosen


def _find(values: Any, key: str, file: str) -> Any:
    """A value by its dotted key; a key that itself holds dots is tried first, a number picks from a list."""
    path = _path(values, key)
    if path is None:
        known = ", ".join(map(str, values)) if isinstance(values, dict) else ""
        raise BadRecord(f"there is no parameter `{key}`", file, hint=f"there are: {known}" if known else None)
    for part in path:
        values = values[part]
    return values


def _path(values: Any, key: str) -> list[str | int] | None:
    if isinstance(values, list):
        head, dot, rest = key.partition(".")
        if not head.isascii() or not head.isdigit() or len(head) > 9 or int(head) >= len(values):
            return None
        return _joined(int(head), values[int(head)], rest if dot else None)
    if not isinstance(values, dict):
        return None
    if key in values:
        return [key]
    for position in (index for index, character in enumerate(key) if character == "."):
        head, rest = key[:position], key[position + 1 :]
        if head in values and (path := _joined(head, values[head], rest)) is not None:
            return path
    return None


def _joined(head: str | int, value: Any, rest: str | None) -> list[str | int] | None:
    if rest is None:
        return [head]
    path = _path(value, rest)
    return None if path is None else [head, *path]


def override(text: bytes, file: str, setting: str) -> bytes:
    """Apply `train.lr=0.1` to a file's text; comments and layout stay. Raise Refused for an unknown key."""
    key, equals, wanted = setting.partition("=")
    if not equals or not key:
        raise Refused(f"`{setting}` is not a setting", hint="write it as `key=value`, like `train.lr=0.1`")
    values = read(text, file)
    path = _path(values, key)
    if path is None:
        known = ", ".join(sorted(flatten(values, file))[:10])
        raise Refused(f"`{file}` has no parameter `{key}`", hint=f"it has: {known}" if known else None)
    value = load_yaml(wanted, f"the value of {key}")
    changed = _replaced(decode(text, file, PIPELINE_LIMIT), file, path, value)
    if changed is None or read(changed, file) != _with(values, path, value):
        raise Refused(f"`{key}` can't be changed in place in `{file}`", hint="edit the file")
    return changed.encode()


def _with(values: Any, path: Sequence[str | int], value: Any) -> Any:
    """The values with one of them changed."""
    if not path:
        return value
    changed = values.copy()
    changed[path[0]] = _with(values[path[0]], path[1:], value)
    return changed


def _replaced(text: str, file: str, path: Sequence[str | int], value: Any) -> str | None:
    """The text with one value changed; None where the value can't be found or written."""
    suffix = suffix_of(file)
    if suffix in YAML_SUFFIXES:
        return _replaced_yaml(text, file, path, value)
    if suffix == JSON_SUFFIX:
        span = jsontext.spans(text).get(tuple(path))
        new: str | None = jsontext.dump(value)
    else:
        span = tomltext.spans(text).get(tuple(path))
        new = tomltext.literal(value)
    return None if span is None or new is None else text[: span[0]] + new + text[span[1] :]


def _replaced_yaml(text: str, file: str, path: Sequence[str | int], value: Any) -> str | None:
    node: Node | None = parse_tree(text, file)
    for part in path:
        node = _step(node, part)
    if (isinstance(node, Branch) and not node.flow) or node is None:
        return None
    return text[: node.start] + spaced(text, node.start, scalar(value)) + text[node.end :]


def _step(node: Node | None, part: str | int) -> Node | None:
    if isinstance(node, Leaf) or node is None:
        return None
    return node.child(part) if isinstance(part, str) else node.items[part]
