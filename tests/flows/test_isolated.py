"""`tally run --isolated`: stages run elsewhere, and come home where nobody changed anything meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from uv import find_uv_bin

from tallystick.envs.homes import place_digest
from tests.flows.conftest import Stages

PIPELINE = """\
stages:
  copy:
    cmd: touch "$GO.here"; until test -e "$GO"; do sleep 0.02; done; cat data/numbers.txt in.txt > copy.txt
    deps: [data, in.txt]
    outs: [copy.txt]
  count:
    cmd: "grep -c . copy.txt > n.txt; cat params.json > m.json"
    deps: [copy.txt]
    params: [{params.json: [rate]}]
    outs: [n.txt]
    metrics: [m.json]
"""


@pytest.fixture
def apart(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Return a project whose first stage waits for the file `go`, which is there."""
    stages.pipeline(PIPELINE)
    stages.repo.write("in.txt", "first\n")
    stages.repo.commit("Describe other stages")
    _go(stages).touch()
    monkeypatch.setenv("GO", str(_go(stages)))
    return stages


def _go(stages: Stages) -> Path:
    """The file that lets the first stage go on, beside the repository."""
    return stages.repo.path.parent / "go"


def _leftovers(stages: Stages) -> list[str]:
    """What a temporary worktree could leave behind."""
    home = stages.repo.path / ".git/tally"
    kept = [path.name for path in (home / "worktrees").iterdir() if path.name != "lock"]
    return kept + [path.name for path in (stages.repo.path / ".git").glob("worktrees/*")]


def test_what_was_made_apart_comes_home_as_if_it_had_run_here(apart: Stages) -> None:
    head = apart.repo.git("rev-parse", "HEAD")
    assert apart.states("--isolated") == {"copy": "succeeded", "count": "succeeded"}
    assert apart.repo.read("copy.txt").endswith(b"first\n")
    assert apart.states() == {"copy": "up to date", "count": "up to date"}
    receipt = apart.receipt("copy")
    assert (receipt["isolated"], receipt["code"]["commit"], receipt["code"]["dirty"]) == (True, head, False)
    assert apart.tally("status").exit_code == 0
    assert _leftovers(apart) == []


def test_edits_that_were_not_added_or_committed_are_what_runs(apart: Stages) -> None:
    apart.repo.write("data/numbers.txt", "7\n")
    apart.repo.write("in.txt", "edited\n")
    apart.states("--isolated", "-j", "2")
    assert apart.repo.read("copy.txt") == b"7\nedited\n"
    assert apart.receipt("copy")["code"]["dirty"] is True


def test_a_parameter_that_is_set_stays_apart(apart: Stages) -> None:
    before = apart.repo.read("params.json")
    ran = apart.tally("run", "--isolated", "-S", "params.json:rate=0.9")
    assert "`count` was not brought into your worktree" in ran.out
    assert apart.repo.read("params.json") == before
    assert not (apart.repo.path / "n.txt").exists()
    assert apart.runs()[0]["params"] == {"params.json:rate": 0.9}
    assert apart.states("-S", "params.json:rate=0.9") == {"copy": "up to date", "count": "reused"}


def _started(stages: Stages) -> "subprocess.Popen[bytes]":
    """Start a run that waits in its temporary worktree."""
    _go(stages).unlink()
    command = [sys.executable, "-m", "tallystick", "run", "--isolated"]
    running = subprocess.Popen(
        command, cwd=stages.repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not _go(stages).with_name("go.here").exists():
        assert time.monotonic() < deadline, "the stage never started"
        time.sleep(0.02)
    return running


@pytest.mark.parametrize(
    ("path", "why"), [("in.txt", "not what stands here"), ("copy.txt", "`copy.txt` changed")]
)
def test_what_the_user_changed_meanwhile_is_left_alone(apart: Stages, path: str, why: str) -> None:
    running = _started(apart)
    apart.repo.write(path, "the user's\n")
    _go(apart).touch()
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "`copy` was not brought into your worktree: " in out.decode()
    assert why in out.decode()
    assert apart.repo.read(path) == b"the user's\n"
    assert not (apart.repo.path / "receipts/copy.json").exists()


def test_a_failure_leaves_everything_as_it_is(apart: Stages) -> None:
    apart.pipeline(PIPELINE.replace("grep -c . copy.txt", "false; exit 4"))
    before = apart.repo.git("status", "--porcelain")
    failed = apart.tally("run", "--isolated", code=18)
    assert "stage `count` failed" in failed.err
    assert apart.repo.git("status", "--porcelain") == before
    assert not (apart.repo.path / "copy.txt").exists()
    assert apart.states("copy") == {"copy": "reused"}
    assert _leftovers(apart) == []


def test_ctrl_c_ends_it_and_takes_the_worktree_away(apart: Stages) -> None:
    running = _started(apart)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert _leftovers(apart) == []
    assert [run["status"] for run in apart.runs()] == ["interrupted"]


def test_no_stage_is_written_in_isolation(apart: Stages) -> None:
    assert apart.tally("run", "--isolated", "-n", "new", "--", "true", code=2).err.startswith("error: ")


@pytest.mark.parametrize("cmd", [".venv/bin/python where.py", ". .venv/bin/activate && python where.py"])
def test_an_environment_in_the_project_is_the_one_that_runs_apart(bare: Stages, cmd: str) -> None:
    """`.venv/bin/python` is hidden from git, so the temporary worktree doesn't have it by itself."""
    words = [find_uv_bin(), "venv", "--quiet", "--no-project", "--python", sys.executable, ".venv"]
    subprocess.run(words, cwd=bare.repo.path, check=True)
    bare.repo.write(".gitignore", ".venv/\n")
    bare.pipeline(f"stages: {{a: {{cmd: {cmd}, deps: [where.py], outs: [where.txt]}}}}")
    bare.repo.write("where.py", "import sys\nopen('where.txt', 'w').write(sys.prefix)\n")
    bare.repo.commit("A stage with a Python of its own")
    assert bare.states("--isolated") == {"a": "succeeded"}
    assert bare.repo.read("where.txt").decode().endswith("/.venv")
    receipt = bare.receipt("a")
    assert receipt["isolated"]
    assert (receipt["code"]["dirty"], receipt["undeclared"]) == (False, [])
    assert bare.states() == {"a": "up to date"}
    assert _leftovers(bare) == []


def test_an_environment_that_a_tool_keeps_for_the_users_folder_is_used_there(
    done: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = done.repo.write("Pipfile", "")
    home = tmp_path / "kept" / f"{done.repo.path.name}-{place_digest(os.path.realpath(place))}"
    shutil.copytree(Path(os.environ["PATH"].partition(":")[0]).parent, home, symlinks=True)
    # As pipenv does it: what is active is taken, else what belongs to this folder.
    tool = tmp_path / "pipenv"
    tool.write_text('#!/bin/sh\nshift\nPATH="${VIRTUAL_ENV:?none is active}/bin:$PATH" exec "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("WORKON_HOME", str(tmp_path / "kept"))
    done.repo.write("make.py", "import sys\nopen('where', 'w').write(sys.prefix)\n")
    done.pipeline("stages: {make: {cmd: pipenv run python make.py, deps: [make.py], outs: [where]}}\n")
    done.tally("run", "--isolated")
    assert done.repo.read("where").decode() == str(home)
