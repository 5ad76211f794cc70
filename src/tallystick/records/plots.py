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
    """Read `plots`: a list of paths, of `path: {x: …, y: …}`, or one mapping of these.

    DVC's plots of several files are read, too: under a name, with `y` as file → columns.
    """
    if not fields.has("plots"):
        return ()
    value = fields.value["plots"]
    if isinstance(value, dict):
        table = fields.fields("plots")
        return tuple(plot for name in value for plot in _plots(table, name))
    return tuple(plot for item, line in fields.items("plots") for plot in _listed(item, line, fields))


def _listed(item: Any, line: int | None, fields: Fields) -> Iterator[Plot]:
    if isinstance(item, dict):
        table = Fields(item, fields.source, fields.what)
        for name in item:
            yield from _plots(table, name)
    elif isinstance(item, str) and single_line(item):
        yield Plot(check_path(item, fields.source, line))
    else:
        raise BadRecord("`plots` must hold paths", fields.source, line)


def _plots(table: Fields, name: str) -> Iterator[Plot]:
    """One plot for each file: that of the name, or those that `y` names."""
    options = table.nested(name, table.value[name] or {}, f"plot `{name}`")
    options.only(*OPTIONS)
    told = {key: options.optional(key, options.line) for key in OPTIONS if key not in ("x", "y", "title")}
    title = options.optional("title", options.line)
    if not isinstance(options.value.get("y"), dict):
        check_path(name, table.source, line_of(table.value, name))
        x = options.optional("x", options.line)
        yield Plot(name, x, _columns(options, "y"), title, **told)
        return
    files = options.fields("y", "y")
    for path in files.value:
        check_path(path, files.source, line_of(files.value, path))
        yield Plot(path, _x_of(options, path), _columns(files, path), title or name, **told)


def _columns(fields: Fields, key: str) -> tuple[str, ...]:
    if isinstance(fields.value.get(key), list):
        return fields.lines(key)
    column = fields.optional(key, fields.line)
    return () if column is None else (column,)


def _x_of(options: Fields, path: str) -> str | None:
    """The column that a curve goes over; DVC lets it be named file by file, too."""
    if not isinstance(options.value.get("x"), dict):
        return options.optional("x", options.line)
    files = options.fields("x", "x")
    return files.optional(path, files.line)
