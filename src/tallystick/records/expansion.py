"""The stages of a pipeline written out: `foreach` and `matrix` multiplied, templates filled in."""

import math
import posixpath
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from tallystick.records import params
from tallystick.records.fields import Fields
from tallystick.records.stage import PARAMS
from tallystick.records.syntax import line_of
from tallystick.records.templating import Mode, Place, Scope, Template, expand, is_templated
from tallystick.records.yamlplain import Table

Files = Callable[[str], bytes | None]
"""Reads a file by its path in the pipeline's folder; None where there is none."""

MOST = 100_000
"""Stages that one pipeline may be written out to."""

_SINGLE = (str, int, float, bool)


def no_files(_path: str) -> bytes | None:
    """For a pipeline that stands alone."""
    return None


class Written:
    """Writes the stages of one pipeline out; `groups` says which came from one `foreach` or `matrix`."""

    def __init__(self, fields: Fields, files: Files, templated: bool) -> None:
        self._fields = fields
        self._files = files
        self._read: dict[str, Mapping[str, Any] | None] = {}
        self._templated = templated
        self.groups: dict[str, tuple[str, ...]] = {}
        self._scope = self._global() if templated or fields.has("vars") else Scope()

    def stages(self) -> Fields:
        """Every stage by its name, as if it had been written by hand."""
        bodies = self._fields.fields("stages")
        table = Table()
        table.lines = {}
        for name in bodies.value:
            line = line_of(bodies.value, name) or 0
            for each, body in self._bodies(name, bodies.nested(name, bodies.value[name], f"stage `{name}`")):
                if each in table:
                    bodies.bad(f"there are two stages `{each[:80]}`", name)
                table[each] = body
                table.lines[each] = line
                if len(table) > MOST:
                    bodies.bad(f"more than {MOST:,} stages", name)
        return Fields(table, self._fields.source, self._fields.what)

    def _bodies(self, name: str, stage: Fields) -> Iterator[tuple[str, Any]]:
        """The stages that one entry stands for, by name."""
        place = Place(stage.source, line_of(self._fields.value["stages"], name), stage.what)
        if "foreach" in stage:
            stage.only("foreach", "do")
            if "do" not in stage:
                stage.bad("`foreach` needs a `do`", "foreach")
            body, items = stage.fields("do").value, self._items(stage, place)
        elif "matrix" in stage:
            body = _without(stage.value, "matrix")
            items = self._combinations(stage, place)
        elif "do" in stage:
            stage.bad("`do` needs a `foreach`", "do")
        else:
            yield name, self._filled(stage.value, self._scope, place)
            return
        names = []
        for suffix, variables in items:
            names.append(each := f"{name}@{suffix}")
            where = Place(place.source, place.line, f"stage `{each}`")
            yield each, self._filled(body, self._scope.within(variables), where)
        self.groups[name] = tuple(names)

    def _items(self, stage: Fields, place: Place) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """What a `foreach` goes through: the end of a stage's name, and its variables."""
        value = self._value(stage, "foreach", place)
        if isinstance(value, dict):
            yield from ((key, {"key": key, "item": item}) for key, item in value.items())
            return
        if not isinstance(value, list):
            stage.bad("`foreach` must be a list or a mapping", "foreach")
        single = all(isinstance(item, _SINGLE) for item in value)
        for position, item in enumerate(value):
            yield _word(item) if single else str(position), {"item": item}

    def _combinations(self, stage: Fields, place: Place) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every choice of one value from each list of a `matrix`."""
        value = self._value(stage, "matrix", place)
        if not isinstance(value, dict) or not value:
            stage.bad("`matrix` must be a mapping of lists", "matrix")
        for key, items in value.items():
            if not isinstance(items, list):
                stage.bad(f"`{key[:80]}` of `matrix` must be a list", "matrix")
        if math.prod(len(items) for items in value.values()) > MOST:
            stage.bad(f"more than {MOST:,} stages", "matrix")
        labels = [
            [
                _word(item) if isinstance(item, _SINGLE) else f"{key}{position}"
                for position, item in enumerate(row)
            ]
            for key, row in value.items()
        ]
        for label, choice in zip(product(*labels), product(*value.values()), strict=True):
            suffix = "-".join(label)
            yield suffix, {"key": suffix, "item": dict(zip(value, choice, strict=True))}

    def _value(self, stage: Fields, key: str, place: Place) -> Any:
        return expand(stage.value[key], self._scope, place.at(line_of(stage.value, key)), "typed")

    def _filled(self, body: Mapping[str, Any], scope: Scope, place: Place) -> Mapping[str, Any]:
        """One stage with its templates filled in; `meta` is the user's own, and stays as it is."""
        fields = Fields(body, place.source, place.what)
        if not self._templated:
            return _without(body, "vars")
        scope = self._own(fields, scope, place)
        table = Table()
        table.lines = {}
        for key, value in body.items():
            if key == "vars":
                continue
            here = place.at(line_of(body, key))
            mode: Mode = "cmd" if key == "cmd" else "text"
            filled = value if key == "meta" else expand(Table({key: value}), scope, here, mode)[key]
            table[key] = filled
            table.lines[key] = here.line or 0
        return table

    def _own(self, fields: Fields, scope: Scope, place: Place) -> Scope:
        """With the variables of one stage alone; their files are looked for in its `wdir`."""
        if not fields.has("vars"):
            return scope
        wdir = fields.value.get("wdir") or "."
        folder = expand(wdir, scope, place) if isinstance(wdir, str) else "."
        return self._variables(fields, scope, place, folder)

    def _global(self) -> Scope:
        """The variables that all stages see: `params.yaml` if there is one, and `vars`."""
        scope = Scope()
        place = Place(self._fields.source, line_of(self._fields.value, "vars"))
        return self._variables(self._fields, scope, place, ".", default=True)

    def _variables(
        self, fields: Fields, scope: Scope, place: Place, folder: str, default: bool = False
    ) -> Scope:
        """A scope with what a field `vars` says in front."""
        merged: dict[str, Any] = {}
        origins: dict[str, str] = {}
        seen = set()
        if default and (values := self._file(PARAMS)) is not None:
            _merge(merged, values, PARAMS, origins, place)
            seen.add(PARAMS)
        for item, line in fields.items("vars"):
            here = place.at(line)
            if isinstance(item, str):
                name = expand(item, scope, here)
                path, _, keys = name.partition(":") if isinstance(name, str) else ("", "", "")
                path = posixpath.normpath(posixpath.join(folder, path))
                if (entry := f"{path}:{keys}") in seen or path in seen:
                    continue
                seen.add(entry if keys else path)
                _merge(merged, self._chosen(path, keys, here), path, origins, here)
            elif isinstance(item, dict):
                _merge(merged, _lazy(item, here), fields.source, origins, here)
            else:
                here.bad("`vars` must hold the names of files, and mappings")
        return scope.settled(merged, place)

    def _chosen(self, path: str, keys: str, place: Place) -> Mapping[str, Any]:
        """A file's variables, or some of them."""
        values = self._file(path)
        if values is None:
            place.bad(f"there is no file `{path[:120]}` to take variables from")
        chosen = [key.strip() for key in keys.split(",") if key.strip()]
        for key in chosen:
            if key not in values:
                place.bad(f"`{path}` has no `{key[:80]}`")
        return {key: values[key] for key in chosen} if chosen else values

    def _file(self, path: str) -> Mapping[str, Any] | None:
        if path not in self._read:
            data = self._files(path)
            self._read[path] = None if data is None else params.read(data, path)
        return self._read[path]


def _without(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A mapping without one key; the lines stay."""
    if key not in value:
        return value
    table = Table((name, item) for name, item in value.items() if name != key)
    table.lines = getattr(value, "lines", {})
    return table


def _word(item: Any) -> str:
    return str(item).lower() if isinstance(item, bool) else str(item)


def _lazy(value: Any, place: Place) -> Any:
    """The variables of a pipeline's own text, which may refer to others."""
    if isinstance(value, dict):
        return {key: _lazy(item, place.at(line_of(value, key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_lazy(item, place.at(line_of(value, position))) for position, item in enumerate(value)]
    return Template(value, place) if is_templated(value) else value


def _merge(
    into: dict[str, Any],
    values: Mapping[str, Any],
    origin: str,
    origins: dict[str, str],
    place: Place,
    prefix: str = "",
) -> None:
    """Add variables; two that say different things under one name are a mistake."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        present = into.get(key)
        if key not in into:
            into[key] = {**value} if isinstance(value, dict) else value
            origins[name] = origin
        elif isinstance(present, dict) and isinstance(value, dict):
            into[key] = dict(present)
            _merge(into[key], value, origin, origins, place, f"{name}.")
        elif present != value:
            other = origins.get(name) or origins.get(name.partition(".")[0], origin)
            place.bad(f"the variable `{name[:80]}` of `{origin}` is defined by `{other}` already")
