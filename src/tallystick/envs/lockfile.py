"""What the project's own `uv.lock` knows of packages: the hashes of the files that an index offers."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tallystick.records.environment import normalised

FILE = "uv.lock"
LARGEST = 64 << 20


def known_hashes(project_root: Path) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Normalised name and version -> hashes; empty without a lock, or with one that can't be read.

    Source: docs.astral.sh/uv/concepts/projects/layout, and the lock's own version 1.
    """
    path = project_root / FILE
    try:
        if path.stat().st_size > LARGEST:
            return {}
        lock = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    packages = lock.get("package")
    return dict(_packages(packages)) if isinstance(packages, list) else {}


def _packages(packages: list[Any]) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    for package in packages:
        if isinstance(package, dict):
            key = normalised(str(package.get("name"))), str(package.get("version"))
            yield key, tuple(sorted(set(_hashes(package))))


def _hashes(package: dict[str, Any]) -> Iterator[str]:
    """The hashes of a package's wheels and of its source archive."""
    wheels = package.get("wheels")
    for file in [*(wheels if isinstance(wheels, list) else ()), package.get("sdist")]:
        if isinstance(file, dict) and isinstance(file.get("hash"), str):
            yield file["hash"]
