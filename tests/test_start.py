"""Tests of how the program starts: what it loads, and what it puts off."""

import inspect
import platform
import subprocess
import sys
import threading
from importlib.util import find_spec
from types import ModuleType

import pytest

from tallystick import __main__ as start

NAME = "colorsys"
"""A module of the standard library that nobody here imports."""


@pytest.fixture
def put_off(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Put a module off."""
    later = start._Later(NAME)
    monkeypatch.setitem(sys.modules, NAME, later)
    return later


def test_a_module_that_is_put_off_is_loaded_when_it_is_used(put_off: ModuleType) -> None:
    assert put_off.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
    assert sys.modules[NAME] is not put_off
    assert sys.modules[NAME].rgb_to_hsv is put_off.rgb_to_hsv
    with pytest.raises(AttributeError, match=NAME):
        _ = put_off.no_such_name


def test_a_module_that_is_put_off_is_there(put_off: ModuleType) -> None:
    assert find_spec(NAME) is not None
    assert sys.modules[NAME] is put_off


def test_many_threads_get_one_module(put_off: ModuleType) -> None:
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(put_off.rgb_to_hsv)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [sys.modules[NAME].rgb_to_hsv] * 8


def test_what_is_answered_without_a_module_is_what_the_module_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("inspect", "platform"):
        monkeypatch.delitem(sys.modules, name)
    start._put_off()
    texts = ("", "one", "  one\t ", "one\n  two\n    three\n", "\n  x\n\n")
    assert [sys.modules["inspect"].cleandoc(text) for text in texts] == [
        inspect.cleandoc(text) for text in texts
    ]
    said = sys.modules["platform"]
    assert (said.system(), said.python_implementation()) == (
        platform.system(),
        platform.python_implementation(),
    )


def test_a_push_loads_nothing_of_what_runs_stages() -> None:
    code = "import sys, tallystick.flows.push; print('tallystick.runs.running' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
