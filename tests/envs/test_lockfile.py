"""Hashes that the project's own lock knows."""

from pathlib import Path

import pytest

from tallystick.envs.lockfile import known_hashes

WHEEL, SOURCE = "sha256:" + "a" * 64, "sha256:" + "b" * 64

LOCK = f"""
version = 1
requires-python = ">=3.11"

[[package]]
name = "Some.Package"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "https://index.example/p-1.0.tar.gz", hash = "{SOURCE}", size = 10 }}
wheels = [
    {{ url = "https://index.example/p-1.0-py3-none-any.whl", hash = "{WHEEL}", size = 10 }},
]

[[package]]
name = "own"
version = "0.1.0"
source = {{ editable = "." }}
"""


def test_the_hashes_of_wheels_and_sources_are_found_by_name_and_version(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(LOCK)
    assert known_hashes(tmp_path) == {("some-package", "1.0"): (WHEEL, SOURCE)}


@pytest.mark.parametrize(
    "text", [None, "", "not toml = = ", "package = 3", "package = [1, {}]", "[[package]]\nwheels = 3"]
)
def test_a_lock_that_says_nothing_useful_gives_no_hashes(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "uv.lock").write_text(text)
    assert not any(known_hashes(tmp_path).values())


def test_the_hashes_of_poetry_and_of_requirements_count_too(tmp_path: Path) -> None:
    (tmp_path / "requirements-gpu.txt").write_text(f"Some_Package==1.0 --hash={WHEEL}\n")
    (tmp_path / "poetry.lock").write_text(
        f'[[package]]\nname = "some-package"\nversion = "1.0"\nfiles = [{{file = "x", hash = "{SOURCE}"}}]\n'
    )
    assert known_hashes(tmp_path) == {("some-package", "1.0"): (WHEEL, SOURCE)}
