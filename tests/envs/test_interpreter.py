from pathlib import Path

import pytest

from tallystick.envs.interpreter import interpreter_of


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python", "python3", "python3.12", "uv"):
        program(folder / name)
    return folder


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("cmd", "name"),
    [
        ("python train.py", "python"),
        ("python3 -m train", "python3"),
        ("OMP_NUM_THREADS=1 exec python3.12 train.py", "python3.12"),
        ("env A=1 B=2 python3 train.py", "python3"),
        ("cd sub && python3 train.py > log", "python3"),
        ("mkdir -p a; if true; then python3 x.py; fi", "python3"),
        ("timeout 60 python3 train.py", "python3"),
        ("uv run python3.12 train.py", "python3.12"),
        ("cat data | python3 -", "python3"),
        ("set -e\npython3 train.py", "python3"),
        ("make all", "python"),
        ("echo 'python3 not closed", "python"),
        (["python3", "a file.py"], "python3"),
        (("sh", "-c", "exit"), "python"),
    ],
)
def test_the_python_that_a_command_names_is_found(programs: Path, cmd: str | list[str], name: str) -> None:
    assert interpreter_of(cmd, {"PATH": str(programs)}, programs) == str(programs / name)


def test_a_path_counts_from_the_folder_the_stage_runs_in(tmp_path: Path) -> None:
    own = program(tmp_path / "stage/.venv/bin/python")
    assert interpreter_of(".venv/bin/python x.py", {"PATH": ""}, tmp_path / "stage") == str(own)


@pytest.mark.parametrize(
    "cmd",
    [
        ". .venv/bin/activate && python train.py",
        "source ./.venv/bin/activate; python3 train.py",
        "uv run python train.py",
        "uv run train.py",
        ["poetry", "run", "python", "train.py"],
    ],
)
def test_an_environment_that_the_command_enters_comes_first(
    programs: Path, tmp_path: Path, cmd: str | list[str]
) -> None:
    own = program(tmp_path / "stage/.venv/bin/python")
    program(tmp_path / "stage/.venv/bin/python3")
    (tmp_path / "stage/.venv/pyvenv.cfg").touch()
    found = interpreter_of(cmd, {"PATH": str(programs)}, tmp_path / "stage")
    assert found is not None
    assert Path(found).parent == own.parent


def test_the_environment_of_a_project_is_looked_for_up_to_its_repository(
    programs: Path, tmp_path: Path
) -> None:
    program(tmp_path / ".venv/bin/python")
    (tmp_path / ".venv/pyvenv.cfg").touch()
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/stage").mkdir()
    env = {"PATH": str(programs)}
    assert interpreter_of("uv run python x.py", env, tmp_path / "repo/stage") == str(programs / "python")
    own = program(tmp_path / "repo/.venv/bin/python")
    (tmp_path / "repo/.venv/pyvenv.cfg").touch()
    assert interpreter_of("uv run python x.py", env, tmp_path / "repo/stage") == str(own)


def test_a_link_to_python_is_not_followed(programs: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv/bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to(programs / "python3.12")
    assert interpreter_of("python x.py", {"PATH": f"{venv}:{programs}"}, programs) == str(venv / "python")


def test_a_file_that_is_not_executable_is_passed_over(programs: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "python").write_text("")
    assert interpreter_of("python x.py", {"PATH": f"{shadow}:{programs}"}, programs) == str(
        programs / "python"
    )


@pytest.mark.parametrize(
    "head", ["#!{}\n", "#! {} -E\n", "#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\n"]
)
def test_a_script_says_in_its_first_lines_which_python_runs_it(
    programs: Path, tmp_path: Path, head: str
) -> None:
    other = program(tmp_path / "other env/bin/python3" if "exec" in head else tmp_path / "other/bin/python3")
    program(programs / "pytest", head.format(other))
    assert interpreter_of("pytest -q tests", {"PATH": str(programs)}, programs) == str(other)


def test_without_any_python_there_is_none(tmp_path: Path) -> None:
    assert interpreter_of("make all", {"PATH": str(tmp_path)}, tmp_path) is None
