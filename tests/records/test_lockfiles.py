"""Lock files of many tools are read, and only true differences are told."""

import pytest

from tallystick.records.lockfiles import Pin, drift, is_lock_file, pins

SHA = "sha256:" + "ab" * 32

UV = f"""
version = 1
[[package]]
name = "Numpy"
version = "1.26.4"
source = {{ registry = "https://pypi.org/simple" }}
sdist = {{ url = "x", hash = "{SHA}" }}
[[package]]
name = "project"
version = "0.1"
source = {{ editable = "." }}
[[package]]
name = "torch"
version = "2.1.0"
[[package]]
name = "torch"
version = "2.1.0+cpu"
[[package]]
name = "windows-only"
version = "1"
"""

POETRY = f"""
[[package]]
name = "numpy"
version = "1.26.4"
optional = false
files = [{{file = "numpy.whl", hash = "{SHA}"}}]
[metadata]
lock-version = "2.0"
"""

REQUIREMENTS = f"""
# comment
-r other.txt
numpy[extra] == 1.26.4 \\
    --hash={SHA} \\
    --hash=md5:zz
pandas==2.0.0 ; python_version < "3.12"
scipy>=1
torch==2.*
idna==3.7  # why
"""

CONDA = """
name: x
channels: [conda-forge]
dependencies:
  - python=3.11
  - conda-forge::numpy=1.26.4=py311_0
  - scipy==1.11.0
  - make
  - pip:
      - idna==3.7
"""


PDM = f"""
[metadata]
groups = ["default"]
[[package]]
name = "numpy"
version = "1.26.4"
files = [{{file = "numpy.whl", hash = "{SHA}"}}]
[[package]]
name = "beside"
version = "0.1"
path = "./beside"
"""

PYLOCK = f"""
lock-version = "1.0"
[[packages]]
name = "numpy"
version = "1.26.4"
wheels = [{{name = "numpy.whl", hashes = {{sha256 = "{SHA[7:]}"}}}}]
[[packages]]
name = "beside"
version = "0.1"
directory = {{path = "./beside"}}
"""

PIPENV = f"""{{"_meta": {{}}, "default": {{"numpy": {{"version": "==1.26.4", "hashes": ["{SHA}"]}},
"beside": {{"path": "./beside"}}}}, "develop": {{}}}}"""

CONDA_LOCK = """
version: 1
package:
  - {name: libblas, version: "3.9", manager: conda, platform: linux-64}
  - {name: numpy, version: 1.26.4, manager: conda, platform: linux-64}
"""


def test_what_tools_pin_is_read() -> None:
    assert pins("uv.lock", UV)[0] == Pin("numpy", "1.26.4", (SHA,))
    assert [pin.name for pin in pins("uv.lock", UV)] == ["numpy", "torch", "torch", "windows-only"]
    assert pins("poetry.lock", POETRY) == (Pin("numpy", "1.26.4", (SHA,)),)
    assert pins("requirements.txt", REQUIREMENTS) == (
        Pin("numpy", "1.26.4", (SHA,), always=True),
        Pin("pandas", "2.0.0"),
        Pin("idna", "3.7", always=True),
    )
    assert not any(pin.always for pin in pins("requirements-dev.txt", REQUIREMENTS))
    assert pins("environment.yml", CONDA) == (
        Pin("python", "3.11", always=True, prefix=True),
        Pin("numpy", "1.26.4", always=True, prefix=True),
        Pin("scipy", "1.11.0", always=True),
        Pin("idna", "3.7"),
    )
    assert pins("pdm.lock", PDM) == pins("pylock.toml", PYLOCK) == pins("Pipfile.lock", PIPENV)
    assert pins("pdm.lock", PDM) == (Pin("numpy", "1.26.4", (SHA,)),)
    assert pins("conda-lock.yml", CONDA_LOCK) == (Pin("libblas", "3.9"), Pin("numpy", "1.26.4"))


@pytest.mark.parametrize(
    "name",
    ["uv.lock", "requirements.txt", "environment.yml", "Dockerfile", "conda-lock.yml", "Pipfile.lock"],
)
@pytest.mark.parametrize("text", ["[[[", "package = 3", "a: &x [*x]", "\x00", "dependencies: 7", "{}", ""])
def test_a_file_that_makes_no_sense_pins_nothing(name: str, text: str) -> None:
    assert pins(name, text) == ()


def test_only_versions_that_differ_are_drift() -> None:
    installed = {"numpy": "2.0.0", "torch": "2.1.0+cpu", "idna": "3.7"}
    assert drift("uv.lock", pins("uv.lock", UV), installed) == (
        "numpy: `uv.lock` has 1.26.4, installed is 2.0.0",
    )
    assert drift("requirements.txt", pins("requirements.txt", REQUIREMENTS), {"idna": "3.7"}) == (
        "numpy: `requirements.txt` has 1.26.4, it is not installed",
    )
    installed = {"python": "3.11.7", "numpy": "1.26.4", "scipy": "1.11"}
    assert drift("environment.yml", pins("environment.yml", CONDA), installed) == ()
    del installed["scipy"]
    assert drift("environment.yml", pins("environment.yml", CONDA), installed) == (
        "scipy: `environment.yml` has 1.11.0, it is not installed",
    )


@pytest.mark.parametrize(
    ("locked", "installed", "same"),
    [
        ("1.0", "1.0.0", True),
        ("2.1.0", "2.1.0+cu121", True),
        ("2.1.0+cpu", "2.1.0+cu121", False),
        ("1.0rc1", "1.0.0-rc.1", True),
        ("1.0.post1", "1.0", False),
        ("1.10", "1.1", False),
        ("v3", "3", True),
    ],
)
def test_versions_are_compared_as_installers_compare_them(locked: str, installed: str, same: bool) -> None:
    assert (drift("uv.lock", [Pin("x", locked)], {"x": installed}) == ()) is same


def test_lock_files_are_known_by_name() -> None:
    assert all(map(is_lock_file, ["uv.lock", "requirements-gpu.txt", "environment.yaml", "Dockerfile"]))
    assert not any(map(is_lock_file, ["requirements.md", "notes.txt", "lock", "tally.yaml"]))
