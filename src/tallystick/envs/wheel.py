"""Make a wheel of a package as it is installed, for packages that no index has."""

import base64
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from tallystick.digest import Digest
from tallystick.envs.editable import Root, is_link
from tallystick.envs.installed import Distribution, File, essential, record_digest, recorded
from tallystick.errors import BadRecord, Refused
from tallystick.frozen import dataclass
from tallystick.patterns import regex

LARGEST = 256 << 20
"""Bytes that a package may have to be kept in the store."""

_LARGEST_TAGS = 1 << 16
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_SCRIPT = regex(rb"#!.*python[^\n]*\n")
_ENTRY_POINT = regex(r"^\s*([^\s=\[]+)\s*=", re.MULTILINE)
_IGNORED = {"__pycache__", ".git", ".mypy_cache", ".ruff_cache"}


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a wheel, read when it is written: they may be large, and thousands.

    `installed` is the path that its RECORD line will have once installed.
    """

    name: str
    installed: str
    path: Path
    is_script: bool = False


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
    if sum(map(_size, sources(distribution, roots))) > LARGEST:
        raise Refused(cannot_keep(distribution, f"it is larger than {LARGEST >> 20} MiB"))
    target = io.BytesIO()
    record = pack(distribution, target, roots)
    data = target.getvalue()
    return Wheel(distribution.name, Digest.of(data), record, data)


def pack(distribution: Distribution, target: IO[bytes], roots: tuple[Root, ...] = ()) -> Digest:
    """Write the wheel to a file, however large it is; return the digest of what it will install.

    The archive is sorted, uncompressed and undated, so that its bytes depend on nothing but the files.
    """
    rows = recorded(distribution)
    if rows is None or not (distribution.metadata / "WHEEL").is_file():
        raise Refused(cannot_keep(distribution, "its installer left no record of its files"))
    members = [*_own_members(distribution, rows), *_code(roots)]
    members.sort(key=lambda member: member.name)
    installed, lines = [], []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            data, executable = _read(distribution, member)
            digest = _sha256(data)
            installed.append(File(member.installed, digest))
            lines.append(_row(member.name, digest, len(data)))
            _write(archive, member.name, data, executable)
        record = f"{distribution.metadata.name}/RECORD"
        _write(archive, record, ("\n".join([*lines, f"{record},,"]) + "\n").encode(), False)
    return record_digest(essential(installed))


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


def file_name(wheel: bytes | Path) -> str:
    """The name that an installer wants a wheel's file to have, from what is in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(wheel) if isinstance(wheel, bytes) else wheel) as archive:
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
            yield Member(name, f"../{inner}" if outside else row.path, distribution.folder / row.path)


def _script(distribution: Distribution, path: str, inner: str) -> Member:
    """A program that is not made from an entry point; its first line is written anew when it is installed."""
    stem = distribution.metadata.name.removesuffix(".dist-info")
    name = f"{stem}.data/scripts/{inner.removeprefix('bin/')}"
    return Member(name, f"../{inner}", distribution.folder / path, is_script=True)


def _code(roots: tuple[Root, ...]) -> Iterator[Member]:
    """The modules of an editable install, read where somebody works on them."""
    for root in roots:
        for name in root.names:
            base = root.folder / name
            for path in _below(base) if base.is_dir() else [base.with_name(f"{name}.py")]:
                inner = path.relative_to(root.folder).as_posix()
                yield Member(inner, inner, path)


def _below(folder: Path) -> Iterator[Path]:
    for parent, files in _folders(folder):
        yield from (Path(parent, name) for name in sorted(files) if not name.endswith((".pyc", ".pyo")))


def _folders(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder and all below it that hold code, with their files."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _IGNORED)
        yield parent, files


def _read(distribution: Distribution, member: Member) -> tuple[bytes, bool]:
    """A member's bytes, and whether they are a program."""
    try:
        with open(member.path, "rb") as file:
            executable = bool(os.fstat(file.fileno()).st_mode & 0o100)
            data = file.read()
    except OSError as error:
        raise Refused(cannot_keep(distribution, f"`{member.path}`: {error.strerror}")) from error
    if member.is_script:
        return _SCRIPT.sub(b"#!python\n", data, count=1), True
    return data, executable


def _sha256(data: bytes) -> str:
    """A hash as a RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _row(name: str, digest: str, size: int) -> str:
    quoted = f'"{name}"' if "," in name else name
    return f"{quoted},{digest},{size}"


def _write(archive: zipfile.ZipFile, name: str, data: bytes, executable: bool) -> None:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.create_system = 3
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    archive.writestr(info, data)


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.is_file() else ""
