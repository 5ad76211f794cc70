"""The vault: which wheels were put aside, so that an environment is rebuilt without a package index."""

import re
from collections.abc import Iterable
from itertools import pairwise

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.records.environment import Package, normalised
from tallystick.records.fields import Fields, versioned
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

FILE = "environment.vault"
VERSION = 1

_FILE = re.compile(r"[A-Za-z0-9_.!+]+(-[A-Za-z0-9_.!+]+){4,5}\.whl")
_LONGEST_FILE = 255
_SHA256 = re.compile(r"[0-9a-f]{64}")

Key = tuple[str, str, Digest]
"""What makes two packages the same, in whichever lock: name, version, and the digest of installed files."""


@dataclass(frozen=True, slots=True)
class VaultedWheel:
    """A blob that is the wheel of a package; `file` is the name that an installer wants it to have."""

    name: str
    version: str
    record: Digest
    file: str
    digest: Digest
    size: int
    sha256: str

    @property
    def key(self) -> Key:
        """The package that it installs."""
        return normalised(self.name), self.version, self.record


@dataclass(frozen=True, slots=True)
class Vault:
    """Wheels of the packages of any number of locks."""

    wheels: tuple[VaultedWheel, ...] = ()

    def __or__(self, other: "Vault") -> "Vault":
        """Both; for a package that both have, the other's wheel."""
        found = {wheel.key: wheel for wheel in (*self.wheels, *other.wheels)}
        return Vault(tuple(found[key] for key in sorted(found)))

    def wheels_of(self, packages: Iterable[Package]) -> dict[str, VaultedWheel]:
        """The wheels of those packages that it has, by normalised name."""
        known = {wheel.key: wheel for wheel in self.wheels}
        keys = ((normalised(each.name), each.version, each.record) for each in packages if each.record)
        return {key[0]: known[key] for key in keys if key in known}


def render(vault: Vault) -> bytes:
    """Write a vault in its canonical form."""
    wheels = sorted(vault.wheels, key=lambda wheel: wheel.key)
    return dump_json({"tally": VERSION, "wheels": [_values(wheel) for wheel in wheels]})


def _values(wheel: VaultedWheel) -> dict[str, object]:
    return {
        "name": wheel.name,
        "version": wheel.version,
        "record": str(wheel.record),
        "file": wheel.file,
        "digest": str(wheel.digest),
        "size": wheel.size,
        "sha256": wheel.sha256,
    }


def parse(data: bytes | str, source: str = FILE) -> Vault:
    """Read a vault; raise BadRecord naming what is wrong."""
    fields = versioned(load_json(data, source, RECEIPT_LIMIT), source, "vault", VERSION)
    fields.only("tally", "wheels")
    wheels = sorted(map(_wheel, fields.each("wheels")), key=lambda wheel: wheel.key)
    for one, two in pairwise(wheels):
        if one.key == two.key:
            raise BadRecord(f"the wheel of `{one.name}` {one.version} stands twice", source)
    return Vault(tuple(wheels))


def _wheel(fields: Fields) -> VaultedWheel:
    fields.only("name", "version", "record", "file", "digest", "size", "sha256")
    wheel = VaultedWheel(
        name=fields.line("name"),
        version=fields.line("version"),
        record=fields.digest("record"),
        file=fields.line("file"),
        digest=fields.digest("digest"),
        size=fields.integer("size"),
        sha256=fields.line("sha256"),
    )
    # It becomes a file's name and a word of a requirement: nothing may lead out of a folder or the line.
    if not _FILE.fullmatch(wheel.file) or len(wheel.file) > _LONGEST_FILE:
        fields.bad(f"`{wheel.file[:80]}` is no name of a wheel")
    if not _SHA256.fullmatch(wheel.sha256):
        fields.bad(f"the wheel of `{wheel.name[:80]}`: `sha256` must be 64 hex digits")
    return wheel
