"""Runs at the end of a traced command's Python processes: says what loaded libraries compute with."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

FOLDER = "TALLY_RECORD"
"""Names the folder that gets a file from every process that has something to say."""


def report() -> None:
    """Write what there is to say; whatever goes wrong, the process ends as if nobody had asked."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    found: dict[str, Any] = {"settings": {}, "trackers": []}
    for ask in (_numpy, _torch, _tensorflow, _libraries):
        with contextlib.suppress(Exception):  # a library of another version may lack what is asked for
            ask(found["settings"])
    for look in (_mlflow, _wandb):
        with contextlib.suppress(Exception):
            found["trackers"].extend(look())
    if found["settings"] or found["trackers"]:
        path = os.path.join(folder, f"facts-{os.getpid()}.json")
        try:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(found, file)
        except OSError:
            pass


def _numpy(settings: dict[str, str]) -> None:
    numpy = sys.modules["numpy"]
    settings["numpy"] = str(numpy.__version__)
    build = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    settings["numpy blas"] = "{} {}".format(build.get("name"), build.get("version"))


def _torch(settings: dict[str, str]) -> None:
    torch = sys.modules["torch"]
    settings["torch"] = str(torch.__version__)
    settings["torch threads"] = str(torch.get_num_threads())
    settings["torch interop threads"] = str(torch.get_num_interop_threads())
    settings["torch deterministic algorithms"] = str(torch.are_deterministic_algorithms_enabled())
    settings["torch default dtype"] = str(torch.get_default_dtype())
    settings["torch matmul precision"] = str(torch.get_float32_matmul_precision())
    settings["torch cudnn"] = str(torch.backends.cudnn.version())
    settings["torch cudnn benchmark"] = str(torch.backends.cudnn.benchmark)
    settings["torch cudnn deterministic"] = str(torch.backends.cudnn.deterministic)
    settings["torch cudnn tf32"] = str(torch.backends.cudnn.allow_tf32)
    settings["torch matmul tf32"] = str(torch.backends.cuda.matmul.allow_tf32)
    settings["torch mkldnn"] = str(torch.backends.mkldnn.is_available())
    settings["torch cpu"] = str(torch.backends.cpu.get_cpu_capability())


def _tensorflow(settings: dict[str, str]) -> None:
    tensorflow = sys.modules["tensorflow"]
    settings["tensorflow"] = str(tensorflow.__version__)
    threads = tensorflow.config.threading
    settings["tensorflow threads"] = str(threads.get_intra_op_parallelism_threads())
    settings["tensorflow interop threads"] = str(threads.get_inter_op_parallelism_threads())
    tf32 = tensorflow.config.experimental.tensor_float_32_execution_enabled()
    settings["tensorflow tf32"] = str(tf32)
    context = sys.modules["tensorflow.python.framework.config"]
    settings["tensorflow deterministic ops"] = str(context.is_op_determinism_enabled())


def _libraries(settings: dict[str, str]) -> None:
    """The libraries for mathematics that this process really loaded, by their files' names."""
    wanted = ("openblas", "mkl_rt", "mkl_core", "blis", "gomp", "iomp", "libomp", "cudnn", "cublas")
    found = set()
    with open("/proc/self/maps", "rb") as maps:
        for line in maps:
            name = os.path.basename(os.fsdecode(line.split(None, 5)[-1].strip()))
            if ".so" in name and any(word in name for word in wanted):
                found.add(name)
    if found:
        settings["loaded libraries"] = ", ".join(sorted(found))


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
    """The run that is active; of one that has ended its folder tells."""
    run = sys.modules["wandb"].run
    if run is not None:
        return [{"kind": "wandb", "id": str(run.id), "uri": str(run.url or "")}]
    latest = os.path.join(os.environ.get("WANDB_DIR") or ".", "wandb", "latest-run")
    # The receipt of a run that was never written down is made right before the command starts.
    started = os.path.getmtime(os.path.join(os.environ[FOLDER], "receipt.json"))
    if os.path.getmtime(os.path.realpath(latest)) < started - 1:
        return []
    identity = os.path.basename(os.path.realpath(latest)).rpartition("-")[2]
    return [{"kind": "wandb", "id": identity, "uri": ""}] if identity else []
