"""Read which packages conda put into an environment, from its own records."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tallystick.records.environment import CondaPackage, is_conda_package

FOLDER = "conda-meta"
LARGEST = 64 << 20

_TOKEN = re.compile(r"/t/[^/]+(?=/)")
"""How conda writes a token into a channel's address, behind whatever the server lies below."""


def conda_packages(prefix: Path) -> tuple[CondaPackage, ...]:
    """Every package of the environment at `prefix`, sorted by name; none where conda made none.

    Source: docs.conda.io, the records in `conda-meta/<name>-<version>-<build>.json`.
    """
    found = {package.name: package for package in _read(prefix / FOLDER)}
    return tuple(found[name] for name in sorted(found))


def _read(folder: Path) -> Iterator[CondaPackage]:
    for path in sorted(folder.glob("*.json")):
        try:
            if path.stat().st_size > LARGEST:
                continue
            value = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(value, dict) and is_conda_package(package := _package(value)):
            yield package


def _package(value: dict[str, Any]) -> CondaPackage:
    sums = [f"{kind}:{value[kind]}" for kind in ("sha256", "md5") if isinstance(value.get(kind), str)]
    name, version, build = (str(value.get(key, "")) for key in ("name", "version", "build"))
    return CondaPackage(name, version, build, _public(str(value.get("url") or "")), sums[0] if sums else None)


def _public(url: str) -> str:
    """A channel's address without what may be a secret in it: user, password, token (rule K1)."""
    parts = urlsplit(url)
    path = _TOKEN.sub("", parts.path)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
