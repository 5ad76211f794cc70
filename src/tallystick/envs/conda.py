"""Read which packages conda put into an environment, from its own records."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.environment import CondaPackage, is_conda_package

FOLDER = "conda-meta"
LARGEST = 64 << 20

_TOKEN = regex(r"/t/[^/]+(?=/)")
"""How conda writes a token into a channel's address, behind whatever the server lies below."""
_METADATA = regex(r"(.*\.dist-info)/METADATA|(.*\.egg-info)(/PKG-INFO)?")


@dataclass(frozen=True, slots=True)
class CondaEnvironment:
    """What conda's records say of an environment: its packages, sorted by name, none where there is no conda.

    `owned` are the folders, below the environment's, that say of a Python package what it is, `archives` the
    files that packages may have come from, by the packages' names.
    """

    packages: tuple[CondaPackage, ...] = ()
    owned: frozenset[str] = frozenset()
    archives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def conda_environment(prefix: Path) -> CondaEnvironment:
    """Read the records of the environment at `prefix`.

    Source: docs.conda.io, the records in `conda-meta/<name>-<version>-<build>.json`.
    """
    found: dict[str, tuple[CondaPackage, dict[str, Any]]] = {}
    for package, value in _read(prefix / FOLDER):
        found[package.name] = package, value
    each = [found[name] for name in sorted(found)]
    return CondaEnvironment(
        tuple(package for package, _ in each),
        frozenset(path for _, value in each for path in _owned(value)),
        {package.name: tuple(_archives(value)) for package, value in each},
    )


def conda_packages(prefix: Path) -> tuple[CondaPackage, ...]:
    """Every package of the environment at `prefix`, sorted by name; none where conda made none."""
    return conda_environment(prefix).packages


def _read(folder: Path) -> Iterator[tuple[CondaPackage, dict[str, Any]]]:
    for path in sorted(folder.glob("*.json")):
        try:
            if path.stat().st_size > LARGEST:
                continue
            value = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(value, dict) and is_conda_package(package := _package(value)):
            yield package, value


def _package(value: dict[str, Any]) -> CondaPackage:
    sums = [f"{kind}:{value[kind]}" for kind in ("sha256", "md5") if isinstance(value.get(kind), str)]
    name, version, build = (str(value.get(key, "")) for key in ("name", "version", "build"))
    return CondaPackage(name, version, build, _public(str(value.get("url") or "")), sums[0] if sums else None)


def _owned(value: dict[str, Any]) -> Iterator[str]:
    files = value.get("files")
    for path in files if isinstance(files, list) else ():
        if isinstance(path, str) and (match := _METADATA.fullmatch(path)):
            yield match[1] or match[2]


def _archives(value: dict[str, Any]) -> Iterator[str]:
    """Where conda and its kin leave the file of a package that they unpacked."""
    kept, link = value.get("package_tarball_full_path"), value.get("link")
    if isinstance(kept, str) and os.path.isabs(kept):
        yield kept
    source = link.get("source") if isinstance(link, dict) else None
    for folder in (value.get("extracted_package_dir"), source):
        if isinstance(folder, str) and os.path.isabs(folder):
            yield from (folder + suffix for suffix in (".conda", ".tar.bz2"))
    parts = urlsplit(str(value.get("url") or ""))
    if parts.scheme == "file":
        yield unquote(parts.path)


def _public(url: str) -> str:
    """A channel's address without what may be a secret in it: user, password, token (rule K1)."""
    parts = urlsplit(url)
    path = _TOKEN.sub("", parts.path)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
