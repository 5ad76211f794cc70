"""`tally env`: environments recorded, compared, built, kept, and used."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from tests.envs.house import Venv, write_project, write_wheel
from tests.sandbox import Repo, Tally

STAGE = "import alpha, pathlib; pathlib.Path('out.txt').write_text(alpha.NAME)\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that uv takes for a package index, with two packages in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    write_wheel(folder, "alpha", "1.0", {"alpha.py": "NAME = 'alpha'\n"}, scripts=["alpha-run = alpha:main"])
    write_wheel(folder, "beta", "2.1", {"beta/__init__.py": ""})
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def venv(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Venv:
    """Activate a virtual environment with both packages, as a user would."""
    base = os.path.dirname(os.path.realpath(sys.executable))
    made = Venv(tmp_path / "venv")
    argv = [find_uv_bin(), "venv", "--quiet", "--no-project", "--python", sys.executable, made.path]
    subprocess.run(argv, check=True)
    made.install("alpha", "beta")
    monkeypatch.setenv("PATH", f"{made.path}/bin:{base}:/usr/bin:/bin")
    monkeypatch.setenv("VIRTUAL_ENV", str(made.path))
    return made


@pytest.fixture
def locked(project: Repo, tally: Tally, venv: Venv) -> Repo:
    """A project whose environment is recorded."""
    tally("env", "lock")
    project.commit("Record the environment")
    return project


@pytest.fixture
def ran(project: Repo, tally: Tally, remote: Path, venv: Venv) -> Repo:
    """A project with a stage that ran in the environment."""
    project.write("make.py", STAGE)
    tally("run", "-n", "make", "-d", "make.py", "-o", "out.txt", "--", "python", "make.py")
    project.commit("Make it")
    return project


def without_index(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody be asked for a package, and nothing be remembered of one."""
    shutil.rmtree(index)
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another cache"))


def edit(path: Path) -> None:
    """Write a file anew: the one that stands may be the installer's own, under a second name."""
    path.unlink()
    path.write_text("NAME = 'edited'\n")


def shown(tally: Tally, *args: str) -> dict[str, Any]:
    """The packages that `tally env show` shows, by name."""
    return {each["name"]: each for each in tally("env", "show", "--json", *args).json()["packages"]}


def test_the_environment_at_hand_is_recorded(project: Repo, tally: Tally, venv: Venv) -> None:
    assert "2 packages" in tally("env", "lock").out
    lock = json.loads(project.read("environment.lock"))
    assert [each["name"] for each in lock["packages"]] == ["alpha", "beta"]
    assert "as before" in tally("env", "lock").out


def test_what_changed_since_the_last_lock_is_said(locked: Repo, tally: Tally, venv: Venv) -> None:
    shutil.rmtree(venv.site / "beta-2.1.dist-info")
    assert "removed beta 2.1" in tally("env", "lock").out


def test_a_stages_environment_is_recorded_beside_its_pipeline(
    project: Repo, tally: Tally, venv: Venv, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("sub/tally.yaml", f"stages: {{make: {{cmd: '{venv.python} make.py'}}}}")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    tally("env", "lock", "sub:make")
    assert "alpha" in project.read("sub/environment.lock").decode()


def test_the_environment_at_hand_is_recorded_beside_the_nearest_pipeline(
    project: Repo, tally: Tally, venv: Venv
) -> None:
    project.write("sub/tally.yaml", "stages: {make: {cmd: python make.py}}")
    project.write("sub/data/1")
    project.write("src/code.py")
    assert "sub/environment.lock: " in tally("-C", "sub/data", "env", "lock").out
    assert tally("-C", "src", "env", "lock").out.startswith("environment.lock: ")


def test_a_strangers_python_is_not_started_unasked(
    project: Repo, tally: Tally, venv: Venv, tmp_path: Path
) -> None:
    project.write("tally.yaml", "stages: {make: {cmd: python make.py}}")
    tally("env", "lock")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    for args in (["lock", "make"], ["build"], ["vault"], ["exec", "--", "python", "-V"]):
        assert "not been allowed" in tally("env", *args, code=19, cwd=clone.path).err
    assert "alpha" in tally("env", "show", cwd=clone.path).out


def test_a_lock_that_no_stage_uses_needs_a_grant_too(locked: Repo, tally: Tally, tmp_path: Path) -> None:
    clone = locked.clone(tmp_path / "clone")
    tally("env", "build", code=19, cwd=clone.path)
    tally("env", "build", "--trust", cwd=clone.path)
    assert "stood there already" in tally("env", "build", cwd=clone.path).err


def test_an_environment_is_built_once_and_its_place_printed(locked: Repo, tally: Tally) -> None:
    first = tally("env", "build", "--json").json()
    second = tally("env", "build", "--json").json()
    assert (first["reused"], second["reused"]) == (False, True)
    assert tally("env", "build").out.strip() == first["folder"] == second["folder"]
    assert Venv(Path(first["folder"])).run("import alpha; print(alpha.NAME)") == "alpha"
    assert first["folder"] in tally("env", "show").out


def test_the_environment_of_a_commit_or_run_is_meant_by_its_name(ran: Repo, tally: Tally, venv: Venv) -> None:
    run = tally("log", "--json").json()["runs"][0]["run"].removeprefix("blake3:")[:12]
    ran.write("environment.lock", b"")
    (ran.path / "environment.lock").unlink()
    folders = {tally("env", "build", "--json", target).json()["folder"] for target in ("HEAD", run)}
    assert len(folders) == 1
    assert "there is no `environment.lock`" in tally("env", "build", code=3).err


def test_two_environments_are_compared(locked: Repo, tally: Tally, venv: Venv, index: Path) -> None:
    write_wheel(index, "beta", "3.0", {"beta/__init__.py": ""})
    assert tally("env", "diff").exit_code == 0
    venv.install("beta==3.0")
    shutil.copy(locked.path / "environment.lock", locked.path / "old.lock")
    tally("env", "lock")
    assert "beta 2.1 -> 3.0" in tally("env", "diff", code=1).out
    assert "beta 3.0 -> 2.1" in tally("env", "diff", "environment.lock", "old.lock", code=1).out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["show", "nothing"], "nothing"),
        (["show", "gone.lock"], "there is no lock `gone.lock`"),
        (["show", "../other/environment.lock"], "there is no lock"),
        (["diff", "HEAD~1"], "records no environment"),
        (["lock", "nothing"], "there is no stage `nothing`"),
    ],
)
def test_what_is_not_there_is_refused(locked: Repo, tally: Tally, args: list[str], said: str) -> None:
    assert said in tally("env", *args, code=3).err


def test_a_command_runs_in_the_environment_and_its_exit_code_is_ours(locked: Repo, tally: Tally) -> None:
    code = "import alpha, sys; print(alpha.NAME, sys.prefix); sys.exit(7)"
    ran = tally.process("env", "exec", "--", "python", "-c", code, code=7)
    assert ran.out.startswith(f"alpha {locked.path}/.git/tally/environments/")


def test_a_command_reads_what_it_is_given(locked: Repo, tally: Tally) -> None:
    code = "import sys; print(sys.stdin.read().upper())"
    assert "HELLO" in tally.process("env", "exec", "--", "python", "-c", code, stdin="hello").out


def test_a_program_that_the_environment_lacks_is_named(locked: Repo, tally: Tally) -> None:
    assert "`no-such-program` can't be started" in tally("env", "exec", "--", "no-such-program", code=3).err


def test_a_shell_has_the_environment_active(locked: Repo, tally: Tally) -> None:
    ran = tally.process(
        "env", "shell", stdin="python -c 'import alpha; print(alpha.NAME)'\n", env={"SHELL": "/bin/sh"}
    )
    assert ran.out.strip() == "alpha"


def test_the_vault_serves_a_fresh_clone_without_an_index(
    ran: Repo, tally: Tally, index: Path, venv: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "2 of 2 packages" in tally("env", "vault").out
    assert {each["wheel"] for each in shown(tally).values()} == {"vault"}
    ran.commit("Fill the vault")
    tally("push")
    assert "no index is needed" in tally("env", "show").out
    without_index(index, tmp_path, monkeypatch)
    shutil.rmtree(venv.path)
    clone = ran.clone(tmp_path / "clone")
    assert {each["here"] for each in shown(Tally(clone.path)).values()} == {False}
    verdict = tally("repro", "HEAD", "--trust", "--json", cwd=clone.path).json()["verdict"]
    assert verdict["outcome"] == "identical"
    assert "environment from the vault" in verdict["enforced"]


def test_a_vault_filled_later_serves_runs_of_before(
    ran: Repo, tally: Tally, index: Path, venv: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ran.git("rev-parse", "HEAD")
    tally("env", "vault", before)
    ran.commit("Fill the vault")
    without_index(index, tmp_path, monkeypatch)
    assert "identical" in tally("repro", before).out


def test_a_vaults_second_filling_adds_nothing(ran: Repo, tally: Tally) -> None:
    tally("env", "vault")
    before = ran.read("environment.vault")
    assert "none is new" in tally("env", "vault").out
    assert ran.read("environment.vault") == before


def test_packages_that_are_not_at_hand_come_from_the_rebuilt_environment(
    ran: Repo, tally: Tally, venv: Venv
) -> None:
    edit(venv.site / "alpha.py")
    assert tally("env", "vault", "--json").json()["added"] == 2
    assert (ran.path / ".git/tally/environments").is_dir()


def test_a_package_that_is_nowhere_any_more_is_named_and_the_rest_kept(
    ran: Repo, tally: Tally, venv: Venv, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(venv.site / "alpha.py")
    without_index(index, tmp_path, monkeypatch)
    said = tally("env", "vault", code=1).out
    assert "1 of 2 packages" in said
    assert "`alpha` 1.0 is installed here with other files than the recorded ones" in said
    assert [each["name"] for each in json.loads(ran.read("environment.vault"))["wheels"]] == ["beta"]


def test_check_names_wheels_that_nobody_pushed(ran: Repo, tally: Tally, remote: Path) -> None:
    tally("push")
    tally("check", "-r", "origin")
    tally("env", "vault")
    assert "2 wheels that it names are not in the remote" in tally("check", "-r", "origin", code=1).out
    tally("push")
    tally("check", "-r", "origin")


def test_a_vaulted_wheel_that_is_lost_is_asked_of_the_index(
    ran: Repo, tally: Tally, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally("env", "vault")
    clone = ran.clone(tmp_path / "clone")
    shutil.copy(ran.path / "environment.vault", clone.path)
    assert "index is asked" in tally("env", "build", "--trust", cwd=clone.path).err
    shutil.rmtree(clone.path / ".git/tally/environments")
    without_index(index, tmp_path, monkeypatch)
    assert "alpha" in tally("env", "build", cwd=clone.path, code=17).err


def test_a_wheel_of_a_vault_that_is_another_package_is_found_out(
    ran: Repo, tally: Tally, tmp_path: Path
) -> None:
    tally("env", "vault")
    values = json.loads(ran.read("environment.vault"))
    alpha, beta = values["wheels"]
    evil = write_wheel(tmp_path, "alpha", "1.0", {"alpha.py": "NAME = 'evil'\n"})
    ran.write("evil.whl", evil.read_bytes())
    tally("add", "evil.whl")
    pointer = ran.read("evil.whl.tally").decode()
    digest = next(line.split()[1] for line in pointer.splitlines() if line.startswith("digest:"))
    hashed = subprocess.run(["sha256sum", evil], capture_output=True, text=True, check=True).stdout.split()[0]
    alpha |= {"digest": digest, "sha256": hashed, "size": evil.stat().st_size}
    ran.write("environment.vault", json.dumps({"tally": 1, "wheels": [alpha, beta]}))
    said = tally("env", "build", code=17).err
    assert "`alpha` 1.0 has other files than the recorded one" in said
    assert "the vault holds another wheel" in said


def test_a_malformed_vault_is_named(locked: Repo, tally: Tally) -> None:
    locked.write("environment.vault", "{}")
    assert "environment.vault" in tally("env", "build", code=12).err


def test_a_package_whose_folder_is_gone_is_named_at_the_lock(
    project: Repo, tally: Tally, venv: Venv, tmp_path: Path
) -> None:
    source = write_project(tmp_path / "gamma", "gamma", "0.1")
    venv.install("--editable", str(source))
    shutil.rmtree(source)
    assert "`gamma` 0.1 can't be kept for a rebuild" in tally("env", "lock").out
    said = tally("env", "build", code=17).err
    assert "`gamma` 0.1 was installed from a path and was not kept" in said


def test_a_python_that_is_not_here_is_named_beside_those_that_are(locked: Repo, tally: Tally) -> None:
    lock = json.loads(locked.read("environment.lock"))
    minor = ".".join(lock["python"].split(".")[:2])
    locked.write("environment.lock", json.dumps({**lock, "python": f"{minor}.99"}))
    said = tally("env", "build", code=17).err
    assert f"Python {minor}.99 (cpython) is needed and not here; found: 3." in said
    assert f"Python {lock['python']} stands in for {minor}.99" in tally("env", "build", "--python-any").err


def test_pull_leaves_the_vaults_wheels_and_fetch_brings_them(ran: Repo, tally: Tally, tmp_path: Path) -> None:
    tally("env", "vault")
    ran.commit("Fill the vault")
    tally("push")
    clone = ran.clone(tmp_path / "clone")
    theirs = Tally(clone.path)
    theirs("pull")
    assert not shown(theirs)["alpha"]["here"]
    theirs("fetch")
    assert shown(theirs)["alpha"]["here"]
