"""What conda says of its environments is recorded."""

import json
from pathlib import Path

import pytest

from tallystick.envs.conda import conda_packages
from tallystick.errors import BadRecord
from tallystick.records.environment import CondaPackage, Lock, compare, parse, render

SHA, MD5 = "a" * 64, "b" * 32
BLAS = CondaPackage(
    "libblas", "3.9.0", "22_linux64_mkl", "https://conda.example/linux-64/libblas.conda", f"sha256:{SHA}"
)
LOCK = Lock("cpython", "3.11.7", (), (BLAS,))


def write(prefix: Path, name: str, **values: object) -> None:
    (prefix / "conda-meta").mkdir(exist_ok=True)
    (prefix / f"conda-meta/{name}.json").write_text(json.dumps({"name": name, **values}))


def test_each_package_is_read_with_its_file_and_without_tokens(tmp_path: Path) -> None:
    url = "https://ana:pw@conda.example/t/tok-123/linux-64/libblas.conda?x=1"
    write(tmp_path, "libblas", version="3.9.0", build="22_linux64_mkl", url=url, sha256=SHA, md5=MD5)
    write(tmp_path, "_libgcc_mutex", version="0.1", build="main", url="https://c/x.conda", md5=MD5)
    write(tmp_path, "broken", version="1\n2", build="0", url="")
    (tmp_path / "conda-meta/history").write_text("")
    (tmp_path / "conda-meta/other.json").write_text("[")
    found = conda_packages(tmp_path)
    assert found == (CondaPackage("_libgcc_mutex", "0.1", "main", "https://c/x.conda", f"md5:{MD5}"), BLAS)


@pytest.mark.parametrize("before", ["", "/conda", "/a/b"])
def test_a_token_is_left_out_wherever_it_stands(tmp_path: Path, before: str) -> None:
    url = f"https://repo.example{before}/t/tok_en-123/main/linux-64/x-1-0.conda"
    write(tmp_path, "x", version="1", build="0", url=url)
    (found,) = conda_packages(tmp_path)
    assert found.url == f"https://repo.example{before}/main/linux-64/x-1-0.conda"


def test_an_environment_without_conda_has_none(tmp_path: Path) -> None:
    assert conda_packages(tmp_path) == ()
    assert b"conda" not in render(Lock("cpython", "3.11.7"))


def test_a_lock_with_conda_survives_a_round_trip_and_tells_its_changes() -> None:
    assert parse(render(LOCK)) == LOCK
    assert compare(Lock("cpython", "3.11.7"), LOCK) == ("conda's libblas none -> 3.9.0 22_linux64_mkl",)
    with pytest.raises(BadRecord, match="conda package"):
        parse(render(LOCK).replace(b"22_linux64_mkl", b"--option"))
