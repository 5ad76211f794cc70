"""A conda environment is rebuilt from the files that it consisted of, without a solver."""

import dataclasses
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.envs import archives
from tallystick.envs.activate import variables as activated
from tallystick.envs.capture import capture
from tallystick.envs.rebuild import Rebuilt, is_vaulted, rebuild
from tallystick.envs.stock import Stocked
from tallystick.errors import EnvironmentNotRebuilt
from tallystick.records.environment import Lock, identity, parse, render
from tests.envs.channel import PYTHON, make_environment, write_interpreter, write_module, write_package
from tests.envs.house import Venv


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """A channel with a Python, a module, and a library that is no Python."""
    folder = tmp_path / "channel"
    write_interpreter(folder)
    write_module(folder, "gamma", "1.0", "NAME = 'gamma'\n")
    write_package(
        folder,
        "libblas",
        "3.9",
        {"lib/libblas.so.3": "blas", "etc/conda/env_vars.d/b.json": '{"BLAS": "yes"}'},
    )
    return folder


@pytest.fixture
def prefix(channel: Path, tmp_path: Path) -> Path:
    """An environment made of it."""
    return make_environment(channel, tmp_path / "prefix")


def lock_of(prefix: Path, env: dict[str, str]) -> Lock:
    return capture(str(prefix / "bin/python"), env, prefix.parent).lock


def built(lock: Lock, tmp_path: Path, **options: object) -> Rebuilt:
    return rebuild(lock, tmp_path / "environments/built", read=lambda digest: b"", **options)  # type: ignore[arg-type]


def test_conda_s_packages_are_recorded_as_files_with_hashes(
    prefix: Path, channel: Path, variables: dict[str, str]
) -> None:
    lock = lock_of(prefix, variables)
    assert [each.name for each in lock.conda] == ["gamma", "libblas", "python"]
    assert lock.conda[0].url == f"file://{channel}/noarch/gamma-1.0-0.tar.bz2"
    assert lock.conda[0].hash is not None
    assert lock.conda[0].hash.startswith("sha256:")
    assert [(each.name, each.source, each.wheel) for each in lock.packages] == [("gamma", "conda", None)]
    assert parse(render(lock)) == lock


def test_the_rebuilt_environment_is_captured_as_the_same_lock(
    prefix: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    lock = lock_of(prefix, variables)
    rebuilt = built(lock, tmp_path)
    assert (rebuilt.version, rebuilt.reused) == (PYTHON, False)
    assert identity(lock_of(rebuilt.folder, variables)) == identity(lock)
    env = activated(rebuilt, {"PATH": "/usr/bin", "VIRTUAL_ENV": "/other"}, lock, tmp_path)
    assert Venv(rebuilt.folder).run("import gamma; print(gamma.NAME)", **env) == "gamma"
    assert (env["CONDA_PREFIX"], env["BLAS"], "VIRTUAL_ENV" in env) == (str(rebuilt.folder), "yes", False)
    assert built(lock, tmp_path).reused


def test_what_pip_put_into_it_comes_from_the_index(
    prefix: Path, tmp_path: Path, index: Path, variables: dict[str, str]
) -> None:
    Venv(prefix).install("alpha==1.0")
    lock = lock_of(prefix, variables)
    assert [(each.name, each.source) for each in lock.packages] == [("alpha", "index"), ("gamma", "conda")]
    rebuilt = built(lock, tmp_path, env=variables)
    assert identity(lock_of(rebuilt.folder, variables)) == identity(lock)


def test_with_its_files_in_stock_no_channel_is_asked(
    prefix: Path, channel: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    lock = lock_of(prefix, variables)
    kept = channel.rename(tmp_path / "kept")
    stock = {each.hash: Stocked(next(kept.glob(f"*/{each.name}-*"))) for each in lock.conda if each.hash}
    rebuilt = built(lock, tmp_path, stock=lambda _lock: stock)
    assert rebuilt.vaulted == 3
    assert is_vaulted(rebuilt, lock)


@pytest.mark.parametrize("bytes_", [None, b"other"])
def test_a_package_that_is_gone_or_another_one_is_named(
    prefix: Path, channel: Path, tmp_path: Path, variables: dict[str, str], bytes_: bytes | None
) -> None:
    lock = lock_of(prefix, variables)
    path = channel / "noarch/gamma-1.0-0.tar.bz2"
    path.unlink()
    if bytes_ is not None:
        path.write_bytes(bytes_)
    with pytest.raises(EnvironmentNotRebuilt, match=r"conda's `gamma` 1.0 can't be had: there is no"):
        built(lock, tmp_path)
    assert not (tmp_path / "environments/built").exists()


@pytest.fixture
def served(channel: Path) -> Iterator[str]:
    """The channel's address on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(channel))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def moved(lock: Lock, channel: Path, address: str) -> Lock:
    conda = tuple(
        dataclasses.replace(each, url=each.url.replace(f"file://{channel}", address)) for each in lock.conda
    )
    return dataclasses.replace(lock, conda=conda)


def test_files_are_fetched_from_a_channel_and_checked(
    prefix: Path, channel: Path, tmp_path: Path, served: str, variables: dict[str, str]
) -> None:
    lock = moved(lock_of(prefix, variables), channel, served)
    rebuilt = built(lock, tmp_path)
    assert identity(lock_of(rebuilt.folder, variables)) == identity(lock)


@pytest.mark.parametrize(
    ("bytes_", "said"), [(b"other", "another file than the recorded one"), (None, "404")]
)
def test_a_channel_that_gives_something_else_is_not_believed(
    prefix: Path,
    channel: Path,
    tmp_path: Path,
    served: str,
    variables: dict[str, str],
    bytes_: bytes | None,
    said: str,
) -> None:
    lock = moved(lock_of(prefix, variables), channel, served)
    path = channel / "noarch/gamma-1.0-0.tar.bz2"
    path.unlink()
    if bytes_ is not None:
        path.write_bytes(bytes_)
    with pytest.raises(EnvironmentNotRebuilt, match=said):
        built(lock, tmp_path)


def test_a_package_for_another_machine_is_said_to_be_so(
    prefix: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    lock = lock_of(prefix, variables)
    other = tuple(
        dataclasses.replace(each, url=each.url.replace("noarch", "osx-arm64")) for each in lock.conda
    )
    with pytest.raises(EnvironmentNotRebuilt, match=r"`gamma` 1\.0 is for osx-arm64; this machine is"):
        built(dataclasses.replace(lock, conda=other), tmp_path)


def test_a_package_without_a_hash_cannot_be_trusted(
    prefix: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    lock = lock_of(prefix, variables)
    bare = tuple(dataclasses.replace(each, hash=None) for each in lock.conda)
    with pytest.raises(EnvironmentNotRebuilt, match="recorded without a hash"):
        built(dataclasses.replace(lock, conda=bare), tmp_path)


def test_without_the_library_the_extra_is_named(
    prefix: Path, tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(prefix, variables)
    monkeypatch.setitem(sys.modules, archives.RATTLER, None)
    with pytest.raises(EnvironmentNotRebuilt, match="py-rattler") as caught:
        built(lock, tmp_path)
    assert caught.value.hint == "pip install 'tallystick[conda]'"
    assert caught.value.exit_code == 17


def test_an_environment_that_somebody_changed_is_built_again(
    prefix: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    lock = lock_of(prefix, variables)
    rebuilt = built(lock, tmp_path)
    next(rebuilt.folder.glob("conda-meta/libblas-*.json")).unlink()
    assert not built(lock, tmp_path).reused
