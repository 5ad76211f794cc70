import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from tallystick.envs.probe import probe
from tallystick.errors import Refused


def test_an_interpreter_says_what_it_is(variables: dict[str, str], tmp_path: Path) -> None:
    probed = probe(sys.executable, variables, tmp_path)
    assert probed.implementation == sys.implementation.name
    assert probed.python.removesuffix("t") == sys.version.split()[0].rstrip("+")
    assert os.uname().machine in probed.platform
    assert all(os.path.isabs(path) for path in probed.paths)


def test_every_python_on_this_machine_answers(variables: dict[str, str], tmp_path: Path) -> None:
    argv = [find_uv_bin(), "python", "list", "--only-installed", "--output-format", "json"]
    listed = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert listed
    for each in listed:
        assert probe(each["path"], variables, tmp_path).python.startswith(each["version"])


def test_nothing_is_imported_from_the_current_folder(variables: dict[str, str], tmp_path: Path) -> None:
    for name in ("json.py", "os.py", "sitecustomize.py", "usercustomize.py"):
        (tmp_path / name).write_text("raise SystemExit('executed a file of the repository')\n")
    probed = probe(sys.executable, variables | {"PYTHONPATH": ".:", "PYTHONINSPECT": "1"}, tmp_path)
    assert str(tmp_path) not in probed.paths


def test_an_absolute_pythonpath_counts(variables: dict[str, str], tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    assert str(own) in probe(sys.executable, variables | {"PYTHONPATH": f".:{own}"}, tmp_path).paths


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 3\n", "#!/no/such/program\n", ""]
)
def test_what_is_no_python_is_refused(variables: dict[str, str], tmp_path: Path, text: str) -> None:
    fake = tmp_path / "python"
    fake.write_text(text)
    fake.chmod(0o755)
    with pytest.raises(Refused, match="python"):
        probe(str(fake), variables, tmp_path)
