"""Runs at the end of a traced command's Python processes: says what loaded libraries compute with."""

from __future__ import annotations

import contextlib
import gc
import json
import operator
import os
import sys
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "TALLY_RECORD"
"""Names the folder that gets a file from every process that has something to say."""


_ASKED = {
    "numpy": {"numpy": "__version__"},
    "torch": {
        "torch": "__version__",
        "torch threads": "get_num_threads",
        "torch interop threads": "get_num_interop_threads",
        "torch deterministic algorithms": "are_deterministic_algorithms_enabled",
        "torch default dtype": "get_default_dtype",
        "torch matmul precision": "get_float32_matmul_precision",
        "torch cuda available": "cuda.is_available",
        "torch cudnn": "backends.cudnn.version",
        "torch cudnn benchmark": "backends.cudnn.benchmark",
        "torch cudnn deterministic": "backends.cudnn.deterministic",
        "torch cudnn tf32": "backends.cudnn.allow_tf32",
        "torch matmul tf32": "backends.cuda.matmul.allow_tf32",
        "torch mkldnn": "backends.mkldnn.is_available",
        "torch cpu": "backends.cpu.get_cpu_capability",
    },
    "tensorflow": {
        "tensorflow": "__version__",
        "tensorflow threads": "config.threading.get_intra_op_parallelism_threads",
        "tensorflow interop threads": "config.threading.get_inter_op_parallelism_threads",
        "tensorflow tf32": "config.experimental.tensor_float_32_execution_enabled",
    },
    "tensorflow.python.framework.config": {"tensorflow deterministic ops": "is_op_determinism_enabled"},
}
"""What each module is asked where it is loaded: the setting's name, and where its value or function is."""


def report() -> None:
    """Write what there is to say; whatever goes wrong, the process ends as if nobody had asked."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    settings, trackers = dict(_settings()), list(_trackers())
    if settings or trackers:
        path = os.path.join(folder, f"facts-{os.getpid()}.json")
        try:
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"settings": settings, "trackers": trackers}, file)
        except OSError:
            pass


def _settings() -> Iterator[tuple[str, str]]:
    for module, asked in _ASKED.items():
        for name, place in asked.items() if module in sys.modules else ():
            # A library of another version may lack what is asked for, or refuse to tell.
            with contextlib.suppress(Exception):
                value = operator.attrgetter(place)(sys.modules[module])
                yield name, str(value() if callable(value) else value)
    for special in (_linear_algebra, _libraries):
        with contextlib.suppress(Exception):
            yield from special()


def _trackers() -> Iterator[dict[str, str]]:
    for look in (_mlflow, _wandb):
        with contextlib.suppress(Exception):
            yield from look()


def _linear_algebra() -> Iterator[tuple[str, str]]:
    build = sys.modules["numpy"].show_config(mode="dicts")["Build Dependencies"]["blas"]
    yield "numpy blas", "{} {}".format(build.get("name"), build.get("version"))


def _libraries() -> Iterator[tuple[str, str]]:
    """The libraries for mathematics that this process really loaded, by their files' names."""
    wanted = ("openblas", "mkl_rt", "mkl_core", "blis", "gomp", "iomp", "libomp", "cudnn", "cublas")
    found = set()
    with open("/proc/self/maps", "rb") as maps:
        for line in maps:
            name = os.path.basename(os.fsdecode(line.split(None, 5)[-1].strip()))
            if ".so" in name and any(word in name for word in wanted):
                found.add(name)
    if found:
        yield "loaded libraries", ", ".join(sorted(found))


def _mlflow() -> list[dict[str, str]]:
    """The run that is active, or was last; no server is asked."""
    mlflow = sys.modules["mlflow"]
    active = mlflow.active_run()
    identity = active.info.run_id if active is not None else None
    if identity is None:
        last = sys.modules["mlflow.tracking.fluent"]._last_active_run_id
        identity = last.get() if hasattr(last, "get") else last
    if not identity:
        return []
    return [{"kind": "mlflow", "id": str(identity), "uri": str(mlflow.get_tracking_uri())}]


def _wandb() -> list[dict[str, str]]:
    """The run that is active, or those that this process has finished; else the latest folder tells."""
    active = sys.modules["wandb"].run
    if getattr(active, "disabled", False) is True:
        return []  # it stands for a run, and nothing is kept of it
    runs = [active] if active is not None else [each for each in gc.get_objects() if _is_wandb_run(each)]
    told = [{"kind": "wandb", "id": str(run.id), "uri": _wandb_uri(run)} for run in runs]
    return told or _latest_of_wandb()


def _is_wandb_run(value: object) -> bool:
    kind = type(value)
    return kind.__name__ == "Run" and kind.__module__.startswith("wandb.")


def _wandb_uri(run: Any) -> str:
    """Where a run is shown; of one that is offline the folder that it lies in, asked without a warning."""
    if not getattr(run, "offline", False):
        return str(run.url or "")
    folder = str(run.settings.sync_dir)
    return os.path.relpath(folder) if os.path.isabs(folder) else folder


def _latest_of_wandb() -> list[dict[str, str]]:
    latest = os.path.join(os.environ.get("WANDB_DIR") or ".", "wandb", "latest-run")
    # The receipt of a run that was never written down is made right before the command starts.
    started = os.path.getmtime(os.path.join(os.environ[FOLDER], "receipt.json"))
    if os.path.getmtime(os.path.realpath(latest)) < started - 1:
        return []
    name = os.path.basename(os.path.realpath(latest))
    folder = os.path.join(os.path.dirname(latest), name) if name.startswith("offline-") else ""
    identity = name.rpartition("-")[2]
    return [{"kind": "wandb", "id": identity, "uri": folder}] if identity else []
