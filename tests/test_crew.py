"""Tasks shared with helper processes."""

import os
import struct
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest

from tallystick import crew
from tallystick.process import Helper

COUNT = "import sys; from tallystick.helping import drawn; print(len(list(drawn(int(sys.argv[1])))))"


def pipe_of(tasks: int) -> int:
    pipe, entry = os.pipe()
    with open(entry, "wb") as file:
        file.write(b"".join(struct.pack("<I", task) for task in range(tasks)))
    return pipe


@pytest.mark.parametrize(("stdin", "done"), [(subprocess.PIPE, "5"), (subprocess.DEVNULL, "1")])
def test_a_helper_ends_after_its_task_when_whom_it_helps_is_gone(stdin: int, done: str) -> None:
    pipe = pipe_of(5)
    argv = [sys.executable, "-P", "-c", COUNT, str(pipe)]
    child = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, pass_fds=(pipe,), text=True)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.read().strip() == done
    child.wait()
    if child.stdin is not None:
        child.stdin.close()
    os.close(pipe)


def test_every_task_is_drawn_once_even_if_no_helper_can_start() -> None:
    with crew.called("tallystick.nowhere", (), 2) as helpers:
        helpers.share([2, 0, 1])
        assert list(helpers.tasks()) == [2, 0, 1]


def test_a_helper_tells_how_it_ended() -> None:
    assert Helper("tallystick.nowhere", ()).wait() == 1


def test_a_helper_loads_nothing_that_a_command_would_put_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "helping.py"
    module.write_text(
        "import os, sys, tallystick.store.crewed\n"
        "def main():\n"
        "    names = [name for name in ('inspect', 'pyfastcdc', 'tomllib') if name in sys.modules]\n"
        "    loaded = [name for name in names if sys.modules[name].__spec__.origin]\n"
        "    os.write(int(sys.argv[1]), repr((sys.argv[1:], loaded)).encode())\n"
    )
    pipe, entry = os.pipe()
    monkeypatch.syspath_prepend(tmp_path)
    assert Helper("helping", (entry,)).wait() == 0
    os.close(entry)
    with open(pipe, "rb") as file:
        assert literal_eval(file.read().decode()) == ([str(entry)], [])


def test_memory_is_seen_by_whoever_has_its_descriptor() -> None:
    with crew.shared_memory(8) as (descriptor, memory):
        memory[:4] = b"seen"
        assert os.pread(descriptor, 8, 0) == b"seen\0\0\0\0"
