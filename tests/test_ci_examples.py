"""`examples/ci`: the scripts do what they say on a real repository, and every call of the program is one."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tallystick.cli.main import VERBS, program
from tests.flows.conftest import Stages, bare, lean, lean_path  # noqa: F401 - fixtures
from tests.source import ROOT

FOLDER = ROOT / "examples/ci"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.sh"))


def commands(value: Any) -> Iterator[str]:
    """Every line of shell in a workflow: under `run`, `script` and `before_script`."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key in ("run", "script", "before_script"):
                yield from "\n".join([part] if isinstance(part, str) else part).splitlines()
            else:
                yield from commands(part)
    elif isinstance(value, list):
        for part in value:
            yield from commands(part)


def lines() -> Iterator[tuple[str, str]]:
    for name in ("github.yml", "gitlab.yml"):
        yield from ((name, line) for line in commands(yaml.safe_load((FOLDER / name).read_text("utf-8"))))
    for name in SCRIPTS:
        yield from ((name, line) for line in (FOLDER / name).read_text("utf-8").splitlines())


CALLS = [(name, line) for name, line in lines() if line.startswith("tally ")]


@pytest.mark.parametrize(("name", "line"), CALLS)
def test_every_call_is_one_that_the_program_takes(name: str, line: str) -> None:
    _, verb, *args = shlex.split(line)
    plain = [os.path.expandvars(word) if "$" not in word else _default(word) for word in args]
    assert verb in VERBS, f"{name}: {line}"
    root = click.Context(program, info_name="tally", **program.context_settings)
    command = program.get_command(root, verb)
    assert command is not None
    # It raises UsageError for an option or value that it doesn't know.
    assert command.make_context(verb, plain, parent=root).params


def _default(word: str) -> str:
    """`${NAME:-value}` as its value, `$name` as any word."""
    return word.partition(":-")[2].rstrip("}") or "word"


def test_there_are_calls_and_workflows_use_every_script() -> None:
    assert {name for name, _ in CALLS} >= set(SCRIPTS)
    for name in ("github.yml", "gitlab.yml"):
        used = [line for source, line in lines() if source == name and line.startswith("sh ci/")]
        assert sorted(shlex.split(line)[1].removeprefix("ci/") for line in used) == SCRIPTS


@pytest.fixture
def shared(bare: Stages, tmp_path: Path) -> Stages:  # noqa: F811
    """A project with a baseline and a worse commit, both pushed, data, code and ledger."""
    hub, store = tmp_path / "hub.git", tmp_path / "store"
    store.mkdir()
    bare.repo.git("init", "-q", "--bare", str(hub))
    bare.repo.git("remote", "add", "origin", str(hub))
    bare.tally("remote", "add", "origin", str(store))
    bare.repo.write("data", "95\n")
    bare.tally("add", "data")
    bare.repo.write("score.sh", 'echo "{\\"accuracy\\": 0.$(cat data)}" > metrics.json\n')
    bare.pipeline("stages: {score: {cmd: sh score.sh, deps: [score.sh, data], metrics: [metrics.json]}}\n")
    bare.tally("run")
    bare.repo.commit("A baseline")
    bare.tally("push")
    bare.repo.git("push", "-q", "origin", "main")
    bare.repo.git("checkout", "-q", "-b", "idea")
    bare.repo.write("data", "90\n")
    bare.tally("add", "data")
    bare.tally("run")
    bare.repo.commit("An idea")
    bare.tally("push")
    bare.repo.git("push", "-q", "origin", "idea")
    return bare


@pytest.mark.slow
def test_the_scripts_answer_in_a_fresh_clone(shared: Stages, tmp_path: Path) -> None:
    clone, other = tmp_path / "clone", tmp_path / "other"
    for place in (clone, other):
        shared.repo.git("clone", "-q", "--branch", "idea", str(tmp_path / "hub.git"), str(place))
    assert _script(clone, tmp_path, "reproduce.sh").returncode == 0
    worse = _script(clone, tmp_path, "compare.sh")
    assert worse.returncode == 1
    assert "fails: accuracy < baseline - 0.01" in worse.stdout
    assert _script(clone, tmp_path, "compare.sh", "origin/main", "accuracy < baseline - 0.1").returncode == 0
    decay = _script(other, tmp_path, "decay.sh")
    assert "2 of 2 runs reproduced" in decay.stdout, decay
    reports = {path.name for place in (clone, other) for path in (place / "reports").iterdir()}
    kinds = {f"{kind}.{form}" for kind in ("reproduction", "comparison", "decay") for form in ("html", "xml")}
    assert reports == kinds


def _script(clone: Path, tmp_path: Path, name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a job does: in its clone, with `tally` on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    call = programs / "tally"
    call.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tallystick "$@"\n')
    call.chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    argv = ["sh", str(FOLDER / name), *args]
    return subprocess.run(argv, cwd=clone, env=env, capture_output=True, text=True, check=False)
