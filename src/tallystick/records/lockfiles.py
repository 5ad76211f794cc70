"""What a project's own lock files pin (uv, pip, poetry, …), and where that is not what is installed."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.environment import is_hash, normalised
from tallystick.records.syntax import load_yaml

LARGEST = 64 << 20
"""No lock file is larger."""

_REQUIREMENTS = regex(r"requirements[A-Za-z0-9._-]*\.txt")
_CONDA = ("environment.yml", "environment.yaml")
_CONDA_LOCK = "conda-lock.yml"
_TABLES = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
_OTHERS = (*_TABLES, "Pipfile.lock", _CONDA_LOCK, "Dockerfile")

_PINNED = regex(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*={2,3}\s*(?P<version>[A-Za-z0-9.!+_-]*[A-Za-z0-9])(?![.*A-Za-z0-9])\s*"
    r"(?P<marker>;[^#]*)?"
)
_OPTION_HASH = regex(r"--hash[= ]([a-z0-9]+:[0-9a-f]+)")
_CONDA_PIN = regex(
    r"(?:[\w-]+::)?(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<how>==?)\s*(?P<version>[\w.!+-]+)(=\S+)?"
)
_RELEASE = regex(r"v?(?:\d+!)?\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of a package as a lock file has it.

    `always`: it is meant for every machine and use. `prefix`: later parts of the version are open.
    """

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    always: bool = False
    prefix: bool = False


def is_of_conda(name: str) -> bool:
    """Whether a file of this name is about conda's packages, under conda's names."""
    return name in _CONDA or name == _CONDA_LOCK


def is_lock_file(name: str) -> bool:
    """Whether a file of this name, beside a pipeline or at the root, says what its environment should be."""
    return name in _OTHERS or name in _CONDA or _REQUIREMENTS.fullmatch(name) is not None


def pins(name: str, text: str) -> tuple[Pin, ...]:
    """The versions that a file pins; none for one that can't be read: it isn't ours to complain about."""
    try:
        if name in _TABLES:
            return tuple(_of_packages(tomllib.loads(text)))
        if _REQUIREMENTS.fullmatch(name):
            return tuple(_of_requirements(text, name == "requirements.txt"))
        if name in _CONDA:
            return tuple(_of_conda(load_yaml(text, name)))
        if name == _CONDA_LOCK:
            return tuple(_of_conda_lock(load_yaml(text, name)))
        if name == "Pipfile.lock":
            return tuple(_of_pipenv(json.loads(text)))
    except (ValueError, RecursionError, BadRecord):
        return ()
    return ()


def _of_packages(lock: Mapping[str, Any]) -> Iterator[Pin]:
    """The locks of uv, poetry and pdm, and pylock: packages for all platforms, groups and extras at once.

    Sources: docs.astral.sh/uv/concepts/projects/layout; python-poetry.org/docs/basic-usage;
    packaging.python.org/en/latest/specifications/pylock-toml.
    """
    packages = lock.get("package", lock.get("packages"))
    for package in packages if isinstance(packages, list) else ():
        if isinstance(package, dict) and not (_is_local(package.get("source")) or _is_local(package)):
            name, version = package.get("name"), package.get("version")
            if isinstance(name, str) and isinstance(version, str):
                yield Pin(normalised(name), version, tuple(sorted(set(_hashes(package)))))


def _is_local(source: object) -> bool:
    """Whether a package is the project itself, or one beside it, whose version follows its code."""
    if not isinstance(source, dict):
        return False
    return not {"editable", "virtual", "directory", "path"}.isdisjoint(source) or source.get("type") in (
        "directory",
        "file",
    )


def _hashes(package: Mapping[str, Any]) -> Iterator[str]:
    """The hashes of a package's wheels and of its source archive."""
    for key in ("wheels", "files"):
        files = package.get(key)
        for file in [*(files if isinstance(files, list) else ()), package.get("sdist")]:
            if isinstance(file, dict) and isinstance(file.get("hash"), str):
                yield file["hash"]
            elif isinstance(file, dict) and isinstance(file.get("hashes"), dict):
                yield from filter(is_hash, (f"{kind}:{digits}" for kind, digits in file["hashes"].items()))


def _of_pipenv(lock: Any) -> Iterator[Pin]:
    """`default` and `develop`, each name → `version` (`==1.2`) and `hashes`."""
    for section in ("default", "develop"):
        packages = lock.get(section) if isinstance(lock, dict) else None
        for name, package in (packages if isinstance(packages, dict) else {}).items():
            version = package.get("version") if isinstance(package, dict) else None
            if isinstance(version, str) and version.startswith("=="):
                hashes = package.get("hashes")
                known = filter(is_hash, map(str, hashes if isinstance(hashes, list) else ()))
                yield Pin(normalised(name), version.lstrip("= "), tuple(sorted(known)))


def _of_conda_lock(lock: Any) -> Iterator[Pin]:
    """`package`: conda's and pip's, for several platforms at once."""
    listed = lock.get("package") if isinstance(lock, dict) else None
    for package in listed if isinstance(listed, list) else ():
        if isinstance(package, dict) and package.get("name") and package.get("version"):
            yield Pin(normalised(str(package["name"])), str(package["version"]))


def _of_requirements(text: str, always: bool) -> Iterator[Pin]:
    """Lines of `name==version`, with extras, markers and hashes, continued by a backslash."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        found = _PINNED.match(line.strip())
        if found is not None:
            marker = (found["marker"] or "").partition(" --hash")[0]
            hashes = tuple(filter(is_hash, _OPTION_HASH.findall(line)))
            plain = always and not marker.strip("; ")
            yield Pin(normalised(found["name"]), found["version"], hashes, always=plain)


def _of_conda(value: Any) -> Iterator[Pin]:
    """`dependencies` of a conda environment; `name=1.2` leaves open what follows."""
    listed = value.get("dependencies") if isinstance(value, dict) else None
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            for line in item.get("pip") or ():
                yield from _of_requirements(str(line), False)
        elif found := _CONDA_PIN.fullmatch(str(item).strip()):
            prefix = found["how"] == "="
            yield Pin(normalised(found["name"]), found["version"], always=True, prefix=prefix)


def drift(file: str, pinned: Iterable[Pin], installed: Mapping[str, str]) -> tuple[str, ...]:
    """Where a lock file and the installed versions, by normalised name, differ; sentences.

    A package that a lock has in several versions, for different platforms, differs from none of them.
    """
    versions: dict[str, list[Pin]] = {}
    for pin in pinned:
        versions.setdefault(pin.name, []).append(pin)
    return tuple(
        said for name in sorted(versions) if (said := _said(file, name, versions[name], installed.get(name)))
    )


def _said(file: str, name: str, locked: list[Pin], installed: str | None) -> str | None:
    wanted = " or ".join(dict.fromkeys(pin.version for pin in locked))
    if installed is None:
        missing = any(pin.always for pin in locked)
        return f"{name}: `{file}` has {wanted}, it is not installed" if missing else None
    if any(_agrees(pin, installed) for pin in locked):
        return None
    return f"{name}: `{file}` has {wanted}, installed is {installed}"


def _agrees(pin: Pin, installed: str) -> bool:
    """Whether an installed version is the one that is pinned: `2.1.0+cu121` is a build of `2.1`."""
    if pin.prefix:
        return f"{installed}.".startswith(f"{pin.version.rstrip('.*')}.")
    if "+" not in pin.version:
        installed = installed.partition("+")[0]
    return _canonical(pin.version) == _canonical(installed)


def _canonical(version: str) -> str:
    """One spelling for versions that are equal: no zeros at the end, no separators before a suffix."""
    version = version.lower().lstrip("v")
    release = _RELEASE.match(version)
    if release is None:
        return version
    rest = re.sub(r"[-_.]?(alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?=\d)", _suffix, version[release.end() :])
    return re.sub(r"(\.0)+$", "", release[0]) + re.sub(r"[-_]", ".", rest)


def _suffix(found: re.Match[str]) -> str:
    return {"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "c": "rc"}.get(found[1], found[1])
