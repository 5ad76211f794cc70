"""An environment that nobody has touched since it was looked at is not read again."""

import os
import sys
from pathlib import Path

import pytest

from tallystick.envs import building, stamps
from tallystick.envs.rebuild import rebuild
from tallystick.envs.standing import FILE, Standing, remember, standing
from tallystick.errors import EnvironmentNotRebuilt
from tallystick.records.environment import Lock, Package
from tests.envs.house import Venv

FOUND = Standing("3.11.7", "linux-x86_64")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an environment looks like, long after it was made."""
    monkeypatch.setattr(stamps, "SETTLED", 0.0)
    site = tmp_path / "one/lib/python3.11/site-packages"
    (site / "alpha-1.0.dist-info").mkdir(parents=True)
    (site / "alpha-1.0.dist-info/RECORD").write_text("alpha.py,,\n")
    (tmp_path / "one/bin").mkdir()
    (tmp_path / "one/bin/python").touch()
    (tmp_path / "one/pyvenv.cfg").touch()
    return tmp_path / "one"


def test_what_was_found_is_remembered(folder: Path) -> None:
    assert standing(folder) is None
    remember(folder, FOUND)
    assert standing(folder) == FOUND


@pytest.mark.parametrize(
    "changed", ["lib/python3.11/site-packages/alpha-1.0.dist-info/RECORD", "pyvenv.cfg", "bin/python"]
)
def test_a_file_that_changed_makes_it_forgotten(folder: Path, changed: str) -> None:
    remember(folder, FOUND)
    (folder / changed).write_text("other, longer than before")
    assert standing(folder) is None


def test_a_package_that_came_makes_it_forgotten(folder: Path) -> None:
    remember(folder, FOUND)
    (folder / "lib/python3.11/site-packages/beta-1.0.dist-info").mkdir()
    os.utime(folder / "lib/python3.11/site-packages", ns=(1, 1))
    assert standing(folder) is None


def test_what_has_just_changed_is_not_trusted_yet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "SETTLED", 3600.0)
    remember(folder, FOUND)
    assert standing(folder) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stamps": []}', '{"stamps": 3}', "null"])
def test_a_damaged_memory_is_no_memory(folder: Path, text: str) -> None:
    (folder / FILE).write_text(text)
    assert standing(folder) is None


def test_an_environment_that_is_remembered_is_neither_read_nor_started(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    monkeypatch.setattr(stamps, "SETTLED", 0.0)
    python = sys.executable
    version = ".".join(map(str, sys.version_info[:3]))
    lock = Lock("cpython", version, (Package("alpha", "1.0"),))
    first = rebuild(lock, tmp_path / "one", read=lambda _: b"", python=python)

    def never(*_: object) -> None:
        raise AssertionError("it was looked at again")

    monkeypatch.setattr(building, "_objections", never)
    monkeypatch.setattr(building, "probe", never)
    again = rebuild(lock, tmp_path / "one", read=lambda _: b"")
    assert (again.reused, again.version, again.platform) == (True, first.version, first.platform)
    assert Venv(again.folder).run("import alpha; print(alpha.NAME)") == "alpha"


def test_another_pythons_stand_in_is_not_taken_for_the_recorded_one(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "SETTLED", 0.0)
    minor = ".".join(map(str, sys.version_info[:2]))
    lock = Lock("cpython", f"{minor}.99", (Package("alpha", "1.0"),))
    assert rebuild(lock, tmp_path / "one", read=lambda _: b"", any_python=True).stand_in == f"{minor}.99"
    assert rebuild(lock, tmp_path / "one", read=lambda _: b"", any_python=True).reused
    with pytest.raises(EnvironmentNotRebuilt, match=r"\.99"):
        rebuild(lock, tmp_path / "one", read=lambda _: b"")
