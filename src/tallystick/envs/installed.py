"""Read what is installed from the installers' own records, without running any of it."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from csv import reader
from pathlib import Path
from typing import Any

from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.patterns import regex

OWN_TO_INSTALLER = frozenset(
    {
        "INSTALLER",
        "RECORD",
        "RECORD.jws",
        "RECORD.p7s",
        "REQUESTED",
        "direct_url.json",
        "provenance_url.json",
        "uv_build.json",
        "uv_cache.json",
    }
)
"""Files of a `.dist-info` that say how it got there, not what it is."""

MANAGED = frozenset({"conda", "debian", "rpm"})
"""Installers whose direct_url.json, if any, tells of their own build machine."""

_METADATA_FOLDER = regex(r"(?P<name>.+?)(-(?P<version>[^-]+))?(-py[\d.]+)?\.(dist|egg)-info")
_HEADER = regex(r"^(Name|Version):\s*(.+?)\s*$", re.MULTILINE)
_LARGEST_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class File:
    """One line of a RECORD: a path relative to site-packages, `sha256=…` or nothing."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed package; `metadata` is its `.dist-info` or `.egg-info`, `direct` its direct_url.json."""

    name: str
    version: str
    metadata: Path
    installer: str
    direct: dict[str, Any] | None

    @property
    def editable(self) -> bool:
        """Whether it is a link to a folder that somebody works in."""
        return bool(self.direct and self.direct.get("dir_info", {}).get("editable"))

    @property
    def folder(self) -> Path:
        """The site-packages folder it lies in."""
        return self.metadata.parent


def normalised(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(paths: Sequence[str]) -> tuple[Distribution, ...]:
    """Every package importable from `paths`, sorted by name; the first of a name wins, as in Python."""
    found: dict[str, Distribution] = {}
    for path in dict.fromkeys(os.path.realpath(path) for path in paths):
        for metadata in sorted(_metadata_folders(path)):
            if (each := _distribution(Path(metadata))) is not None:
                found.setdefault(each.name, each)
    return tuple(found[name] for name in sorted(found))


def _metadata_folders(path: str) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            yield from (entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
    except OSError:
        # A folder on sys.path need not exist, and may be a zip file.
        return


def _distribution(metadata: Path) -> Distribution | None:
    """Read one metadata folder; None for leftovers of a broken uninstall (`~umpy-1.0.dist-info`)."""
    if metadata.name.startswith("~"):
        return None
    head = _head(metadata)
    fields = dict(_HEADER.findall(head.partition("\n\n")[0]))
    guess = _METADATA_FOLDER.fullmatch(metadata.name)
    name = fields.get("Name") or (guess["name"] if guess else "")
    version = fields.get("Version") or (guess["version"] if guess else None) or ""
    if not name or not version:
        return None
    installer = _text(metadata / "INSTALLER").strip()
    direct = None if installer in MANAGED else _direct(metadata)
    return Distribution(normalised(name), version, metadata, installer, direct)


def _head(metadata: Path) -> str:
    """The beginning of its metadata, in whichever of three places it stands."""
    candidates = (metadata / "METADATA", metadata / "PKG-INFO", metadata)
    return next((text for each in candidates if (text := _text(each, _LARGEST_HEAD))), "")


def _text(path: Path, limit: int = -1) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def _direct(metadata: Path) -> dict[str, Any] | None:
    """Where it was installed from, if from somewhere else than an index (PEP 610)."""
    try:
        value = json.loads(_text(metadata / "direct_url.json"))
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("url"), str) else None


def recorded(distribution: Distribution) -> tuple[File, ...] | None:
    """The lines of its RECORD, or None where the installer wrote none."""
    text = _text(distribution.metadata / "RECORD")
    if not text:
        return None
    return tuple(File(row[0], row[1]) for row in _rows(text) if len(row) >= 2)


def _rows(text: str) -> Iterable[list[str]]:
    lines = text.splitlines()
    # Quotes are rare, and splitting is three times as fast as the csv module.
    return reader(lines) if '"' in text else (line.rsplit(",", 2) for line in lines)


def essential(files: Iterable[File]) -> list[File]:
    """The files that make a package what it is, wherever and by whichever installer it was installed.

    Left out are bytecode, programs in `bin` (their first line holds the environment's path) and what only
    tells how the package was installed.
    """
    kept = (file for file in files if _is_essential(file.path))
    return sorted((File(_anywhere(file.path), file.digest) for file in kept), key=lambda file: file.path)


def _is_essential(path: str) -> bool:
    if path.endswith(".pyc"):
        return False
    if path.startswith("../"):
        return not _anywhere(path).startswith(("../bin/", "../Scripts/"))
    folder, _, name = path.rpartition("/")
    # virtualenv, which poetry and hatch use, marks what it seeds and lists folders of bytecode.
    if name == "__pycache__" or (not folder and name.endswith(".virtualenv")):
        return False
    return not (folder.endswith(".dist-info") and name in OWN_TO_INSTALLER)


def _anywhere(path: str) -> str:
    """A path outside of site-packages, counted from the environment's top however deep site-packages lies."""
    outside = path.startswith("../")
    while path.startswith("../"):
        path = path[3:]
    return f"../{path}" if outside else path


def record_digest(files: Iterable[File]) -> Digest:
    """One digest for all that a package consists of."""
    return Digest.of("".join(f"{file.path},{file.digest}\n" for file in files).encode())
