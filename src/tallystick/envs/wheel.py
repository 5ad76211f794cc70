"""Make a wheel of a package as it is installed, for packages that no index has."""

import base64
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tallystick.digest import Digest
from tallystick.envs.editable import Root, is_link
from tallystick.envs.installed import Distribution, File, essential, record_digest, recorded
from tallystick.errors import BadRecord, Refused
from tallystick.frozen import dataclass

LARGEST = 256 << 20
"""Bytes that a package may have to be kept in the store."""

_LARGEST_TAGS = 1 << 16
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_SCRIPT = re.compile(rb"#!.*python[^\n]*\n")
_ENTRY_POINT = re.compile(r"^\s*([^\s=\[]+)\s*=", re.MULTILINE)
_IGNORED = {"__pycache__", ".git", ".mypy_cache", ".ruff_cache"}


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a wheel; `installed` is the path that its RECORD line will have once installed."""

    name: str
    installed: str
    data: bytes
    executable: bool

    @property
    def digest(self) -> str:
        """Its SHA-256 as a RECORD writes it."""
        raw = hashlib.sha256(self.data).digest()
        return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel made of what is installed: equal installed files make equal bytes, on every machine."""

    name: str
    digest: Digest
    record: Digest
    data: bytes


def build(distribution: Distribution, roots: tuple[Root, ...] = ()) -> Wheel:
    """Make the wheel; of an editable install, with the code that lies in `roots`.

    Without roots it holds only what such a package says about itself, and its programs.
    Raises Refused, naming the package, where the installed files do not suffice.
    """
    rows = recorded(distribution)
    if rows is None or not (distribution.metadata / "WHEEL").is_file():
        raise Refused(cannot_keep(distribution, "its installer left no record of its files"))
    if sum(map(_size, sources(distribution, roots))) > LARGEST:
        raise Refused(cannot_keep(distribution, f"it is larger than {LARGEST >> 20} MiB"))
    members = [*_own_members(distribution, rows), *_code(distribution, roots)]
    members.sort(key=lambda member: member.name)
    data = _packed(distribution, members)
    record = record_digest(essential(File(member.installed, member.digest) for member in members))
    return Wheel(distribution.name, Digest.of(data), record, data)


def sources(distribution: Distribution, roots: tuple[Root, ...] = ()) -> Iterator[str]:
    """Every file, and every folder of code, that a wheel is made from; those that are gone among them."""
    yield str(distribution.metadata)
    for row in recorded(distribution) or ():
        if not row.path.endswith(".pyc"):
            yield os.path.join(distribution.folder, row.path)
    for root in roots:
        for name in root.names:
            base = root.folder / name
            if base.is_dir():
                yield from (parent for parent, _ in _folders(base))
                yield from map(str, _below(base))
            else:
                yield f"{base}.py"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def file_name(data: bytes) -> str:
    """The name that an installer wants a wheel's file to have, from what is in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inner = next(name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
            with archive.open(inner) as file:
                text = file.read(_LARGEST_TAGS).decode("utf-8", "replace")
    except (zipfile.BadZipFile, StopIteration) as error:
        raise BadRecord("what the lock calls the wheel of a package is not a wheel") from error
    stem = inner.partition("/")[0].removesuffix(".dist-info")
    tags = [tag.strip().split("-") for tag in re.findall(r"^Tag:\s*(\S+)", text, re.MULTILINE)]
    whole = [tag for tag in tags if len(tag) == 3] or [["py3", "none", "any"]]
    return "-".join((stem, *(".".join(dict.fromkeys(part)) for part in zip(*whole, strict=True)))) + ".whl"


def cannot_keep(distribution: Distribution, reason: str) -> str:
    """The sentence about a package that a rebuild won't have."""
    return f"`{distribution.name}` {distribution.version} can't be kept for a rebuild: {reason}"


def _own_members(distribution: Distribution, rows: Iterable[File]) -> Iterator[Member]:
    """The files that the installer put there, each under the name it has in a wheel."""
    generated = set(_ENTRY_POINT.findall(_text(distribution.metadata / "entry_points.txt")))
    for row in rows:
        if distribution.editable and is_link(row.path):
            continue
        outside = row.path.startswith("../")
        inner = re.sub(r"^(\.\./)+", "", row.path)
        if ".." in inner.split("/"):
            raise Refused(cannot_keep(distribution, f"its record names `{row.path}`"))
        if outside and inner.startswith("bin/"):
            if inner.removeprefix("bin/") not in generated:
                yield _script(distribution, row.path, inner)
        elif essential([row]):
            stem = distribution.metadata.name.removesuffix(".dist-info")
            name = f"{stem}.data/data/{inner}" if outside else row.path
            yield _member(
                distribution, name, f"../{inner}" if outside else row.path, distribution.folder / row.path
            )


def _script(distribution: Distribution, path: str, inner: str) -> Member:
    """A program that is not made from an entry point; its first line is written anew when it is installed."""
    stem = distribution.metadata.name.removesuffix(".dist-info")
    name = f"{stem}.data/scripts/{inner.removeprefix('bin/')}"
    member = _member(distribution, name, f"../{inner}", distribution.folder / path)
    return Member(name, member.installed, _SCRIPT.sub(b"#!python\n", member.data, count=1), True)


def _code(distribution: Distribution, roots: tuple[Root, ...]) -> Iterator[Member]:
    """The modules of an editable install, read where somebody works on them."""
    for root in roots:
        for name in root.names:
            base = root.folder / name
            for path in _below(base) if base.is_dir() else [base.with_name(f"{name}.py")]:
                inner = path.relative_to(root.folder).as_posix()
                yield _member(distribution, inner, inner, path)


def _below(folder: Path) -> Iterator[Path]:
    for parent, files in _folders(folder):
        yield from (Path(parent, name) for name in sorted(files) if not name.endswith((".pyc", ".pyo")))


def _folders(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder and all below it that hold code, with their files."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _IGNORED)
        yield parent, files


def _member(distribution: Distribution, name: str, installed: str, path: Path) -> Member:
    try:
        with open(path, "rb") as file:
            executable = bool(os.fstat(file.fileno()).st_mode & 0o100)
            return Member(name, installed, file.read(), executable)
    except OSError as error:
        raise Refused(cannot_keep(distribution, f"`{path}`: {error.strerror}")) from error


def _packed(distribution: Distribution, members: Iterable[Member]) -> bytes:
    """The archive's bytes: sorted, uncompressed and undated, so that they depend on nothing but the files."""
    target = io.BytesIO()
    rows = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            _write(archive, member.name, member.data, member.executable)
            rows.append(_row(member))
        record = f"{distribution.metadata.name}/RECORD"
        _write(archive, record, ("\n".join([*rows, f"{record},,"]) + "\n").encode(), False)
    return target.getvalue()


def _row(member: Member) -> str:
    name = f'"{member.name}"' if "," in member.name else member.name
    return f"{name},{member.digest},{len(member.data)}"


def _write(archive: zipfile.ZipFile, name: str, data: bytes, executable: bool) -> None:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.create_system = 3
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    archive.writestr(info, data)


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.is_file() else ""
