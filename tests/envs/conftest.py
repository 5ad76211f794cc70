"""Small packages, an index that is a folder, and real virtual environments made by uv."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.envs.house import Venv, write_wheel


@pytest.fixture(autouse=True)
def short_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the Python behind this one first on PATH: version managers' shims there take half a second each."""
    base = os.path.dirname(os.path.realpath(sys.executable))
    monkeypatch.setenv("PATH", f"{base}:/usr/bin:/bin")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that uv takes for a package index, with two packages in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    write_wheel(folder, "alpha", "1.0", {"alpha.py": "NAME = 'alpha'\n"}, scripts=["alpha-run = alpha:main"])
    write_wheel(folder, "beta", "2.1", {"beta/__init__.py": "", "beta/data,with comma.txt": "β\n"})
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def venv(tmp_path: Path) -> Callable[..., Venv]:
    """Make a virtual environment with packages in it."""

    def make(*packages: str, name: str = "venv", python: str = sys.executable) -> Venv:
        folder = tmp_path / name
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", python, folder], check=True)
        made = Venv(folder)
        if packages:
            made.install(*packages)
        return made

    return make


@pytest.fixture
def variables() -> dict[str, str]:
    """The environment variables that a stage would see."""
    return dict(os.environ)
