"""One stage of a pipeline: what it runs, reads and makes, and how exactly a repetition must match."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, Literal

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.patterns import regex
from tallystick.records.features import Use, parse_use
from tallystick.records.fields import Fields, item_path, item_text, single_line
from tallystick.records.image import is_image_id, parse_image
from tallystick.records.syntax import line_of
from tallystick.records.tolerance import Tolerances, read_tolerances

PARAMS = "params.yaml"
"""The file that a bare parameter key belongs to."""

LARGEST_SEED = (1 << 64) - 1

STAGE_KEYS = (
    "cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "seed", "variables", "tolerance",
    "features", "trace", "environment", "network", "frozen", "always_changed", "desc", "meta",
)  # fmt: skip

Trace = Literal["none", "python", "strace", "enforce"]
TRACES: dict[str, Trace] = {"none": "none", "python": "python", "strace": "strace", "enforce": "enforce"}
DEFAULT_TRACE: Trace = "python"
"""How reads are observed unless a stage says otherwise: by Python's own opens, which costs little."""

_NAME = regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,98}")
_VARIABLE = regex(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
LONGEST_ITEM = 200
"""Characters that may follow the `@` of a stage's name."""

_SECRET = regex(r"SECRET|TOKEN|PASSW|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY", re.IGNORECASE)


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
    features: tuple[Use, ...] = ()
    trace: Trace = DEFAULT_TRACE
    image: str | None = None
    network: bool = False
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
    _check_name(name, bodies)
    fields = bodies.nested(name, bodies.value[name], f"stage `{name}`")
    fields.only(*STAGE_KEYS)
    fields.require("cmd")
    # A stage has a few of the keys, and there may be thousands of stages: only what is there is read.
    there = {
        "image" if key == "environment" else key: read(fields)
        for key, read in _READERS.items()
        if key in fields.value
    }
    stage = Stage(name, **there)
    _check_tolerated(stage, fields)
    return stage


def _check_name(name: str, bodies: Fields) -> None:
    """`train`, or `train@` and what a `foreach` or `matrix` went through: any text on one line."""
    plain, _, each = name.partition("@")
    if not _NAME.fullmatch(plain):
        bodies.bad(f"a stage's name is made of letters, digits, `_`, `-` and `.`, not `{name[:80]}`", name)
    if "@" in name and (not each.strip() or not single_line(each) or len(each) > LONGEST_ITEM):
        reason = f"`{name[:80]!a}` can't be a stage's name: the text after `@` must be one short line"
        bodies.bad(reason, name, "give the items names: a mapping instead of a list")
    check_path(name, bodies.source, line_of(bodies.value, name))


def _command(fields: Fields) -> str | tuple[str, ...]:
    if isinstance(fields.value.get("cmd"), list):
        words = tuple(item_text("cmd", item, line, fields) for item, line in fields.items("cmd"))
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
    return plain if plain in (".", "..") else item_path("wdir", text, line_of(fields.value, "wdir"), fields)


def _paths(key: str, fields: Fields) -> Iterator[str]:
    for item, line in fields.items(key):
        yield item_path(key, item, line, fields)


def _unique(key: str, values: tuple[str, ...], fields: Fields) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        value = next(value for position, value in enumerate(values) if value in values[:position])
        fields.bad(f"`{key}` names `{value}` twice", key)
    return values


def _outs(key: str, fields: Fields, cache: bool) -> tuple[Out, ...]:
    outs = tuple(_out(key, item, line, fields, cache) for item, line in fields.items(key))
    _unique(key, tuple(out.path for out in outs), fields)
    return outs


def _out(key: str, item: Any, line: int | None, fields: Fields, cache: bool) -> Out:
    """`path`, or `path: {cache: false}`."""
    if not isinstance(item, dict):
        return Out(item_path(key, item, line, fields), cache)
    if len(item) != 1:
        raise BadRecord(f"{fields.what}: `{key}` wants `- path: {{cache: false}}`", fields.source, line)
    ((path, options),) = item.items()
    settings = Fields(item, fields.source, fields.what).nested(path, options or {})
    settings.only("cache")
    return Out(item_path(key, path, line, fields), settings.flag("cache", cache))


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
        yield PARAMS, (item_text("params", item, line, fields),)
        return
    table = Fields(item, fields.source, fields.what)
    for file in item:
        keys = tuple(item_text("params", key, where, fields) for key, where in table.items(file))
        yield item_path("params", file, line_of(item, file) or line, fields), keys


def _variables(fields: Fields) -> tuple[str, ...]:
    names = _unique("variables", fields.lines("variables"), fields)
    for name in names:
        if not _VARIABLE.fullmatch(name):
            fields.bad(f"`{name[:80]}` is not a variable's name", "variables")
        if _SECRET.search(name):
            hint = "the command gets it all the same; only what stands in `variables` is recorded"
            fields.bad(f"`{name}` looks like a secret: its value would stand in receipts", "variables", hint)
    return names


def _features(fields: Fields) -> tuple[Use, ...]:
    uses = tuple(
        _use(item_text("features", item, line, fields), line, fields)
        for item, line in fields.items("features")
    )
    _unique("features", tuple(use.view for use in uses), fields)
    return uses


def _use(text: str, line: int | None, fields: Fields) -> Use:
    use = parse_use(text)
    if use is None:
        reason = f"{fields.what}: `{text[:120]}` is no feature: write it as `view@v3`"
        raise BadRecord(reason, fields.source, line)
    return use


def _image(fields: Fields) -> str | None:
    """The container image of `environment: {image: …}`."""
    if not fields.has("environment"):
        return None
    table = fields.fields("environment")
    table.only("image")
    image = table.line("image")
    if parse_image(image) is None:
        hint = "names are in lower case: `python:3.11`, `registry.example.org/team/train@sha256:…`"
        if is_image_id(image):
            hint = "an ID means something on one machine only: give the image a name"
        table.bad(f"`{image[:120]}` is not the name of an image", "image", hint)
    return image


def _check_tolerated(stage: Stage, fields: Fields) -> None:
    if not (stage.metrics or stage.plots or stage.tolerance):
        return
    made = [out.path for out in stage.all_outs]
    for key, outs in (("metrics", stage.metrics), ("plots", stage.plots)):
        for out in outs:
            if made.count(out.path) > 1:
                fields.bad(f"it makes `{out.path}` twice", key)
    for path in stage.tolerance:
        if not any(path == out or path.startswith(f"{out}/") for out in made):
            fields.bad(f"`tolerance` names `{path}`, which the stage doesn't make", "tolerance")


_READERS: dict[str, Callable[[Fields], Any]] = {
    "cmd": _command,
    "wdir": _wdir,
    "deps": lambda fields: _unique("deps", tuple(_paths("deps", fields)), fields),
    "params": _params,
    "outs": lambda fields: _outs("outs", fields, True),
    "metrics": lambda fields: _outs("metrics", fields, False),
    "plots": lambda fields: _outs("plots", fields, True),
    "seed": lambda fields: fields.optional("seed", lambda key: fields.integer(key, most=LARGEST_SEED)),
    "variables": _variables,
    "tolerance": read_tolerances,
    "features": _features,
    "trace": lambda fields: fields.choice("trace", TRACES) if fields.has("trace") else DEFAULT_TRACE,
    "environment": _image,
    "network": lambda fields: fields.flag("network"),
    "frozen": lambda fields: fields.flag("frozen"),
    "always_changed": lambda fields: fields.flag("always_changed"),
    "desc": lambda fields: fields.optional("desc", fields.text),
    "meta": lambda fields: fields.optional("meta", lambda key: fields.fields(key).value),
}
"""How each key is read that a stage may have, in the order in which what is wrong is said."""
