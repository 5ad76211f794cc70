"""What loaded libraries say of themselves at the end of a process; stand-ins replace the real ones."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tallystick.tracing.tracer import HOOK

NUMPY = """
__version__ = "2.0.0"
def show_config(mode):
    return {"Build Dependencies": {"blas": {"name": "scipy-openblas", "version": "0.3.27"}}}
"""

MLFLOW = """
import sys, types, atexit
class Info: run_id = "0123abcd"
class Run: info = Info
current = [Run]
def active_run(): return current[0] if current else None
def get_tracking_uri(): return "http://localhost:5000"
atexit.register(current.clear)
tracking = types.ModuleType("mlflow.tracking")
fluent = types.ModuleType("mlflow.tracking.fluent")
fluent._last_active_run_id = "0123abcd"
sys.modules["mlflow.tracking"], sys.modules["mlflow.tracking.fluent"] = tracking, fluent
"""


def told(folder: Path, code: str, **modules: str) -> Any:
    record, site = folder / "record", folder / "site"
    for each in (record, site, folder / "trace"):
        each.mkdir()
    (record / "receipt.json").write_text("{}")
    (folder / "trace/scope").write_text("\0\0".join((str(folder / "project"), "", "")))
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)
    variables = {
        "PYTHONPATH": os.pathsep.join([str(HOOK), str(site)]),
        "TALLY_TRACE": str(folder / "trace"),
        "TALLY_RECORD": str(record),
    }
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **variables}, cwd=folder, check=True)
    files = list(record.glob("facts-*.json"))
    return json.loads(files[0].read_bytes()) if files else None


def test_a_process_without_such_libraries_says_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, "print(1)", numpy=NUMPY) is None


def test_numpy_says_which_linear_algebra_it_uses(tmp_path: Path) -> None:
    found = told(tmp_path, "import numpy", numpy=NUMPY)
    assert found["settings"]["numpy"] == "2.0.0"
    assert found["settings"]["numpy blas"] == "scipy-openblas 0.3.27"


def test_a_library_that_lacks_what_is_asked_for_harms_nobody(tmp_path: Path) -> None:
    found = told(tmp_path, "import numpy, torch", numpy="__version__ = '1'", torch="__version__ = '2.5'")
    assert found["settings"]["torch"] == "2.5"
    assert found["settings"]["numpy"] == "1"


def test_a_setting_that_a_library_refuses_to_tell_hides_no_other(tmp_path: Path) -> None:
    torch = """
import types
def refuse(): raise RuntimeError("mix of the legacy and new APIs")
get_num_threads, get_default_dtype = refuse, lambda: "torch.float32"
backends = types.SimpleNamespace(cudnn=types.SimpleNamespace(benchmark=False))
"""
    found = told(tmp_path, "import torch", torch=torch)
    assert found["settings"] == {"torch cudnn benchmark": "False", "torch default dtype": "torch.float32"}


def test_an_mlflow_run_is_known_even_when_it_ended_before_the_process(tmp_path: Path) -> None:
    found = told(tmp_path, "import mlflow", mlflow=MLFLOW)
    assert found["trackers"] == [{"kind": "mlflow", "id": "0123abcd", "uri": "http://localhost:5000"}]


def test_a_wandb_run_is_known_while_it_is_active_and_by_its_folder_afterwards(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    active = "class run:\n    id = 'r1'\n    url = 'https://wandb.ai/x/r1'\n"
    assert told(tmp_path / "one", "import wandb", wandb=active)["trackers"] == [
        {"kind": "wandb", "id": "r1", "uri": "https://wandb.ai/x/r1"}
    ]
    ended = """
import os
os.makedirs("wandb/offline-run-20260101_000000-r2")
os.symlink("offline-run-20260101_000000-r2", "wandb/latest-run")
run = None
"""
    assert told(tmp_path / "two", "import wandb", wandb=ended)["trackers"] == [
        {"kind": "wandb", "id": "r2", "uri": "./wandb/offline-run-20260101_000000-r2"}
    ]


def test_a_run_that_wandb_was_told_not_to_make_is_none(tmp_path: Path) -> None:
    module = "class run:\n    id, disabled, url = 'r4', True, None\n"
    assert told(tmp_path, "import wandb", wandb=module) is None


def test_an_offline_run_of_wandb_is_known_by_its_folder_and_without_a_warning(tmp_path: Path) -> None:
    module = """
class settings: sync_dir = "kept/wandb/offline-run-1-r3"
class Run:
    id, offline, settings = "r3", True, settings
    @property
    def url(self): print("a warning")
Run.__module__ = "wandb.sdk.wandb_run"
finished = Run()
run = None
"""
    found = told(tmp_path, "import wandb", wandb=module)
    assert found["trackers"] == [{"kind": "wandb", "id": "r3", "uri": "kept/wandb/offline-run-1-r3"}]
