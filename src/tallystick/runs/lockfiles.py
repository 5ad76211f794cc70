"""The project's own lock files: which there are for a stage, and where they differ from what is installed."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.paths import check_path
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records import lockfiles
from tallystick.records.environment import Lock, normalised
from tallystick.records.provenance import LockFile

FORMAT = "2"
"""Raised when files are compared differently: what was compared before no longer counts."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is installed, by normalised name, for one lock file.

    `wanted_whole`: what it pins for every machine and use is missed where it isn't there, as it would not be
    in an environment that isn't conda's from a file for conda.
    """

    versions: Mapping[str, str]
    wanted_whole: bool = True


def lock_files(project: Project, folder: str) -> dict[LockFile, bytes]:
    """The lock files beside a pipeline and at the root, with their texts, sorted by path."""
    found = {}
    for place in sorted({"", folder}):
        for path in _named(project.git.root, place):
            with suppress(OSError, BadRecord):
                place_of_file = project.git.root / check_path(path)
                if place_of_file.is_file() and place_of_file.stat().st_size <= lockfiles.LARGEST:
                    data = place_of_file.read_bytes()
                    found[LockFile(path, Digest.of(data))] = data
    return found


def _named(root: Path, folder: str) -> Iterator[str]:
    """The paths of a folder's lock files, by their names."""
    try:
        names = sorted(os.listdir(root / folder))
    except OSError:
        return
    for name in names:
        if lockfiles.is_lock_file(name):
            yield f"{folder}/{name}" if folder else name


def drift(project: Project, files: Mapping[LockFile, bytes], lock: Lock | None) -> tuple[str, ...]:
    """Where lock files say otherwise than an environment, sentences; remembered, as reading takes time."""
    said: list[str] = []
    if lock is not None and files:
        identity = environments.identity(lock)
        installed = {normalised(package.name): package.version for package in lock.packages}
        installed |= {"python": lock.python}
        conda = {normalised(package.name): package.version for package in lock.conda}
        for file, data in files.items():
            known = Known(installed | conda, bool(conda)) if _of_conda(file) else Known(installed)
            said += _compared(project, file, data, identity, known)
    return tuple(said)


def _of_conda(file: LockFile) -> bool:
    return lockfiles.is_of_conda(file.path.rpartition("/")[2])


def _compared(
    project: Project, file: LockFile, data: bytes, environment: Digest, installed: Known
) -> list[str]:
    key = Digest.of("\n".join((FORMAT, file.path, str(file.digest), str(environment))).encode())
    place = project.home / "captured" / f"drift-{key.hex()[:32]}.json"
    with suppress(OSError, ValueError):
        known = json.loads(place.read_bytes())
        if isinstance(known, list) and all(isinstance(line, str) for line in known):
            return known
    pins = lockfiles.pins(file.path.rpartition("/")[2], data.decode("utf-8", "replace"))
    if not installed.wanted_whole:
        pins = tuple(replace(pin, always=False) for pin in pins)
    found = list(lockfiles.drift(file.path, pins, installed.versions))
    write_atomic(place, json.dumps(found).encode())
    return found
