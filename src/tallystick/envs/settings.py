"""Native libraries and switches that change numbers, found by names and texts: nothing is imported."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tallystick.patterns import regex
from tallystick.records.environment import Lock, normalised
from tallystick.records.fields import single_line

VARIABLES = frozenset(
    {
        "ATEN_CPU_CAPABILITY",
        "BLIS_NUM_THREADS",
        "CUBLAS_WORKSPACE_CONFIG",
        "CUDA_DEVICE_ORDER",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_VISIBLE_DEVICES",
        "DNNL_DEFAULT_FPMATH_MODE",
        "DNNL_MAX_CPU_ISA",
        "GLIBC_TUNABLES",
        "GOTO_NUM_THREADS",
        "HIP_VISIBLE_DEVICES",
        "JAX_DEFAULT_MATMUL_PRECISION",
        "JAX_ENABLE_X64",
        "JAX_PLATFORMS",
        "KMP_DETERMINISTIC_REDUCTION",
        "MKL_CBWR",
        "MKL_DEBUG_CPU_TYPE",
        "MKL_DYNAMIC",
        "MKL_ENABLE_INSTRUCTIONS",
        "MKL_NUM_THREADS",
        "MKL_THREADING_LAYER",
        "NPY_DISABLE_CPU_FEATURES",
        "NUMBA_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "NVIDIA_TF32_OVERRIDE",
        "OMP_DYNAMIC",
        "OMP_NUM_THREADS",
        "OMP_PROC_BIND",
        "OMP_SCHEDULE",
        "OMP_THREAD_LIMIT",
        "ONEDNN_DEFAULT_FPMATH_MODE",
        "ONEDNN_MAX_CPU_ISA",
        "OPENBLAS_CORETYPE",
        "OPENBLAS_NUM_THREADS",
        "PYTHONHASHSEED",
        "PYTORCH_CUDA_ALLOC_CONF",
        "TF_CUDNN_DETERMINISTIC",
        "TF_DETERMINISTIC_OPS",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        "VECLIB_MAXIMUM_THREADS",
        "XLA_FLAGS",
    }
)
"""Variables that mathematics listens to, recorded without being asked for."""

_FOLDERS = (
    "numpy.libs",
    "numpy/.dylibs",
    "scipy.libs",
    "scipy/.dylibs",
    "torch/lib",
    "scikit_learn.libs",
    "sklearn/.dylibs",
    "tensorflow",
)
_OF_CONDA = regex(r"lib(openblas|blas|lapack|mkl_rt|mkl_core|blis|iomp5|gomp|omp)[\w.-]*\.(so|dylib)")
_LIBRARY = regex(
    r"lib[\w-]*?(openblas|mkl_rt|mkl_core|mkl_intel|blis|gomp|iomp5|omp|cudnn|cublas|cudart)[\w.+-]*?"
    r"\.(so|dylib|dll)[\d.]*"
)
_NVIDIA = regex(r"nvidia-(cublas|cudnn|cuda-runtime|cufft|cusolver|cusparse|curand|nccl)(-cu\d+)?")
_OF_TORCH = regex(r"^(cuda|hip|git_version)\b[^=\n]*=\s*['\"]?([^'\"\n]+)", re.MULTILINE)
_LARGEST = 1 << 16
_LONGEST = 500


def settings(lock: Lock | None, paths: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """What is set and installed that changes numbers; `variables` are those that the command gets."""
    found = {name: variables[name] for name in sorted(VARIABLES & variables.keys())}
    found.update(_libraries(paths))
    if lock is not None:
        found.update(_cuda(lock))
    found.update(_of_torch(paths))
    return {name: value for name, value in found.items() if single_line(value) and len(value) <= _LONGEST}


def _libraries(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The libraries for linear algebra and threads that packages bring, by their files' names."""
    for path in dict.fromkeys(paths):
        for folder in _FOLDERS:
            names = sorted(name for name in _names(Path(path) / folder) if _LIBRARY.fullmatch(name))
            if names:
                yield f"{re.split(r'[./]', folder)[0]} libraries", ", ".join(names)
    names = sorted(name for name in _names(_conda_libraries(paths)) if _OF_CONDA.match(name))
    if names:
        yield "conda libraries", ", ".join(names)


def _conda_libraries(paths: Sequence[str]) -> Path:
    """The folder of a conda environment's own libraries; one that isn't there without one."""
    for path in paths:
        prefix = Path(path).parent.parent.parent
        if (prefix / "conda-meta").is_dir():
            return prefix / "lib"
    return Path(os.devnull)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _cuda(lock: Lock) -> Iterator[tuple[str, str]]:
    for package in lock.packages:
        if found := _NVIDIA.fullmatch(normalised(package.name)):
            yield found[1], package.version


def _of_torch(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What PyTorch was built for, as its `version.py` says."""
    for path in paths:
        try:
            with open(Path(path) / "torch" / "version.py", encoding="utf-8", errors="replace") as file:
                text = file.read(_LARGEST)
        except OSError:
            continue
        for name, value in _OF_TORCH.findall(text):
            if name != "git_version" and value.strip() != "None":
                yield f"torch {name}", value.strip()
        return
