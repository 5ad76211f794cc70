"""Plots that a pipeline names beside its stages: a file, and which of its columns to draw."""

from collections.abc import Iterator
from typing import Any

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.records.fields import Fields, single_line
from tallystick.records.syntax import line_of

OPTIONS = ("x", "y", "title", "x_label", "y_label", "template")


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: a file or folder, and how to draw it; what is not said is the drawer's choice."""

    path: str
    x: str | None = None
    y: tuple[str, ...] = ()
    title: str | None = None
    x_label: str | None = None
    y_label: str | None = None
    template: str | None = None


def read_plots(fields: Fields) -> tuple[Plot, ...]:
    """Read `plots`: a list of paths, of `path: {x: …, y: …}`, or one mapping of these."""
    if not fields.has("plots"):
        return ()
    value = fields.value["plots"]
    if isinstance(value, dict):
        return tuple(_plot(fields.fields("plots"), path) for path in value)
    return tuple(plot for item, line in fields.items("plots") for plot in _listed(item, line, fields))


def _listed(item: Any, line: int | None, fields: Fields) -> Iterator[Plot]:
    if isinstance(item, dict):
        table = Fields(item, fields.source, fields.what)
        yield from (_plot(table, path) for path in item)
    elif isinstance(item, str) and single_line(item):
        yield Plot(check_path(item, fields.source, line))
    else:
        raise BadRecord("`plots` must hold paths", fields.source, line)


def _plot(table: Fields, path: str) -> Plot:
    check_path(path, table.source, line_of(table.value, path))
    options = table.nested(path, table.value[path] or {}, f"plot `{path}`")
    options.only(*OPTIONS)
    y = options.value.get("y")
    return Plot(
        path,
        y=options.lines("y") if isinstance(y, list) else ((options.line("y"),) if y is not None else ()),
        **{key: options.optional(key, options.line) for key in OPTIONS if key != "y"},
    )
