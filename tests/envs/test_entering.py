"""Which environment a command says that it enters."""

import pytest

from tallystick.envs.entering import ACTIVATE, Entry, entries
from tallystick.envs.interpreter import decisive_words, programs_in


@pytest.mark.parametrize(
    ("cmd", "entry"),
    [
        ("poetry run python train.py", Entry("poetry", begins=2)),
        ("poetry -C sub run -- python x.py", Entry("poetry", folder="sub", begins=5)),
        ("/opt/bin/pipenv run train", Entry("pipenv", begins=2)),
        ("pdm run -p sub python x.py", Entry("pdm", folder="sub", begins=4)),
        ("uv run --with rich --project=sub python x.py", Entry("uv", folder="sub", begins=5)),
        ("hatch -e gpu run python x.py", Entry("hatch", "gpu", begins=4)),
        ("hatch run gpu:python x.py", Entry("hatch", "gpu", begins=2)),
        ("pixi run -e gpu python x.py", Entry("pixi", "gpu", begins=4)),
        ("conda run -n ml --no-capture-output python x.py", Entry("conda", "ml", begins=5)),
        ("conda run --prefix=/envs/ml python x.py", Entry("conda", place="/envs/ml", begins=3)),
        ("micromamba run -p envs/ml python x.py", Entry("micromamba", place="envs/ml", begins=4)),
        ("conda activate ml && python x.py", Entry("conda", "ml", begins=3)),
        ("conda activate ./env && python x.py", Entry("conda", place="./env", begins=3)),
        ("conda activate && python x.py", Entry("conda", "base", begins=3)),
        ("source activate ml && python x.py", Entry("conda", "ml", begins=3)),
        ("source /opt/conda/bin/activate ml && python x", Entry("conda", "ml", begins=3)),
        (". .venv/bin/activate && python x.py", Entry(ACTIVATE, place=".venv", begins=2)),
    ],
)
def test_the_environment_is_read_from_the_words(cmd: str, entry: Entry) -> None:
    assert list(entries(cmd.split())) == [entry]


@pytest.mark.parametrize(
    "cmd",
    ["python train.py", "uv sync", "poetry install", "echo conda", "conda", "poetry -C", ".", "make run"],
)
def test_other_commands_enter_nothing(cmd: str) -> None:
    assert list(entries(cmd.split())) == []


def test_what_runs_in_an_environment_counts_as_a_program_of_the_command() -> None:
    assert programs_in("poetry run train --fast") == ["poetry", "train"]
    assert programs_in("hatch run gpu:train") == ["hatch", "train"]
    assert programs_in("conda run -n ml env A=1 python3 x.py") == ["conda", "env", "python3"]


def test_two_environments_of_one_tool_are_told_apart() -> None:
    assert decisive_words("conda run -n a python x.py") != decisive_words("conda run -n b python x.py")
    assert decisive_words("python x.py") == ()
