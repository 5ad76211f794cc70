import os
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick import landlock as kernel
from tallystick.tracing import landlock
from tallystick.tracing.accesses import Scope, Undeclared, undeclared
from tallystick.tracing.tracer import observing

needs_landlock = pytest.mark.skipif(kernel.version() == 0, reason="this kernel has no Landlock")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "project"
    for name in ("src/train.py", "src/features.py", "data/x.csv", "secret.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("print('read')\n")
    return folder


def enforced(
    root: Path, code: str, reads: tuple[str, ...] = (), makes: tuple[str, ...] = (), **variables: str
) -> tuple["subprocess.CompletedProcess[str]", Undeclared]:
    scope = Scope(str(root), reads=reads, makes=makes)
    variables = {**os.environ, **variables}
    with observing("enforce", scope, variables, root.parent / "home") as tracer:
        env = {**variables, **tracer.variables}
        argv = tracer.argv([sys.executable, "-c", code])
        done = subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True)
        found = undeclared(tracer.findings(), scope, lambda path: (root / path).is_file())
    return done, found


@needs_landlock
def test_what_is_declared_can_be_read_and_the_rest_is_denied_and_named(root: Path) -> None:
    code = "print(open('data/x.csv').read()); open('secret.csv')"
    done, found = enforced(root, code, reads=("data",))
    assert "read" in done.stdout
    assert done.returncode == 1
    assert "PermissionError" in done.stderr
    assert found.reads == ("secret.csv",)


@needs_landlock
def test_a_module_that_is_not_declared_is_denied_even_when_it_was_compiled_before(root: Path) -> None:
    code = "import sys; sys.path.insert(0, 'src'); import features"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, env={"PYTHONDONTWRITEBYTECODE": ""})
    done, found = enforced(root, code, reads=("src/train.py",))
    assert "PermissionError" in done.stderr
    assert found.reads == ("src/features.py",)
    done, found = enforced(root, code, reads=("src/features.py",))
    assert (done.returncode, found) == (0, Undeclared())


@needs_landlock
def test_a_module_that_was_compiled_outside_of_the_project_is_denied_too(root: Path) -> None:
    code = "import sys; sys.path.insert(0, 'src'); import features"
    prefix = {"PYTHONPYCACHEPREFIX": str(root.parent / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, env=prefix)
    assert list(Path(prefix["PYTHONPYCACHEPREFIX"]).rglob("features.*.pyc"))
    done, found = enforced(root, code, reads=("src/train.py",), **prefix)
    assert "PermissionError" in done.stderr
    assert found.reads == ("src/features.py",)


@needs_landlock
def test_undeclared_writes_are_denied_and_outs_are_made(root: Path) -> None:
    (root / "out").mkdir()
    code = """
from pathlib import Path
Path('out/model').write_text('1'); print(Path('out/model').read_text())
Path('out/half').write_text('2'); Path('out/half').replace('out/model')
try: Path('data/x.csv').write_text('gone')
except PermissionError: print('denied')
try: Path('src/new.py').write_text('gone')
except PermissionError: print('denied')
"""
    done, found = enforced(root, code, reads=("data", "src"), makes=("out/model",))
    assert done.stdout.split() == ["1", "denied", "denied"], done.stderr
    assert (root / "data/x.csv").read_text() == "print('read')\n"
    assert found.writes == ("data/x.csv",)


@needs_landlock
def test_an_out_beside_other_files_can_be_written_and_they_can_not_be_read(root: Path) -> None:
    done, _ = enforced(
        root, "open('model', 'w').write('1'); open('secret.csv')", reads=("src",), makes=("model",)
    )
    assert "PermissionError" in done.stderr
    assert (root / "model").read_text() == "1"


@needs_landlock
def test_everything_outside_of_the_project_stays_as_it_was(root: Path) -> None:
    beside = root.parent / "beside"
    beside.mkdir()
    code = f"""
import subprocess, tempfile
open({str(beside / "x")!r}, "w").write("1")
open({str(beside / "x")!r}).read()
tempfile.NamedTemporaryFile("w").write("1")
tempfile.mkdtemp()
subprocess.run(["ls", "src"], check=True)
open("/dev/null", "w").write("1")
"""
    done, found = enforced(root, code)
    assert (done.returncode, found) == (0, Undeclared()), done.stderr
    assert (beside / "x").read_text() == "1"


@needs_landlock
def test_the_command_finds_the_variables_that_it_would_find_without(root: Path) -> None:
    scope = Scope(str(root))
    variables = {"PATH": os.environ["PATH"]}
    with observing("enforce", scope, variables, root.parent / "home") as tracer:
        env = {**variables, **tracer.variables}
        done = subprocess.run(tracer.argv(["env"]), cwd=root, env=env, capture_output=True, text=True)
    got = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert got == env


@needs_landlock
@pytest.mark.parametrize(("words", "code"), [(["sh", "-c", "exit 7"], 7), (["no-such-program"], 127)])
def test_the_exit_code_is_the_commands_own(root: Path, words: list[str], code: int) -> None:
    with observing("enforce", Scope(str(root)), dict(os.environ), root.parent / "home") as tracer:
        done = subprocess.run(tracer.argv(words), cwd=root, capture_output=True)
    assert done.returncode == code


def test_the_way_to_the_project_is_allowed_piece_by_piece(root: Path) -> None:
    allowed = {rule.path for rule in landlock.rules(Scope(str(root)), [])}
    above = {str(folder) for folder in (root, *root.parents)}
    assert not allowed & above
    assert "/usr" in allowed


@pytest.mark.parametrize(
    ("version", "refer", "truncate"), [(1, False, False), (2, True, False), (3, True, True), (9, True, True)]
)
def test_a_kernel_is_only_asked_for_what_it_knows(version: int, refer: bool, truncate: bool) -> None:
    rights = kernel.handled(version)
    assert (bool(rights & kernel.REFER), bool(rights & kernel.TRUNCATE)) == (refer, truncate)
