"""Reads a file of values, YAML, JSON or TOML by its suffix, and names the values by dotted keys."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

from tallystick.errors import BadRecord
from tallystick.records.fields import is_number
from tallystick.records.syntax import PIPELINE_LIMIT, decode, load_json, load_yaml

YAML_SUFFIXES = (".yaml", ".yml")
JSON_SUFFIX = ".json"
TOML_SUFFIX = ".toml"


def load(data: bytes | str, file: str) -> Any:
    """Read a file's values; raise BadRecord for a suffix that is none of ours."""
    suffix = suffix_of(file)
    if suffix in YAML_SUFFIXES:
        return load_yaml(data, file)
    if suffix == JSON_SUFFIX:
        return load_json(data, file, PIPELINE_LIMIT)
    if suffix == TOML_SUFFIX:
        return load_toml(data, file)
    raise BadRecord("values are read from .yaml, .yml, .json and .toml files", file)


def suffix_of(file: str) -> str:
    """A file's suffix in lower case, with its dot."""
    dot = file.rfind(".")
    return file[dot:].lower() if dot > file.rfind("/") else ""


def load_toml(data: bytes | str, source: str = "") -> dict[str, Any]:
    """Read TOML into plain values: times become text, and so does what is not finite."""
    try:
        table = tomllib.loads(decode(data, source, PIPELINE_LIMIT))
    except tomllib.TOMLDecodeError as error:
        raise BadRecord(f"not valid TOML: {error}", source) from error
    except (RecursionError, ValueError) as error:
        raise BadRecord("not valid TOML: nested too deeply, or a number too long", source) from error
    return {key: _plain(value) for key, value in table.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not is_number(value):
        return str(value)
    return value


def leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; a list, and an empty mapping, is a value."""
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def flatten(value: Mapping[str, Any], source: str = "", prefix: str = "") -> dict[str, Any]:
    """`leaves` as one mapping; raise BadRecord when two spellings make one dotted key."""
    flat: dict[str, Any] = {}
    for key, item in leaves(value, prefix):
        if key in flat:
            raise BadRecord(f"two values have the dotted key `{key[:120]}`", source)
        flat[key] = item
    return flat
