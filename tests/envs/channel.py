"""Conda packages made by hand, and a folder that is a channel of them."""

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tallystick.envs.rattler import unpack
from tests.envs.house import record_row

_SYSTEM, _MACHINE = ("osx" if sys.platform == "darwin" else "linux"), os.uname().machine
HERE = f"{_SYSTEM}-{'64' if _MACHINE == 'x86_64' else _MACHINE}"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}"
SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def write_package(
    channel: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    *,
    subdir: str = "noarch",
    links: Mapping[str, str] | None = None,
    python: bool = False,
) -> Path:
    """Write one package's file; one of `python` is pure, and put below its site-packages."""
    links = links or {}
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": [],
        "subdir": subdir,
    }
    paths = [_entry(path, "hardlink", text.encode()) for path, text in files.items()]
    paths += [_entry(path, "softlink", b"") for path in links]
    members = {
        "info/index.json": json.dumps(index | ({"noarch": "python"} if python else {})),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
        "info/files": "\n".join([*files, *links]),
        **(
            {"info/link.json": '{"noarch": {"type": "python"}, "package_metadata_version": 1}'}
            if python
            else {}
        ),
        **files,
    }
    path = channel / subdir / f"{name}-{version}-0.tar.bz2"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:bz2") as archive:
        for member, text in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
        for member, target in links.items():
            info = tarfile.TarInfo(member)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def _entry(path: str, kind: str, data: bytes) -> dict[str, object]:
    return {
        "_path": path,
        "path_type": kind,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }


def write_interpreter(channel: Path) -> Path:
    """Write a package that is this Python: a link, in an environment of its own."""
    base = os.path.realpath(sys.executable)
    config = f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\nversion = {PYTHON}\n"
    files = {"pyvenv.cfg": config, f"{SITE}/README.txt": ""}
    return write_package(channel, "python", PYTHON, files, subdir=HERE, links={"bin/python": base})


def write_module(channel: Path, name: str, version: str, text: str) -> Path:
    """Write a package of one module, with all that Python's installers leave."""
    info = f"site-packages/{name}-{version}.dist-info"
    code = {f"site-packages/{name}.py": text}
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    rows = [record_row(f"{name}.py", text.encode()), f"{name}-{version}.dist-info/RECORD,,"]
    told = {
        f"{info}/METADATA": metadata,
        f"{info}/INSTALLER": "conda\n",
        f"{info}/RECORD": "\n".join(rows) + "\n",
    }
    return write_package(channel, name, version, {**code, **told}, python=True)


def make_environment(channel: Path, prefix: Path) -> Path:
    """Make an environment of all that a channel has, as conda would."""
    unpack(sorted(channel.glob("*/*.tar.bz2")), prefix, prefix.with_name(f"{prefix.name}-unpacked"))
    return prefix
