"""The vault: which wheels were put aside, so that an environment is rebuilt without a package index."""

from collections.abc import Iterable
from itertools import pairwise

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.environment import CondaPackage, Package, is_hash, normalised
from tallystick.records.fields import Fields, versioned
from tallystick.records.syntax import RECEIPT_LIMIT, dump_json, load_json

FILE = "environment.vault"
VERSION = 1

_FILE = regex(r"[A-Za-z0-9_.!+]+(-[A-Za-z0-9_.!+]+){4,5}\.whl")
_LONGEST_FILE = 255
_CONDA_FILE = regex(r"[A-Za-z0-9_][A-Za-z0-9._!+-]*\.(conda|tar\.bz2)")
_SHA256 = regex(r"[0-9a-f]{64}")

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
class VaultedConda:
    """A blob that is the file of a conda package; `hash` is what conda says of that file, and its key."""

    hash: str
    file: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Vault:
    """Wheels, and files of conda packages, of any number of locks."""

    wheels: tuple[VaultedWheel, ...] = ()
    conda: tuple[VaultedConda, ...] = ()

    def __or__(self, other: "Vault") -> "Vault":
        """Both; for a package that both have, the other's file."""
        found = {wheel.key: wheel for wheel in (*self.wheels, *other.wheels)}
        files = {file.hash: file for file in (*self.conda, *other.conda)}
        return Vault(
            tuple(found[key] for key in sorted(found)), tuple(files[hash_] for hash_ in sorted(files))
        )

    @property
    def blobs(self) -> tuple[Digest, ...]:
        """All that it keeps."""
        return (*(wheel.digest for wheel in self.wheels), *(file.digest for file in self.conda))

    def conda_of(self, packages: Iterable[CondaPackage]) -> dict[str, VaultedConda]:
        """The files of those conda packages that it has, by their hashes."""
        known = {file.hash: file for file in self.conda}
        return {each.hash: known[each.hash] for each in packages if each.hash in known}

    def wheels_of(self, packages: Iterable[Package]) -> dict[str, VaultedWheel]:
        """The wheels of those packages that it has, by normalised name."""
        known = {wheel.key: wheel for wheel in self.wheels}
        keys = ((normalised(each.name), each.version, each.record) for each in packages if each.record)
        return {key[0]: known[key] for key in keys if key in known}


def render(vault: Vault) -> bytes:
    """Write a vault in its canonical form."""
    wheels = sorted(vault.wheels, key=lambda wheel: wheel.key)
    values: dict[str, object] = {"tally": VERSION, "wheels": [_values(wheel) for wheel in wheels]}
    if vault.conda:
        values["conda"] = [_conda_values(file) for file in sorted(vault.conda, key=lambda file: file.hash)]
    return dump_json(values)


def _conda_values(file: VaultedConda) -> dict[str, object]:
    return {"hash": file.hash, "file": file.file, "digest": str(file.digest), "size": file.size}


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
    fields.only("tally", "wheels", "conda")
    wheels = sorted(map(_wheel, fields.each("wheels")), key=lambda wheel: wheel.key)
    for one, two in pairwise(wheels):
        if one.key == two.key:
            raise BadRecord(f"the wheel of `{one.name}` {one.version} stands twice", source)
    files = sorted(map(_conda, fields.each("conda")), key=lambda file: file.hash)
    for first, second in pairwise(files):
        if first.hash == second.hash:
            raise BadRecord(f"`{first.file}` stands twice", source)
    return Vault(tuple(wheels), tuple(files))


def _conda(fields: Fields) -> VaultedConda:
    fields.only("hash", "file", "digest", "size")
    found = VaultedConda(
        fields.line("hash"), fields.line("file"), fields.digest("digest"), fields.integer("size")
    )
    if not _CONDA_FILE.fullmatch(found.file) or len(found.file) > _LONGEST_FILE:
        fields.bad(f"`{found.file[:80]}` is no name of a conda package's file")
    if not is_hash(found.hash):
        fields.bad(f"`{found.file}`: `{found.hash[:80]}` is not a hash")
    return found


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
