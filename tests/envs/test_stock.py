"""Environments rebuilt from wheels that were put aside, without an index."""

import os
import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.envs.capture import capture
from tallystick.envs.captured import Captured
from tallystick.envs.installed import distributions
from tallystick.envs.rebuild import Rebuilt, rebuild
from tallystick.envs.stock import Stock, Stocked, check_platform
from tallystick.envs.wheel import build, file_name, pack
from tallystick.errors import EnvironmentNotRebuilt
from tallystick.records.environment import Package
from tests.envs.house import Venv, write_wheel

Make = Callable[..., Venv]


@pytest.fixture
def made(index: Path, venv: Make) -> Venv:
    return venv("alpha", "beta")


@pytest.fixture
def captured(made: Venv, variables: dict[str, str], tmp_path: Path) -> Captured:
    return capture(made.python, variables, tmp_path)


@pytest.fixture
def wheels(made: Venv, tmp_path: Path) -> dict[str, Path]:
    """Wheels of all that is installed."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    found = {}
    for each in distributions([str(made.site)]):
        with (folder / "unnamed").open("wb") as file:
            pack(each, file)
        name = file_name(folder / "unnamed")
        found[each.name] = (folder / "unnamed").rename(folder / name)
    return found


def stock(wheels: Mapping[str, Path]) -> Stock:
    return lambda _lock: {
        name: Stocked(path, sha256(path.read_bytes()).hexdigest()) for name, path in wheels.items()
    }


def nothing(digest: Digest) -> bytes:
    raise AssertionError("no wheel of the lock's own is needed")


def again(captured: Captured, folder: Path, wheels: Stock) -> Rebuilt:
    env = {**os.environ, "UV_CACHE_DIR": f"{folder} cache"}
    return rebuild(captured.lock, folder, read=nothing, stock=wheels, env=env)


def test_no_index_is_asked_for_what_is_in_stock(
    captured: Captured, wheels: dict[str, Path], index: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    shutil.rmtree(index)
    rebuilt = again(captured, tmp_path / "one", stock(wheels))
    assert rebuilt.vaulted == 2
    assert capture(str(rebuilt.python), variables, tmp_path).lock == captured.lock
    assert Venv(rebuilt.folder).run("import alpha, beta; print(alpha.NAME)") == "alpha"
    assert (rebuilt.bin / "alpha-run").is_file()


def test_the_rest_comes_from_the_index(captured: Captured, wheels: dict[str, Path], tmp_path: Path) -> None:
    rebuilt = again(captured, tmp_path / "one", stock({"beta": wheels["beta"]}))
    assert rebuilt.vaulted == 1
    assert Venv(rebuilt.folder).run("import alpha, beta; print(alpha.NAME)") == "alpha"


def test_a_wheel_with_other_files_is_named_and_never_executed(
    captured: Captured, wheels: dict[str, Path], tmp_path: Path
) -> None:
    evil, trace = tmp_path / "evil", tmp_path / "executed"
    evil.mkdir()
    code = f"import pathlib; pathlib.Path({str(trace)!r}).touch()\n"
    wrong = write_wheel(evil, "alpha", "1.0", {"alpha.py": "NAME = 'alpha'\n", "evil.pth": code})
    with pytest.raises(EnvironmentNotRebuilt, match=r"`alpha` 1\.0 has other files") as caught:
        again(captured, tmp_path / "one", stock({**wheels, "alpha": wrong}))
    assert "the vault holds another wheel" in (caught.value.hint or "")
    assert not trace.exists()
    assert not (tmp_path / "one").exists()


def test_a_wheel_of_another_package_is_named(
    captured: Captured, wheels: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentNotRebuilt, match="alpha"):
        again(captured, tmp_path / "one", stock({**wheels, "alpha": wheels["beta"]}))


def test_bytes_that_are_not_the_hashed_ones_are_not_installed(
    captured: Captured, wheels: dict[str, Path], tmp_path: Path
) -> None:
    lying = {**stock(wheels)(captured.lock), "alpha": Stocked(wheels["alpha"], "0" * 64)}
    with pytest.raises(EnvironmentNotRebuilt, match=r"(?i)hash mismatch.*alpha"):
        again(captured, tmp_path / "one", lambda _lock: lying)


def test_a_wheel_for_another_kind_of_machine_is_told_from_its_name(
    captured: Captured, wheels: dict[str, Path], tmp_path: Path
) -> None:
    foreign = wheels["alpha"].rename(tmp_path / "alpha-1.0-cp311-cp311-plan9_68000.whl")
    with pytest.raises(EnvironmentNotRebuilt, match=r"`alpha` 1\.0 is for plan9_68000; this machine"):
        again(captured, tmp_path / "one", stock({**wheels, "alpha": foreign}))


@pytest.mark.parametrize(
    "platform", ["any", "linux_{}", "manylinux_2_17_{0}.manylinux2014_{0}", "musllinux_1_2_{}"]
)
def test_wheels_for_this_kind_of_machine_are_left_to_the_installer(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class System:
        sysname, machine = "Linux", "x86_64"

    monkeypatch.setattr(os, "uname", lambda: System)
    name = f"alpha-1.0-cp311-cp311-{platform.format('x86_64')}.whl"
    check_platform(Package("alpha", "1.0"), Stocked(Path(name), ""))
    if platform != "any":
        with pytest.raises(EnvironmentNotRebuilt):
            check_platform(Package("alpha", "1.0"), Stocked(Path(name.replace("x86_64", "aarch64")), ""))


def test_a_wheel_that_is_written_to_a_file_has_the_same_bytes(made: Venv, wheels: dict[str, Path]) -> None:
    for each in distributions([str(made.site)]):
        assert build(each).data == wheels[each.name].read_bytes()
