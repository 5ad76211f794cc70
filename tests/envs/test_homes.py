"""Where tools keep environments, found without starting them; the layouts are those that the tools made."""

from pathlib import Path

import pytest

from tallystick.envs.homes import place_digest
from tallystick.envs.interpreter import interpreter_of, kept_by_place


def environment(folder: Path, mark: str = "pyvenv.cfg") -> str:
    """Make what looks like an environment; return its Python."""
    python = folder / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    (folder / mark).mkdir() if mark == "conda-meta" else (folder / mark).touch()
    return str(python)


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A folder of a repository, deep in a project."""
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/stage").mkdir()
    return tmp_path / "repo/stage"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The variables of somebody whose own Python is another one."""
    environment(tmp_path / "system")
    return {"PATH": str(tmp_path / "system/bin"), "HOME": str(tmp_path)}


def test_poetry_keeps_it_below_a_name_and_a_hash_of_the_projects_place(
    stage: Path, env: dict[str, str]
) -> None:
    (stage.parent / "pyproject.toml").write_text('[project]\nname = "My_Demo.pkg"\n')
    (stage.parent / "poetry.toml").write_text(f'[virtualenvs]\npath = "{stage}/kept"\n')
    cmd = "poetry run python x.py"
    assert interpreter_of(cmd, env, stage) == f"{env['PATH']}/python"
    stem = f"my-demo-pkg-{place_digest(str(stage.parent))}"
    first = environment(stage / f"kept/{stem}-py3.11")
    environment(stage / "kept/other-12345678-py3.11")
    assert interpreter_of(cmd, env, stage) == first
    second = environment(stage / f"kept/{stem}-py3.12")
    (stage / "kept/envs.toml").write_text(f'[{stem}]\nminor = "3.12"\npatch = "3.12.1"\n')
    assert interpreter_of(cmd, env, stage) == second
    own = environment(stage.parent / ".venv")
    assert interpreter_of(cmd, env, stage) == own
    assert interpreter_of(cmd, {**env, "POETRY_VIRTUALENVS_IN_PROJECT": "false"}, stage) == second


def test_the_hash_in_poetrys_and_pipenvs_names_is_theirs() -> None:
    # As poetry 2.5 and pipenv 2026.10 made them for these places.
    assert place_digest("/tmp/er/pp/demo") == "ca1ZeLFQ"
    assert place_digest("/tmp/er/pp/pe/Pipfile") == "CRHiFWOS"


@pytest.mark.parametrize("tool", ["poetry", "pipenv", "pdm"])
def test_an_active_environment_comes_before_the_tools_own(
    stage: Path, env: dict[str, str], tool: str
) -> None:
    (stage / "pyproject.toml").touch()
    (stage / "Pipfile").touch()
    active = environment(stage / "active")
    env = {**env, "VIRTUAL_ENV": str(stage / "active")}
    assert interpreter_of(f"{tool} run python x.py", env, stage) == active


def test_pipenv_keeps_it_below_the_folders_name(stage: Path, env: dict[str, str]) -> None:
    (stage.parent / "Pipfile").touch()
    name = f"repo-{place_digest(str(stage.parent / 'Pipfile'))}"
    kept = environment(Path(env["HOME"]) / ".local/share/virtualenvs" / name)
    assert interpreter_of("pipenv run python x.py", env, stage) == kept


def test_pdm_writes_down_which_python_it_uses(stage: Path, env: dict[str, str]) -> None:
    (stage.parent / "pyproject.toml").touch()
    kept = environment(stage / "elsewhere")
    environment(stage.parent / ".venv")
    (stage.parent / ".pdm-python").write_text(f"{kept}\n")
    assert interpreter_of("pdm run python x.py", env, stage) == kept
    (stage.parent / ".pdm-python").write_text("/gone/bin/python\n")
    assert interpreter_of("pdm run python x.py", env, stage) == str(stage.parent / ".venv/bin/python")


def test_hatch_keeps_one_for_each_of_its_environments(stage: Path, env: dict[str, str]) -> None:
    (stage / "pyproject.toml").write_text('[project]\nname = "My_Demo.pkg"\n')
    kept = Path(env["HOME"]) / ".local/share/hatch/env/virtual/my-demo-pkg/nqXbPSKK"
    usual, other = environment(kept / "my-demo-pkg"), environment(kept / "other")
    assert interpreter_of("hatch run python x.py", env, stage) == usual
    assert interpreter_of("hatch run other:python x.py", env, stage) == other
    assert interpreter_of("hatch -e other run python x.py", env, stage) == other


def test_uv_may_be_told_where_the_projects_is(stage: Path, env: dict[str, str]) -> None:
    (stage.parent / "pyproject.toml").touch()
    own, named = environment(stage.parent / ".venv"), environment(stage.parent / "other")
    assert interpreter_of("uv run python x.py", env, stage) == own
    assert interpreter_of("uv run x.py", {**env, "UV_PROJECT_ENVIRONMENT": "other"}, stage) == named


def test_pixi_keeps_it_in_the_project(stage: Path, env: dict[str, str]) -> None:
    (stage.parent / "pixi.toml").touch()
    gpu = environment(stage.parent / ".pixi/envs/gpu", "conda-meta")
    assert interpreter_of("pixi run -e gpu python x.py", env, stage) == gpu


@pytest.mark.parametrize("cmd", ["conda run -n ml python x.py", "conda activate ml && python x.py"])
def test_conda_finds_an_environment_by_its_name(tmp_path: Path, env: dict[str, str], cmd: str) -> None:
    root = tmp_path / "miniforge"
    base = environment(root, "conda-meta")
    (root / "condabin").mkdir()
    (root / "condabin/conda").touch()
    env = {**env, "PATH": f"{root}/condabin:{env['PATH']}"}
    assert interpreter_of(cmd, env, tmp_path) == f"{tmp_path}/system/bin/python"
    assert interpreter_of("conda run python x.py", env, tmp_path) == base
    far = environment(tmp_path / "far/ml", "conda-meta")
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda/environments.txt").write_text(f"/gone/ml\n{tmp_path}/far/ml\n")
    assert interpreter_of(cmd, env, tmp_path) == far
    ml = environment(root / "envs/ml", "conda-meta")
    assert interpreter_of(cmd, env, tmp_path) == ml
    listed = environment(tmp_path / "listed/ml", "conda-meta")
    assert interpreter_of(cmd, {**env, "CONDA_ENVS_DIRS": f"{tmp_path}/listed"}, tmp_path) == listed


def test_micromamba_has_a_root_of_its_own(tmp_path: Path, env: dict[str, str]) -> None:
    ml = environment(tmp_path / "mamba/envs/ml", "conda-meta")
    env = {**env, "MAMBA_ROOT_PREFIX": str(tmp_path / "mamba")}
    assert interpreter_of("micromamba run -n ml python x.py", env, tmp_path) == ml
    assert interpreter_of(f"micromamba run -p {tmp_path}/mamba/envs/ml python x", env, tmp_path) == ml


def test_the_tools_own_python_is_not_the_commands(stage: Path, env: dict[str, str]) -> None:
    own = environment(stage / "poetrys")
    tool = Path(env["PATH"]) / "poetry"
    tool.write_text(f"#!{own}\n")
    tool.chmod(0o755)
    assert interpreter_of("poetry run train", env, stage) == f"{env['PATH']}/python"


def test_what_a_tool_keeps_for_a_place_is_told_apart_from_what_has_a_name(
    tmp_path: Path, stage: Path, env: dict[str, str]
) -> None:
    (stage.parent / "Pipfile").touch()
    name = f"repo-{place_digest(str(stage.parent / 'Pipfile'))}"
    kept = Path(env["HOME"]) / ".local/share/virtualenvs" / name
    environment(kept)
    environment(tmp_path / "mamba/envs/ml", "conda-meta")
    env = {**env, "MAMBA_ROOT_PREFIX": str(tmp_path / "mamba")}
    assert kept_by_place("pipenv run python x.py", stage, env) == [str(kept)]
    assert kept_by_place("micromamba run -n ml python x.py && python x.py", stage, env) == []
