"""What changes numbers is found without importing anything."""

from pathlib import Path

import pytest

from tallystick.envs import hardware
from tallystick.envs.host import host, in_container
from tallystick.envs.settings import settings
from tallystick.records.environment import Lock, Package


def site(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")
    return folder


def test_libraries_are_known_by_their_files(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        "numpy.libs/libscipy_openblas64_-99b71e71.so",
        "numpy.libs/libgfortran-040039e1.so.5.0.0",
        "torch/lib/libgomp-a34b3233.so.1",
        "torch/lib/libtorch_cpu.so",
    )
    assert settings(None, [str(path), str(path)], {}) == {
        "numpy libraries": "libscipy_openblas64_-99b71e71.so",
        "torch libraries": "libgomp-a34b3233.so.1",
    }


def test_the_libraries_of_a_conda_environment_are_its_own(tmp_path: Path) -> None:
    site(tmp_path, "conda-meta/history", "lib/libopenblasp-r0.3.27.so", "lib/libz.so", "lib/python3.11/x/y")
    found = settings(None, [str(tmp_path / "lib/python3.11/site-packages")], {})
    assert found == {"conda libraries": "libopenblasp-r0.3.27.so"}


def test_variables_that_mathematics_listens_to_are_taken_and_no_others() -> None:
    variables = {"OMP_NUM_THREADS": "2", "HOME": "/root", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    assert settings(None, [], variables) == {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "OMP_NUM_THREADS": "2"}
    # Which instructions PyTorch, oneDNN and the C library take.
    chosen = dict.fromkeys(("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "GLIBC_TUNABLES"), "avx2")
    assert settings(None, [], chosen) == chosen
    assert settings(None, [], {"OMP_NUM_THREADS": "2\nforged"}) == {}


def test_cuda_is_known_by_its_packages_and_by_torch(tmp_path: Path) -> None:
    site(tmp_path, "torch/version.py")
    (tmp_path / "torch/version.py").write_text(
        "__version__ = '2.5.1'\ncuda: Optional[str] = '12.4'\nhip: Optional[str] = None\ngit_version = 'a'\n"
    )
    packages = (Package("nvidia-cudnn-cu12", "9.1.0.70"), Package("numpy", "2.0.0"))
    lock = Lock("cpython", "3.11.7", packages)
    assert settings(lock, [str(tmp_path)], {}) == {"cudnn": "9.1.0.70", "torch cuda": "12.4"}


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (
            "model name\t: x\nflags\t\t: fpu avx2 avx512f fma sse4_2 tsc\n",
            ("avx2", "avx512f", "fma", "sse4_2"),
        ),
        ("Features\t: fp asimd sve crc32\n", ("neon", "sve")),
        ("", ()),
    ],
)
def test_what_the_processor_can_is_told_where_it_changes_numbers(
    tmp_path: Path, text: str, flags: tuple[str, ...]
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert hardware._flags_of_linux(tmp_path / "cpuinfo") == flags


def test_the_host_is_named_by_its_system_only() -> None:
    assert host().system
    assert host().kernel


def test_a_container_is_known_by_its_marks_or_its_group(tmp_path: Path) -> None:
    group = tmp_path / "cgroup"
    assert not in_container((), group)
    group.write_text("0::/init.scope\n")
    assert not in_container((), group)
    group.write_text("12:cpu:/docker/0123\n")
    assert in_container((), group)
    assert in_container((tmp_path,), tmp_path / "none")
