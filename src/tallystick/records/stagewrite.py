"""Writes a stage as the lines of YAML that a person would have written."""

from typing import Any

from tallystick.records.stage import DEFAULT_TRACE, PARAMS, Out, ParamFile, Stage
from tallystick.records.templating import escaped
from tallystick.records.tolerance import short_values
from tallystick.records.yamlwrite import quoted, scalar


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
    settings: dict[str, str | list[str] | None] = {
        "desc": None if stage.desc is None else _text(stage.desc),
        "cmd": _cmd_text(stage.cmd),
        "wdir": None if stage.wdir == "." else _text(stage.wdir),
        "deps": [_text(path) for path in stage.deps],
        "params": [text for params in stage.params for text in _params_text(params)],
        "outs": [_out_text(out, True) for out in stage.outs],
        "metrics": [_out_text(out, False) for out in stage.metrics],
        "plots": [_out_text(out, True) for out in stage.plots],
        "seed": None if stage.seed is None else str(stage.seed),
        "variables": [quoted(name) for name in stage.variables],
        "tolerance": _tolerance_text(stage) if stage.tolerance else None,
        "features": [quoted(str(use)) for use in stage.features],
        "trace": None if stage.trace == DEFAULT_TRACE else stage.trace,
        "environment": None if stage.image is None else f"{{image: {_text(stage.image)}}}",
        "network": "true" if stage.network else None,
        "frozen": "true" if stage.frozen else None,
        "always_changed": "true" if stage.always_changed else None,
        "meta": None if stage.meta is None else scalar(stage.meta),
    }
    return {key: value for key, value in settings.items() if value}


def _params_text(params: ParamFile) -> list[str]:
    if params.file == PARAMS and params.keys:
        return [_text(key) for key in params.keys]
    keys = scalar([escaped(key) for key in params.keys]) if params.keys else ""
    return [f"{_text(params.file)}: {keys}".rstrip()]


def _out_text(out: Out, default: bool) -> str:
    path = _text(out.path)
    return path if out.cache == default else f"{path}: {{cache: {scalar(out.cache)}}}"


def _text(text: str) -> str:
    """A text as it is read back: what looks like a template is none."""
    return quoted(escaped(text))


def _cmd_text(cmd: str | tuple[str, ...]) -> str:
    return _text(cmd) if isinstance(cmd, str) else scalar([escaped(word) for word in cmd])


def _tolerance_text(stage: Stage) -> str:
    return scalar(
        {escaped(path): _escaped_keys(short_values(keys)) for path, keys in stage.tolerance.items()}
    )


def _escaped_keys(bounds: Any) -> Any:
    """The bounds of one path, whose names may look like templates."""
    return {escaped(key): bound for key, bound in bounds.items()} if isinstance(bounds, dict) else bounds
