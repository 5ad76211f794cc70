"""The files of conda's packages: found at hand or fetched from their channels, checked by their hashes."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import file_digest
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tallystick.errors import EnvironmentNotRebuilt
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.environment import CondaPackage

RATTLER = "tallystick.envs.rattler"
"""What fetches and unpacks packages: loaded where there are any, for its library is an extra."""

_FILE = regex(r"[A-Za-z0-9_][A-Za-z0-9._!+-]*\.(conda|tar\.bz2)")
_MACHINES = {
    ("linux", "x86_64"): "linux-64",
    ("linux", "i686"): "linux-32",
    ("linux", "aarch64"): "linux-aarch64",
    ("linux", "ppc64le"): "linux-ppc64le",
    ("linux", "s390x"): "linux-s390x",
    ("linux", "riscv64"): "linux-riscv64",
    ("darwin", "x86_64"): "osx-64",
    ("darwin", "arm64"): "osx-arm64",
}
ANYWHERE = "noarch"


@dataclass(frozen=True, slots=True)
class Found:
    """The files of packages that could be had, by name, and why the others couldn't be."""

    files: Mapping[str, Path]
    reasons: Mapping[str, str]


def rattler() -> Any:
    """What fetches and unpacks packages; raise EnvironmentNotRebuilt where its library is missing."""
    try:
        return import_module(RATTLER)
    except ImportError as error:
        raise EnvironmentNotRebuilt(
            "conda environments are rebuilt by py-rattler, which is not installed",
            hint="pip install 'tallystick[conda]'",
        ) from error


def file_of(package: CondaPackage) -> str:
    """The name of a package's file, which says how it is packed; raise EnvironmentNotRebuilt without one."""
    name = unquote(urlsplit(package.url).path).rpartition("/")[2]
    if not _FILE.fullmatch(name):
        raise EnvironmentNotRebuilt(
            f"conda's `{package.name}` {package.version} was recorded without the file that it came from",
            hint="it was installed in a way that left no address",
        )
    return name


def is_intact(path: str | Path, package: CondaPackage) -> bool:
    """Whether a file is the recorded one, by its hash; never for a package that was recorded without one."""
    kind, _, expected = (package.hash or "").partition(":")
    if kind not in ("sha256", "md5"):
        return False
    try:
        with open(path, "rb") as file:
            return file_digest(file, kind).hexdigest() == expected
    except OSError:
        return False


def check_machine(packages: Iterable[CondaPackage]) -> None:
    """Raise EnvironmentNotRebuilt for a package that was made for another kind of machine."""
    system = os.uname()
    here = _MACHINES.get((system.sysname.lower(), system.machine), "another")
    for package in packages:
        meant = urlsplit(package.url).path.split("/")[-2:-1]
        if meant and meant[0] not in (ANYWHERE, here) and meant[0] in _MACHINES.values():
            raise EnvironmentNotRebuilt(
                f"conda's `{package.name}` {package.version} is for {meant[0]}; this machine is {here}",
                hint="rebuild it on such a machine",
            )


def gather(
    packages: Sequence[CondaPackage],
    folder: Path,
    at_hand: Callable[[CondaPackage], Iterable[str | Path]],
) -> Found:
    """Bring the file of each package into `folder`: from where it is at hand, else from its channel."""
    files: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    wanted: dict[Path, CondaPackage] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if package.hash is None:
            reasons[package.name] = f"{_called(package)} was recorded without a hash of its file"
            continue
        path = folder / file_of(package)
        places = [*at_hand(package), *_local(package)]
        found = next((place for place in places if is_intact(place, package)), None)
        if found is None:
            wanted[path] = package
        else:
            _place(found, path)
            files[package.name] = path
    failed = _fetched(wanted)
    for path, package in wanted.items():
        if path in failed:
            reasons[package.name] = f"{_called(package)} can't be had: {failed[path]}"
        elif not is_intact(path, package):
            reasons[package.name] = (
                f"{_called(package)}: its channel gives another file than the recorded one"
            )
        else:
            files[package.name] = path
    return Found(files, reasons)


def _fetched(wanted: Mapping[Path, CondaPackage]) -> dict[Path, str]:
    """Download what can be; return why the rest couldn't."""
    failed = {
        path: f"there is no file at {each.url}" for path, each in wanted.items() if not _is_remote(each)
    }
    remote = {path: each.url for path, each in wanted.items() if path not in failed}
    return failed | (rattler().fetch(remote) if remote else {})


def _is_remote(package: CondaPackage) -> bool:
    return urlsplit(package.url).scheme in ("http", "https", "s3", "gcs", "oci")


def _local(package: CondaPackage) -> list[str]:
    parts = urlsplit(package.url)
    return [unquote(parts.path)] if parts.scheme == "file" else []


def _place(found: str | Path, path: Path) -> None:
    """Have a file under its name, without a copy where the system allows that."""
    path.unlink(missing_ok=True)
    with suppress(OSError):
        path.symlink_to(os.path.abspath(found))
        return
    shutil.copyfile(found, path)


def _called(package: CondaPackage) -> str:
    return f"conda's `{package.name}` {package.version}"
