"""Which of a command's Pythons its receipt is about."""

import pytest

from tallystick.runs.pythons import chosen
from tallystick.tracing.pythons import PythonProcess


def process(script: str, environment: str = "/venv", modules: int = 100) -> PythonProcess:
    return PythonProcess(1, "3.11.7", f"{environment}/bin/python", environment, script, modules)


TRAIN, TEST = process("/work/train.py"), process("/venv/bin/pytest")
CONDA, AWS = process("/base/bin/conda", "/base", 900), process("/aws/bin/aws", "/aws", 900)
LOCAL = process("/work/.venv/bin/pytest", "/work/.venv")


@pytest.mark.parametrize(
    ("processes", "decisive"),
    [
        ([TRAIN], TRAIN),
        ([CONDA, TRAIN], TRAIN),
        ([CONDA, TEST], TEST),
        ([TRAIN, AWS], TRAIN),
        ([CONDA], CONDA),
        ([LOCAL, process("-m", "/other", 1)], process("-m", "/other", 1)),
        ([process("-c", "/small", 10), TRAIN], TRAIN),
        ([process("-c", "/one"), process("-c", "/two")], process("-c", "/two")),
        ([], None),
    ],
)
def test_the_projects_own_code_decides_then_what_loaded_most(
    processes: list[PythonProcess], decisive: PythonProcess | None
) -> None:
    assert chosen(processes, "/work") == decisive
