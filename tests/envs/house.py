"""Packages to install, and environments to install them into."""

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin


def write_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    *,
    scripts: Sequence[str] = (),
) -> Path:
    """Write a wheel by hand, as any build tool would."""
    info = f"{name}-{version}.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if scripts:
        members[f"{info}/entry_points.txt"] = "\n".join(["[console_scripts]", *scripts]) + "\n"
    rows = [record_row(path, text.encode()) for path, text in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return path


def record_row(path: str, data: bytes) -> str:
    """A line of a RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    name = f'"{path}"' if "," in path else path
    return f"{name},sha256={digest},{len(data)}"


def write_project(folder: Path, name: str, version: str, layout: str = "src") -> Path:
    """Write the sources of a package whose build backend is inside it: building it needs no index."""
    package = folder / layout / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"VERSION = {version!r}\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n'
    )
    (folder / "backend.py").write_text(_BACKEND.format(name=name, version=version, layout=layout))
    return folder


_BACKEND = """
import base64, hashlib, os, zipfile

INFO = "{name}-{version}.dist-info"
META = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: by hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def write(folder, files):
    files = dict(files)
    files[INFO + "/METADATA"] = META
    files[INFO + "/WHEEL"] = WHEEL
    files[INFO + "/entry_points.txt"] = "[console_scripts]\\n{name}-run = {name}:main\\n"
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(path + ",sha256=" + digest + "," + str(len(text.encode())))
    files[INFO + "/RECORD"] = "\\n".join(rows + [INFO + "/RECORD,,"]) + "\\n"
    name = "{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name


def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open("{layout}/{name}/__init__.py") as file:
        return write(folder, {{"{name}/__init__.py": file.read()}})


def build_editable(folder, config_settings=None, metadata_directory=None):
    return write(folder, {{"_{name}.pth": os.path.abspath("{layout}") + "\\n"}})
"""


@dataclass(frozen=True, slots=True)
class Venv:
    """A virtual environment."""

    path: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.path / "bin/python")

    @property
    def site(self) -> Path:
        """Its site-packages."""
        (found,) = self.path.glob("lib/*/site-packages")
        return found

    def install(self, *packages: str) -> None:
        """Install requirements, or paths, with uv."""
        argv = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--python", self.python, *packages]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, code: str, **env: str) -> str:
        """Run a line of Python in it and return what it prints."""
        done = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
