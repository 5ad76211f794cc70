"""How two runs differ, as lines for people."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tallystick.cli.changes import change_lines, counts
from tallystick.cli.text import size_text, style, table
from tallystick.runs.contrast import Contrast, FileDiff, PathDiff, ValueDiff

_KINDS = {"added": "good", "removed": "bad", "changed": "changed"}


def contrast_lines(found: Contrast, *, verbose: bool) -> Iterator[str]:
    """All that differs: what the runs came from, where they ran, and what came out."""
    yield from _values("Run", found.facts)
    yield from _code(found)
    files = {each.path for each in found.code}
    yield from path_lines("Deps", [each for each in found.deps if each.path not in files], verbose)
    yield from _values("Features", found.features)
    yield from _values("Params", found.params)
    yield from _values("Variables", found.variables)
    if found.environment:
        yield style("Environment", "strong")
        yield from (f"  {change}" for change in found.environment)
    yield from _values("Settings that change numbers", found.settings)
    yield from _values("Machine", found.machine)
    yield from path_lines("Outs", found.outs, verbose)
    yield from _values("Metrics", found.metrics)


def _values(title: str, values: Sequence[ValueDiff]) -> Iterator[str]:
    """The values that differ; the file and the difference only where there are any."""
    if not values:
        return
    yield style(title, "strong")
    file, difference = any(each.file for each in values), any(each.difference is not None for each in values)
    kept = [file, True, True, True, difference]
    rows = [[cell for cell, keep in zip(value_row(value), kept, strict=True) if keep] for value in values]
    yield from table([[f"  {row[0].strip()}", *row[1:]] for row in rows])


def _code(found: Contrast) -> Iterator[str]:
    """The files that differ, with the lines that came and went."""
    if found.code:
        yield style("Code", "strong")
        yield from table([_file(each) for each in found.code])


def _file(each: FileDiff) -> list[str]:
    lines = "not text" if each.added is None or each.removed is None else f"+{each.added} -{each.removed}"
    return [f"  {style(each.state, _KINDS[each.state])}", each.path, lines]


def path_lines(title: str, paths: Sequence[PathDiff], verbose: bool) -> Iterator[str]:
    """The paths that differ, with their sizes and files."""
    if paths:
        yield style(title, "strong")
        for path in paths:
            yield from _path_lines(path, verbose)


def _path_lines(path: PathDiff, verbose: bool) -> Iterator[str]:
    sizes = [size_text(size) for size in (path.old_size, path.new_size) if size is not None]
    found = counts(path.changes)
    yield f"  {style(path.state.ljust(7), _KINDS[path.state])}  {path.path}  {' -> '.join(sizes)}{found}"
    if path.state == "changed" or verbose:
        yield from change_lines(path.changes, verbose=verbose)


def value_row(value: ValueDiff) -> tuple[str, ...]:
    """One value: its file, key, both sides, and how far they lie apart."""
    difference = "" if value.difference is None else f"{value.difference:+.6g}"
    return f"  {value.file}", value.key, _shown(value.old), _shown(value.new), difference


def _shown(value: Any) -> str:
    """A value as JSON writes it, `-` where there is none."""
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
