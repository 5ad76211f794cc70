"""The environment's lock: which Python and which packages ran, equal on two machines that have the same."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.fields import Fields, single_line, versioned
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

FILE = "environment.lock"
VERSION = 1

Origin = Literal["index", "vcs", "url", "path", "editable", "conda"]
ORIGINS: dict[str, Origin] = {
    "index": "index",
    "vcs": "vcs",
    "url": "url",
    "path": "path",
    "editable": "editable",
    "conda": "conda",
}

_NAME = regex(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = regex(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_HASH = regex(r"[a-z0-9]+:[0-9a-f]{32,128}")
_CONDA_WORD = regex(r"[A-Za-z0-9_][A-Za-z0-9._!+-]*")
_PASSWORD = regex(r"://[^/@\s]*:[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Package:
    """One installed distribution; `record` is the digest of its files as installed, `hashes` are an index's.

    `wheel` is a blob: the package itself, where no index has it. What came from `conda` is one of conda's own
    packages.
    """

    name: str
    version: str
    source: Origin = "index"
    url: str | None = None
    record: Digest | None = None
    hashes: tuple[str, ...] = ()
    wheel: Digest | None = None


@dataclass(frozen=True, slots=True)
class CondaPackage:
    """One package of a conda environment: which build of it, and the file that it came from."""

    name: str
    version: str
    build: str
    url: str
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """A Python and its packages, sorted by name; `conda` are those of the conda environment around them."""

    implementation: str
    python: str
    packages: tuple[Package, ...] = ()
    conda: tuple[CondaPackage, ...] = ()


def normalised(name: str) -> str:
    """A package's name as every index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_hash(text: str) -> bool:
    """Whether a text is a hash as installers write it, `sha256:<hex>`."""
    return _HASH.fullmatch(text) is not None


def render(lock: Lock) -> bytes:
    """Write a lock in its canonical form."""
    packages = sorted(lock.packages, key=lambda package: normalised(package.name))
    values: dict[str, object] = {
        "tally": VERSION,
        "implementation": lock.implementation,
        "python": lock.python,
        "packages": [_package_values(package) for package in packages],
    }
    if lock.conda:
        values["conda"] = [_conda_values(package) for package in lock.conda]
    return dump_json(values)


def _package_values(package: Package) -> dict[str, object]:
    """What is known of a package; what is not is left out, so that a lock reads and diffs well."""
    known: dict[str, object | None] = {
        "name": package.name,
        "version": package.version,
        "source": package.source,
        "url": package.url,
        "record": None if package.record is None else str(package.record),
        "hashes": sorted(package.hashes) or None,
        "wheel": None if package.wheel is None else str(package.wheel),
    }
    return {key: value for key, value in known.items() if value is not None}


def _conda_values(package: CondaPackage) -> dict[str, object]:
    known = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "url": package.url,
        "hash": package.hash,
    }
    return {key: value for key, value in known.items() if value is not None}


def is_conda_package(package: CondaPackage) -> bool:
    """Whether a package can be written down: its parts are words, its address holds no password."""
    words = (package.name, package.version, package.build)
    sound = all(_CONDA_WORD.fullmatch(word) for word in words) and single_line(package.url)
    return sound and not _PASSWORD.search(package.url) and (package.hash is None or is_hash(package.hash))


def identity(lock: Lock) -> Digest:
    """The lock's id: the digest of its canonical form."""
    return Digest.of(render(lock))


def parse(data: bytes | str, source: str = FILE) -> Lock:
    """Read a lock; raise BadRecord naming what is wrong."""
    fields = versioned(load_json(data, source, RECEIPT_LIMIT), source, "environment lock", VERSION)
    fields.only("tally", "implementation", "python", "packages", "conda")
    packages = sorted(map(_package, fields.each("packages")), key=lambda package: normalised(package.name))
    for one, two in pairwise(packages):
        if normalised(one.name) == normalised(two.name):
            raise BadRecord(f"package `{one.name}` stands twice", source)
    return Lock(
        implementation=_matching(fields, "implementation", _NAME),
        python=_matching(fields, "python", _VERSION),
        packages=tuple(packages),
        conda=tuple(map(_conda, fields.each("conda"))),
    )


def _conda(fields: Fields) -> CondaPackage:
    fields.only("name", "version", "build", "url", "hash")
    package = CondaPackage(
        name=fields.line("name"),
        version=fields.line("version"),
        build=fields.line("build"),
        url=fields.line("url"),
        hash=fields.optional("hash", fields.line),
    )
    if not is_conda_package(package):
        fields.bad(f"`{package.name[:80]}` is no conda package")
    return package


def _package(fields: Fields) -> Package:
    fields.only("name", "version", "source", "url", "record", "hashes", "wheel")
    package = Package(
        name=_matching(fields, "name", _NAME),
        version=_matching(fields, "version", _VERSION),
        source=fields.choice("source", ORIGINS),
        url=fields.optional("url", fields.line),
        record=fields.optional("record", fields.digest),
        hashes=tuple(sorted(fields.lines("hashes"))),
        wheel=fields.optional("wheel", fields.digest),
    )
    for text in package.hashes:
        if not is_hash(text):
            fields.bad(f"package `{package.name}`: `{text[:80]}` is not a hash")
    if (package.url is None) != (package.source in ("index", "conda")):
        fields.bad(f"package `{package.name}`: a URL belongs to every source but the index and conda")
    if package.url is not None and _PASSWORD.search(package.url):
        fields.bad(f"package `{package.name}`: its URL holds a password")
    return package


def _matching(fields: Fields, key: str, pattern: re.Pattern[str]) -> str:
    """A word that may later stand in a requirement, so nothing that could be an option or a marker."""
    text = fields.line(key)
    if not pattern.fullmatch(text):
        fields.bad(f"`{text[:80]}` is not a valid {key}")
    return text


def compare(old: Lock, new: Lock) -> tuple[str, ...]:
    """What changed from one lock to another, for people; nothing when a rebuild of both is the same."""
    changes = []
    for what in ("implementation", "python"):
        before, after = getattr(old, what), getattr(new, what)
        if before != after:
            changes.append(f"{what} {before} -> {after}")
    changes += _package_changes(_by_name(old.packages), _by_name(new.packages))
    return (*changes, *_conda_changes(old.conda, new.conda))


def _conda_changes(old: Iterable[CondaPackage], new: Iterable[CondaPackage]) -> Iterable[str]:
    before, after = ({each.name: f"{each.version} {each.build}" for each in some} for some in (old, new))
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, "none"), after.get(name, "none")
        if was != now:
            yield f"conda's {name} {was} -> {now}"


def _by_name(packages: Iterable[Package]) -> dict[str, Package]:
    return {normalised(package.name): package for package in packages}


def _package_changes(old: dict[str, Package], new: dict[str, Package]) -> Iterable[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            yield f"added {after.name} {after.version}"
        elif after is None and before is not None:
            yield f"removed {before.name} {before.version}"
        elif before is not None and after is not None:
            yield from _changes(before, after)


def _changes(before: Package, after: Package) -> Iterable[str]:
    """Hashes are left out: what is installed counts, not which wheels an index offered."""
    if before.version != after.version:
        yield f"{after.name} {before.version} -> {after.version}"
    elif (before.source, before.url) != (after.source, after.url):
        yield f"{after.name} {after.version} from {_origin(before)} -> {_origin(after)}"
    elif before.record != after.record and before.record is not None and after.record is not None:
        yield f"{after.name} {after.version}: other files under the same version"


def _origin(package: Package) -> str:
    return package.url or package.source
