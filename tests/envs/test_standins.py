"""A command that enters its environment by a tool finds it entered."""

import subprocess
from pathlib import Path

import pytest

from tallystick.envs.interpreter import interpreter_of
from tallystick.envs.standins import stand_ins


@pytest.mark.parametrize(
    ("cmd", "said"),
    [
        ("poetry run python -c 'x  y' --n", "-c|x  y|--n"),
        ("poetry -C sub run python a", "a"),
        ("conda run -n ml --no-capture-output python a", "a"),
        ("conda run --cwd sub -p /e python a", "a"),
        ("micromamba run -n ml python a", "a"),
        ('eval "$(conda shell.posix hook)" && conda activate ml && python a', "a"),
        ("uv run --with rich -p 3.12 python a", "a"),
        ("uv run -m mod --n", "-m|mod|--n"),
        ("uv run train.py --n", "train.py|--n"),
        ("uv run -- python a", "a"),
        ("pipenv run python a", "a"),
        ("pdm run -p . python a", "a"),
        ("hatch run gpu:python a", "a"),
        ("hatch -e gpu run python a", "a"),
        ("pixi run -e gpu python a", "a"),
    ],
)
def test_the_program_is_started_with_its_words(tmp_path: Path, cmd: str, said: str) -> None:
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "sub").mkdir()
    python = tmp_path / "env/bin/python"
    python.write_text("#!/bin/sh\nIFS='|'\necho \"$*\"\n")
    python.chmod(0o755)
    tools = stand_ins(tmp_path / "env", cmd)
    env = {"PATH": f"{tools}:{tmp_path}/env/bin:/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", cmd], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == (f"{said}\n", "", 0)
    assert interpreter_of(cmd, env, tmp_path) == str(python)


def test_what_a_stand_in_cannot_do_it_says(tmp_path: Path) -> None:
    tools = stand_ins(tmp_path, "uv run python x.py && uv sync")
    done = subprocess.run([f"{tools}/uv", "sync"], capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "only `uv run`" in done.stderr


@pytest.mark.parametrize("cmd", ["python x.py", ". .venv/bin/activate && python x.py"])
def test_other_commands_need_none(tmp_path: Path, cmd: str) -> None:
    assert stand_ins(tmp_path, cmd) is None
    assert list(tmp_path.iterdir()) == []
