"""One stage of a pipeline: what it runs, reads and makes, and how exactly a repetition must match."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tallystick.errors import BadRecord
from tallystick.paths import check_path
from tallystick.records.fields import Fields, is_number, single_line
from tallystick.records.syntax import line_of
from tallystick.records.yamlwrite import quoted, scalar

PARAMS = "params.yaml"
"""The file that a bare parameter key belongs to."""

EVERY = "*"
"""In a tolerance: every number that has none of its own."""

LARGEST_SEED = (1 << 64) - 1

STAGE_KEYS = (
    "cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "seed", "variables",
    "tolerance", "frozen", "always_changed", "desc", "meta",
)  # fmt: skip
_LATER = ("foreach", "do", "matrix", "vars", "features", "environment")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,98}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_SECRET = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Out:
    """What a stage makes; `cache` says whether it is tracked like `tally add` or left to git."""

    path: str
    cache: bool = True


@dataclass(frozen=True, slots=True)
class ParamFile:
    """Parameters that a stage depends on; no keys means the whole file."""

    file: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from the recorded one: within either bound is close enough."""

    absolute: float | None = None
    relative: float | None = None


Tolerances = Mapping[str, Mapping[str, Tolerance]]
"""Path -> key of a number, or EVERY -> bound."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step; its paths are relative to `wdir`, which is relative to the pipeline's folder."""

    name: str
    cmd: str | tuple[str, ...]
    wdir: str = "."
    deps: tuple[str, ...] = ()
    params: tuple[ParamFile, ...] = ()
    outs: tuple[Out, ...] = ()
    metrics: tuple[Out, ...] = ()
    plots: tuple[Out, ...] = ()
    seed: int | None = None
    variables: tuple[str, ...] = ()
    tolerance: Tolerances = field(default_factory=dict)
    frozen: bool = False
    always_changed: bool = False
    desc: str | None = None
    meta: Mapping[str, Any] | None = None

    @property
    def all_outs(self) -> tuple[Out, ...]:
        """Outs, metrics and plots."""
        return self.outs + self.metrics + self.plots


def read_stage(name: str, bodies: Fields) -> Stage:
    """Read the stage of a name out of all stages' bodies."""
    if not _NAME.fullmatch(name):
        bodies.bad(f"a stage's name is made of letters, digits, `_`, `-` and `.`, not `{name[:80]}`", name)
    check_path(name, bodies.source, line_of(bodies.value, name))
    fields = bodies.nested(name, bodies.value[name], f"stage `{name}`")
    for key in _LATER:
        if key in fields:
            fields.bad(f"`{key}` is not supported by this version of tally", key)
    fields.only(*STAGE_KEYS)
    _refuse_templates(fields.value, fields)
    stage = Stage(
        name=name,
        cmd=_command(fields),
        wdir=_wdir(fields),
        deps=_unique("deps", tuple(_paths("deps", fields)), fields),
        params=_params(fields),
        outs=_outs("outs", fields, True),
        metrics=_outs("metrics", fields, False),
        plots=_outs("plots", fields, True),
        seed=fields.optional("seed", lambda key: fields.integer(key, most=LARGEST_SEED)),
        variables=_variables(fields),
        tolerance=read_tolerances(fields),
        frozen=fields.flag("frozen"),
        always_changed=fields.flag("always_changed"),
        desc=fields.optional("desc", fields.text),
        meta=fields.optional("meta", lambda key: fields.fields(key).value),
    )
    _check_tolerated(stage, fields)
    return stage


def _refuse_templates(value: Any, fields: Fields) -> None:
    """Templates come with a later version: a text that would then mean something else is refused now."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, str) and "${" in item:
            raise BadRecord(
                f"{fields.what}: templates (`${{…}}`) are not supported by this version of tally",
                fields.source,
                line_of(value, key),
                "write a shell variable without braces: `$NAME`",
            )
        if isinstance(item, dict | list) and key != "meta":
            _refuse_templates(item, fields)


def _command(fields: Fields) -> str | tuple[str, ...]:
    if isinstance(fields.value.get("cmd"), list):
        words = tuple(_text("cmd", item, line, fields) for item, line in fields.items("cmd"))
        if not words or not words[0]:
            fields.bad("`cmd` is empty", "cmd")
        return words
    text = fields.text("cmd")
    if not text.strip():
        fields.bad("`cmd` is empty", "cmd")
    return text


def _wdir(fields: Fields) -> str:
    if not fields.has("wdir"):
        return "."
    text = fields.text("wdir")
    plain = posixpath.normpath(text) if text else ""
    return plain if plain in (".", "..") else _path("wdir", text, line_of(fields.value, "wdir"), fields)


def _path(key: str, value: Any, line: int | None, fields: Fields) -> str:
    """A path as the user writes it, normalised; it may begin with `..`, which only the project can judge."""
    text = _text(key, value, line, fields)
    plain = posixpath.normpath(text) if text else ""
    inner = plain
    while inner.startswith("../"):
        inner = inner[3:]
    if text.startswith("/") or "://" in text:
        raise BadRecord(f"{fields.what}: `{text[:120]}` is outside of the project", fields.source, line)
    check_path(inner, fields.source, line)
    return plain


def _text(key: str, value: Any, line: int | None, fields: Fields) -> str:
    if not isinstance(value, str) or (key != "cmd" and not single_line(value)):
        raise BadRecord(f"{fields.what}: `{key}` must hold texts, not {value!r:.80}", fields.source, line)
    return value


def _paths(key: str, fields: Fields) -> Iterator[str]:
    for item, line in fields.items(key):
        yield _path(key, item, line, fields)


def _unique(key: str, values: tuple[str, ...], fields: Fields) -> tuple[str, ...]:
    for position, value in enumerate(values):
        if value in values[:position]:
            fields.bad(f"`{key}` names `{value}` twice", key)
    return values


def _outs(key: str, fields: Fields, cache: bool) -> tuple[Out, ...]:
    outs = tuple(_out(key, item, line, fields, cache) for item, line in fields.items(key))
    _unique(key, tuple(out.path for out in outs), fields)
    return outs


def _out(key: str, item: Any, line: int | None, fields: Fields, cache: bool) -> Out:
    """`path`, or `path: {cache: false}`."""
    if not isinstance(item, dict):
        return Out(_path(key, item, line, fields), cache)
    if len(item) != 1:
        raise BadRecord(f"{fields.what}: `{key}` wants `- path: {{cache: false}}`", fields.source, line)
    ((path, options),) = item.items()
    settings = Fields(item, fields.source, fields.what).nested(path, options or {})
    settings.only("cache")
    return Out(_path(key, path, line, fields), settings.flag("cache", cache))


def _params(fields: Fields) -> tuple[ParamFile, ...]:
    """Keys of params.yaml, `{file: [keys]}`, or a list of both; keys of one file are put together."""
    files: dict[str, tuple[str, ...]] = {}
    value = fields.value.get("params")
    items = [(value, line_of(fields.value, "params"))] if isinstance(value, dict) else fields.items("params")
    for item, line in items:
        for file, keys in _param_keys(item, line, fields):
            # A file named whole stays whole, whatever else names keys of it.
            whole = not keys or files.get(file) == ()
            files[file] = () if whole else (*files.get(file, ()), *keys)
    for keys in files.values():
        _unique("params", keys, fields)
    return tuple(ParamFile(file, keys) for file, keys in files.items())


def _param_keys(item: Any, line: int | None, fields: Fields) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not isinstance(item, dict):
        yield PARAMS, (_text("params", item, line, fields),)
        return
    table = Fields(item, fields.source, fields.what)
    for file in item:
        keys = tuple(_text("params", key, where, fields) for key, where in table.items(file))
        yield _path("params", file, line_of(item, file) or line, fields), keys


def _variables(fields: Fields) -> tuple[str, ...]:
    names = _unique("variables", fields.lines("variables"), fields)
    for name in names:
        if not _VARIABLE.fullmatch(name):
            fields.bad(f"`{name[:80]}` is not a variable's name", "variables")
        if _SECRET.search(name):
            fields.bad(f"`{name}` looks like a secret: its value would stand in receipts", "variables")
    return names


def read_tolerances(fields: Fields) -> Tolerances:
    """Read the field `tolerance`, of a stage or of a receipt."""
    if not fields.has("tolerance"):
        return {}
    table = fields.fields("tolerance")
    return {
        _path("tolerance", path, line_of(table.value, path), fields): _tolerance(table, path)
        for path in table.value
    }


def _tolerance(table: Fields, path: str) -> Mapping[str, Tolerance]:
    value = table.value[path]
    if not isinstance(value, dict):
        return {EVERY: _bound(table, path)}
    if not value:
        table.bad(f"the tolerance of `{path}` is empty", path)
    bounds = table.nested(path, value)
    if set(value) <= {"absolute", "relative"}:
        return {EVERY: _bound(table, path)}
    return {key: _bound(bounds, key) for key in value}


def _bound(fields: Fields, key: str) -> Tolerance:
    """A number (absolute), or `{absolute: number, relative: number}`."""
    value = fields.value[key]
    if is_number(value) and value >= 0:
        return Tolerance(absolute=float(value))
    if not isinstance(value, dict) or not value:
        fields.bad(f"the tolerance of `{key}` must be a number, or `absolute` and `relative` ones", key)
    bounds = fields.nested(key, value)
    bounds.only("absolute", "relative")
    return Tolerance(bounds.optional("absolute", bounds.number), bounds.optional("relative", bounds.number))


def _check_tolerated(stage: Stage, fields: Fields) -> None:
    made = [out.path for out in stage.all_outs]
    for key, outs in (("metrics", stage.metrics), ("plots", stage.plots)):
        for out in outs:
            if made.count(out.path) > 1:
                fields.bad(f"it makes `{out.path}` twice", key)
    for path in stage.tolerance:
        if not any(path == out or path.startswith(f"{out}/") for out in made):
            fields.bad(f"`tolerance` names `{path}`, which the stage doesn't make", "tolerance")


def render_stage(stage: Stage, indent: str) -> str:
    """A stage as lines of YAML that `read_stage` reads back."""
    lines = [f"{indent}{quoted(stage.name)}:"]
    for key, value in _settings(stage).items():
        if isinstance(value, list):
            lines.append(f"{indent}  {key}:")
            lines.extend(f"{indent}    - {text}" for text in value)
        else:
            lines.append(f"{indent}  {key}: {value}")
    return "\n".join(lines) + "\n"


def _settings(stage: Stage) -> dict[str, str | list[str]]:
    """What a stage says beyond the defaults; a list becomes one line an item."""
    cmd = stage.cmd if isinstance(stage.cmd, str) else list(stage.cmd)
    settings: dict[str, str | list[str] | None] = {
        "desc": None if stage.desc is None else quoted(stage.desc),
        "cmd": scalar(cmd),
        "wdir": None if stage.wdir == "." else quoted(stage.wdir),
        "deps": [quoted(path) for path in stage.deps],
        "params": [text for params in stage.params for text in _params_text(params)],
        "outs": [_out_text(out, True) for out in stage.outs],
        "metrics": [_out_text(out, False) for out in stage.metrics],
        "plots": [_out_text(out, True) for out in stage.plots],
        "seed": None if stage.seed is None else str(stage.seed),
        "variables": [quoted(name) for name in stage.variables],
        "tolerance": scalar(tolerance_values(stage.tolerance)) if stage.tolerance else None,
        "frozen": "true" if stage.frozen else None,
        "always_changed": "true" if stage.always_changed else None,
        "meta": None if stage.meta is None else scalar(stage.meta),
    }
    return {key: value for key, value in settings.items() if value}


def _params_text(params: ParamFile) -> list[str]:
    if params.file == PARAMS and params.keys:
        return [quoted(key) for key in params.keys]
    return [f"{quoted(params.file)}: {scalar(list(params.keys)) if params.keys else ''}".rstrip()]


def _out_text(out: Out, default: bool) -> str:
    return quoted(out.path) if out.cache == default else f"{quoted(out.path)}: {{cache: {scalar(out.cache)}}}"


def tolerance_values(tolerance: Tolerances) -> dict[str, dict[str, dict[str, float]]]:
    """Tolerances as plain values, every bound in full: the short forms say the same."""
    return {
        path: {
            key: {
                name: bound
                for name, bound in (("absolute", limit.absolute), ("relative", limit.relative))
                if bound is not None
            }
            for key, limit in bounds.items()
        }
        for path, bounds in tolerance.items()
    }
