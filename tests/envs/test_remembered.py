import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallystick.envs import stamps
from tallystick.envs.capture import capture, wheel_data
from tallystick.envs.captured import Captured
from tallystick.envs.remembered import capture_once
from tests.envs.house import Venv, write_project

Make = Callable[..., Venv]
Once = Callable[[Venv], Captured]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every capture that is really made."""
    made: list[str] = []

    def noting(interpreter: str, *args: Any, **options: Any) -> Captured:
        made.append(interpreter)
        return capture(interpreter, *args, **options)

    monkeypatch.setattr("tallystick.envs.capture.capture", noting)
    monkeypatch.setattr(stamps, "SETTLED", 0.0)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "captured"


@pytest.fixture
def once(variables: dict[str, str], tmp_path: Path, folder: Path) -> Once:
    root = tmp_path / "project"
    root.mkdir()
    return lambda venv: capture_once(venv.python, variables, root, folder)


def test_an_untouched_environment_is_asked_once(
    index: Path, venv: Make, once: Once, asked: list[str]
) -> None:
    made = venv("alpha", "beta")
    assert once(made) == once(made)
    assert len(asked) == 1


def test_the_projects_own_package_is_remembered_with_its_wheel(
    venv: Make, once: Once, asked: list[str], tmp_path: Path
) -> None:
    made = venv("--editable", str(write_project(tmp_path / "project/delta", "delta", "0.2")))
    first, second = once(made), once(made)
    assert first.lock == second.lock
    assert [wheel_data(wheel) for wheel in second.wheels] == [wheel_data(wheel) for wheel in first.wheels]
    assert len(asked) == 1


def install(made: Venv) -> None:
    made.install("beta")


def uninstall(made: Venv) -> None:
    for path in made.site.glob("alpha*"):
        os.rename(path, made.path / path.name)


def add_a_folder(made: Venv) -> None:
    (made.site / "more.pth").write_text(str(made.path))


def take_another_python(made: Venv) -> None:
    (made.path / "pyvenv.cfg").write_text((made.path / "pyvenv.cfg").read_text() + "note = changed\n")


@pytest.mark.parametrize("change", [install, uninstall, add_a_folder, take_another_python])
def test_a_change_is_noticed(
    index: Path, venv: Make, once: Once, asked: list[str], change: Callable[[Venv], None]
) -> None:
    made = venv("alpha")
    once(made)
    change(made)
    once(made)
    assert len(asked) == 2


def test_a_new_lock_of_the_project_is_noticed(
    index: Path, venv: Make, once: Once, asked: list[str], tmp_path: Path
) -> None:
    made = venv("alpha")
    once(made)
    (tmp_path / "project/uv.lock").write_text("version = 1\n")
    once(made)
    assert len(asked) == 2


def test_other_variables_are_another_question(
    index: Path, venv: Make, asked: list[str], variables: dict[str, str], tmp_path: Path, folder: Path
) -> None:
    made = venv("alpha")
    for extra in ({}, {"PYTHONPATH": str(tmp_path)}, {"VIRTUAL_ENV": "x"}):
        capture_once(made.python, variables | extra, tmp_path, folder)
    assert len(asked) == 3


def edit(source: Path) -> None:
    (source / "src/delta/__init__.py").write_text("VERSION = 'edited'\n")


def add_a_module(source: Path) -> None:
    (source / "src/delta/more.py").write_text("")


def remove_its_module(source: Path) -> None:
    (source / "src/delta/__init__.py").unlink()


@pytest.mark.parametrize("change", [edit, add_a_module, remove_its_module])
def test_a_package_that_somebody_works_on_is_read_again_when_it_changes(
    venv: Make, once: Once, asked: list[str], tmp_path: Path, change: Callable[[Path], None]
) -> None:
    source = write_project(tmp_path / "elsewhere", "delta", "0.2")
    made = venv("--editable", str(source))
    first = once(made)
    assert once(made) == first
    assert len(asked) == 1
    change(source)
    assert once(made).lock != first.lock


def test_an_edit_of_an_installed_package_that_is_kept_is_noticed(
    venv: Make, once: Once, asked: list[str], tmp_path: Path
) -> None:
    made = venv(str(write_project(tmp_path / "elsewhere", "delta", "0.2")))
    first = once(made)
    (made.site / "delta/__init__.py").write_text("VERSION = 'edited'\n")
    assert once(made).lock != first.lock


def test_right_after_a_change_nothing_is_remembered(
    index: Path, venv: Make, once: Once, asked: list[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(stamps, "SETTLED", 3600.0)
    made = venv("alpha")
    once(made)
    once(made)
    assert len(asked) == 2
    assert not folder.exists()


def test_a_version_managers_shim_is_asked_each_time(
    index: Path, venv: Make, asked: list[str], variables: dict[str, str], tmp_path: Path, folder: Path
) -> None:
    shim = tmp_path / "shim"
    shim.write_text(f'#!/bin/sh\nexec "{venv("alpha").python}" "$@"\n')
    shim.chmod(0o755)
    capture_once(str(shim), variables, tmp_path, folder)
    capture_once(str(shim), variables, tmp_path, folder)
    assert len(asked) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stamps": [], "captured": {}}', '{"stamps": 3}', "null"])
def test_a_damaged_memory_is_no_memory(
    index: Path, venv: Make, once: Once, asked: list[str], folder: Path, text: str
) -> None:
    made = venv("alpha")
    first = once(made)
    (file,) = folder.iterdir()
    json.loads(file.read_text())
    file.write_text(text)
    assert once(made) == first
    assert len(asked) == 2
