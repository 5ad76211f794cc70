"""The sandbox that every test runs in, and the fixtures that stand in it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.sandbox import GIT_CONFIG, INDEX, Repo, Tally, sealed_environment

OUTER = dict(os.environ)
CHECKOUT = Path(__file__).resolve().parent.parent
LOOPBACK = ("127.", "::1", "localhost")
_connect = socket.socket.connect

# Neither depends on how fast the machine is.
explore = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", explore)
settings.register_profile("steady", explore, derandomize=True, database=None)


def _only_loopback(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOOPBACK):
        raise AssertionError(f"a test reached for the network: {address}")
    _connect(self, address)


@pytest.fixture(autouse=True)
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """Give the test a home of its own, and fail it if it writes to the folder it was started in."""
    base = tmp_path_factory.mktemp("sandbox")
    home, nowhere = base / "home", base / "nowhere"
    home.mkdir()
    nowhere.mkdir()
    (home / ".gitconfig").write_text(GIT_CONFIG)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in sealed_environment(OUTER, home).items():
        monkeypatch.setenv(name, value)
    if request.node.get_closest_marker("index"):
        _open_package_index(monkeypatch)
    monkeypatch.setattr(socket.socket, "connect", _only_loopback)
    monkeypatch.chdir(nowhere)
    yield home
    assert not os.listdir(nowhere), "a test wrote to the current folder, not to `tmp_path`"


def _open_package_index(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in INDEX:
        monkeypatch.delenv(name, raising=False)
    for name, value in OUTER.items():
        if name.lower().endswith("_proxy"):
            monkeypatch.setenv(name, value)
    cache = OUTER.get("XDG_CACHE_HOME") or os.path.join(OUTER.get("HOME", "/"), ".cache")
    monkeypatch.setenv("UV_CACHE_DIR", OUTER.get("UV_CACHE_DIR", os.path.join(cache, "uv")))


@pytest.fixture(scope="session", autouse=True)
def untouched_checkout() -> Iterator[None]:
    """Fail when the tests leave something of the program's in the checkout they are run from."""
    yield
    strays = [name for name in (".tallyconfig", ".git/tally", "nowhere") if (CHECKOUT / name).exists()]
    assert not strays, f"a test worked on the checkout itself and left {strays}"


@pytest.fixture
def empty_repo(tmp_path: Path) -> Repo:
    """Return a git repository without a commit."""
    made = Repo(tmp_path / "repo")
    made.path.mkdir()
    made.git("init", "--quiet")
    return made


@pytest.fixture
def repo(empty_repo: Repo) -> Repo:
    """Return a git repository with one commit."""
    empty_repo.write("README.md", "# A project\n")
    empty_repo.commit("First commit")
    return empty_repo


@pytest.fixture
def tally(repo: Repo) -> Tally:
    """Return the program, called in `repo`."""
    return Tally(repo.path)


@pytest.fixture
def project(repo: Repo, tally: Tally) -> Repo:
    """Return a git repository in which `tally init` was run and committed."""
    tally("init")
    repo.commit("Start tally")
    return repo


@pytest.fixture
def remote(project: Repo, tally: Tally, tmp_path: Path) -> Path:
    """Return the folder of the project's default remote, named origin."""
    folder = tmp_path / "remote"
    folder.mkdir()
    tally("remote", "add", "origin", str(folder))
    project.commit("Name the remote")
    return folder
