"""Read what pickles hold, with the user's leave: by the Python that the stage had, within walls."""

import shutil
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tallystick import process
from tallystick.compare.tensors import LARGEST
from tallystick.errors import BadRecord, TallyError
from tallystick.project import Project
from tallystick.reproduction.confinement import Limits, confined_reading
from tallystick.reproduction.isolation import Surrounding
from tallystick.runs.recording import passing, plain_line
from tallystick.sandbox import inside
from tallystick.sandbox.room import READ_ONLY, Walls

SETTING = "repro.unpickle"
"""The user's own setting that is the same as to ask for it each time; no repository can make it."""

PATIENCE = 600.0
LONGEST_COMPLAINT = 200

_MODULES = ("sheet", "arrays", "contents")
_MAIN = "unpickler"

_START = """\
import sys, types
for name, text in zip(sys.argv[2::2], sys.argv[3::2]):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), (sys.modules["__main__"] if name == "unpickler" else module).__dict__)
"""
"""Hands the texts of our modules to a Python that sees nothing of ours."""


def allowed(project: Project) -> bool:
    """Whether the user's own settings allow it once and for all."""
    return project.config.values.get(SETTING) == "true"


class Unpickler:
    """Reads pickles with one environment; `facts` are what was enforced while it did."""

    def __init__(self, project: Project, around: Surrounding, limits: Limits) -> None:
        self.facts: dict[str, None] = {}
        self._project = project
        self._around = around
        self._limits = limits

    def __call__(self, file: BinaryIO, suffix: str) -> BinaryIO:
        """Answer with a file of tensors; raise BadRecord where it can't be read, or only without walls."""
        if self._around.interpreter is None:
            raise BadRecord("there is no Python here that could read what it holds")
        with passing(self._project) as record:
            walls = confined_reading(self._project, self._around, record.folder, limits=self._limits)
            if self._limits.isolate and READ_ONLY not in walls.facts:
                raise BadRecord(f"what it holds is only read within walls; {'; '.join(walls.facts)}")
            answer = self._read(self._around.interpreter, file, suffix, walls, record.folder)
        self.facts.update(dict.fromkeys(_facts(walls)))
        return answer

    def _read(self, interpreter: str, file: BinaryIO, suffix: str, walls: Walls, folder: Path) -> BinaryIO:
        """Have it read from a copy of its own; of the place where it lies nothing is to be seen."""
        source, target = folder / "pickle", folder / "values"
        with source.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        argv = [*walls.before, interpreter, "-I", "-B", "-c", _START, suffix, *_texts()]
        env = {**self._around.variables, **walls.variables, "CUDA_VISIBLE_DEVICES": ""}
        limits = process.Limits(self._limits.timeout or PATIENCE, LARGEST)
        try:
            with source.open("rb") as before, target.open("wb") as after:
                done = process.pour(argv, env=env, source=before, into=after, limits=limits)
        except TallyError as error:
            raise BadRecord(f"what it holds can't be read: {error.message}") from error
        if done.exit_code != 0:
            last = plain_line((done.complaint.splitlines() or ["it failed"])[-1])[:LONGEST_COMPLAINT]
            raise BadRecord(f"what it holds can't be read: {last}")
        return target.open("rb")


@cache
def _texts() -> tuple[str, ...]:
    """The names and texts of what runs inside, in the order in which they need each other."""
    folder = Path(inside.__file__).parent
    named = {f"{inside.__name__}.{name}": folder / f"{name}.py" for name in _MODULES}
    named[_MAIN] = folder / f"{_MAIN}.py"
    return tuple(text for name, path in named.items() for text in (name, path.read_text("utf-8")))


def _facts(walls: Walls) -> tuple[str, ...]:
    """That pickles were read, and behind which walls."""
    if not walls.before:
        return ("pickles were read as allowed, not isolated",)
    return ("pickles were read as allowed, without a network and writing nothing that lasts",)
