"""A project with stages, and a Python of its own that has nothing installed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from tallystick.project import open_project
from tallystick.project.grants import settings_folder
from tests.sandbox import Repo, Tally

PREPARE = """\
import os
numbers = [int(line) for line in open("data/numbers.txt")]
os.makedirs("clean", exist_ok=True)
with open("clean/squares.csv", "w") as file:
    file.write("n,square\\n")
    file.writelines(f"{n},{n * n}\\n" for n in numbers)
print("prepared", len(numbers))
"""

TRAIN = """\
import json, os, random
random.seed(int(os.environ["TALLY_SEED"]))
rate = json.load(open("params.json"))["rate"]
rows = open("clean/squares.csv").read().splitlines()[1:]
open("model.bin", "wb").write(random.randbytes(1000))
json.dump({"accuracy": rate + random.random() / 100, "rows": len(rows)}, open("metrics.json", "w"))
print("trained with", rate)
"""

PIPELINE = """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py, data]
    outs: [clean]
  train:
    cmd: python train.py
    deps: [train.py, clean]
    params: [{params.json: [rate]}]
    outs: [model.bin]
    metrics: [metrics.json]
    seed: 42
"""


@pytest.fixture(scope="session")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs' folder of a virtual environment with no package in it."""
    folder = tmp_path_factory.mktemp("lean") / "venv"
    command = [find_uv_bin(), "venv", "--quiet", "--no-project", "--no-config", "--python", sys.executable]
    subprocess.run([*command, str(folder)], check=True)
    return folder / "bin"


@pytest.fixture
def lean_path(lean: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put that Python first on PATH; version managers' shims are slow, so nothing else of the kind stays."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(lean), "/usr/local/bin", "/usr/bin", "/bin"]))
    return lean


class Stages:
    """A project with a pipeline."""

    def __init__(self, repo: Repo, tally: Tally) -> None:
        self.repo = repo
        self.tally = tally

    def pipeline(self, text: str) -> None:
        """Write `tally.yaml`."""
        self.repo.write("tally.yaml", text)

    def states(self, *args: str) -> dict[str, str]:
        """Run, and return what became of each stage."""
        return {stage["stage"]: stage["status"] for stage in self.ran(*args)["stages"]}

    def reasons(self, stage: str) -> list[str]:
        """Return why a stage would run, as words."""
        found = next(each for each in self.ran("--dry-run")["stages"] if each["stage"] == stage)
        return [" ".join(filter(None, (one["kind"], one["name"], one["detail"]))) for one in found["reasons"]]

    def ran(self, *args: str) -> Any:
        """Run with `--json`."""
        return self.tally("run", "--json", *args).json()

    def made_once(self, kept: Path, make: Callable[[], object]) -> None:
        """Make a history, or take the one that an earlier test of the module made and left in `kept`."""
        if not kept.exists():
            make()
            shutil.copytree(self.repo.path, kept, symlinks=True)
        else:
            shutil.rmtree(self.repo.path)
            shutil.copytree(kept, self.repo.path, symlinks=True)
            # What the user allowed holds for the folder that it was said in.
            open_project(self.repo.path, settings_folder(os.environ)).grants.grant_all()

    def runs(self) -> list[Any]:
        """Return the runs in the ledger, newest first."""
        return list(self.tally("log", "--json", "--all").json()["runs"])

    def receipt(self, stage: str) -> Any:
        """Return a stage's receipt."""
        return json.loads(self.repo.read(f"receipts/{stage}.json"))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for repositories that took a while to make."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def bare(project: Repo, tally: Tally, lean_path: Path) -> Stages:
    """Return a project without stages."""
    return Stages(project, tally)


@pytest.fixture
def stages(bare: Stages) -> Stages:
    """Return a project with two stages, tracked data and parameters, committed."""
    for name, text in (("prepare.py", PREPARE), ("train.py", TRAIN), ("params.json", '{"rate": 0.5}')):
        bare.repo.write(name, text)
    bare.repo.write("data/numbers.txt", "".join(f"{n}\n" for n in range(100)))
    bare.tally("add", "data")
    bare.pipeline(PIPELINE)
    bare.repo.commit("Two stages")
    return bare


@pytest.fixture
def done(stages: Stages) -> Stages:
    """Return the same after its stages have run."""
    stages.tally("run")
    stages.repo.commit("Run")
    return stages
