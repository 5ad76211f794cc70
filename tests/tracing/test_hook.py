import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tallystick.tracing.accesses import Scope, Undeclared, undeclared
from tallystick.tracing.tracer import HOOK, observing

VERSIONS = [f"3.{minor}" for minor in range(8, 15)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    return folder


def trace(
    root: Path, argv: Sequence[str], scope: Scope | None = None, check: bool = True, **variables: str
) -> Undeclared:
    scope = scope or Scope(str(root))
    variables = {**os.environ, **variables}
    with observing("python", scope, variables, root.parent / "home") as tracer:
        env = {**variables, **tracer.variables}
        subprocess.run(tracer.argv(argv), cwd=root, env=env, check=check)
        return undeclared(tracer.findings(), scope, lambda path: (root / path).is_file())


def run(root: Path, code: str, **variables: str) -> Undeclared:
    return trace(root, [sys.executable, "-c", code], **variables)


def interpreters() -> list[str]:
    """The Pythons of this machine, the oldest supported version to the newest."""
    folder = Path(os.environ.get("PYENV_ROOT", Path("~/.pyenv").expanduser())) / "versions"
    found = [
        str(path)
        for path in sorted(folder.glob("3.*/bin/python"))
        if path.parts[-3][:4].rstrip(".") in VERSIONS
    ]
    return [*found, sys.executable]


@pytest.mark.parametrize("python", interpreters())
def test_every_python_tells_what_it_opens_imports_and_writes(python: str, root: Path) -> None:
    (root / "main.py").write_text("import mine\nopen('in.csv').read()\nopen('out.csv', 'w').write('1')\n")
    (root / "mine.py").write_text("X = 1\n")
    (root / "in.csv").write_text("1\n")
    for _ in range(2):  # the second time its modules are compiled already
        found = trace(root, [python, "main.py"], PYTHONDONTWRITEBYTECODE="")
        assert found.reads == ("in.csv", "main.py", "mine.py")
        assert found.writes == ("out.csv",)
    assert list(root.glob("__pycache__/*"))


def test_modules_compiled_elsewhere_are_named_by_their_source(root: Path, tmp_path: Path) -> None:
    (root / "mine.py").write_text("X = 1\n")
    prefix = str(tmp_path / "compiled")
    for _ in range(2):
        found = run(root, "import mine", PYTHONPYCACHEPREFIX=prefix, PYTHONDONTWRITEBYTECODE="")
        assert found.reads == ("mine.py",)


def test_child_processes_are_seen_however_they_end(root: Path) -> None:
    for name in "abcd":
        (root / name).write_text("1")
    code = """
import os, signal, subprocess, sys
subprocess.run([sys.executable, "-c", "open('a')"])
subprocess.run([sys.executable, "-c", "import os, signal; open('b'); os.kill(os.getpid(), signal.SIGKILL)"])
if os.fork() == 0:
    open('c'); os._exit(0)
os.wait()
os.closerange(3, 100)
kept = os.open('out', os.O_CREAT | os.O_WRONLY)
open('d')
os.write(kept, b'mine')
"""
    found = run(root, code)
    assert found.reads == ("a", "b", "c", "d")
    assert (root / "out").read_bytes() == b"mine"


def test_what_is_declared_or_outside_of_the_project_is_not_even_noted(root: Path) -> None:
    (root / "data").mkdir()
    (root / "data" / "x").write_text("1")
    scope = Scope(str(root), reads=("data",), makes=("out",))
    code = "open('data/x').read(); open('out', 'w'); open('/etc/hostname' if False else '/dev/null')"
    with observing("python", scope, dict(os.environ), root.parent / "home") as tracer:
        env = {**os.environ, **tracer.variables}
        subprocess.run([sys.executable, "-c", code], cwd=root, env=env, check=True)
        assert tracer.findings() == ()


def test_a_name_means_another_file_once_the_process_works_in_another_folder(root: Path) -> None:
    for name in ("declared", "other"):
        (root / name).mkdir()
        (root / name / "x").write_text("1")
    code = """
import os
os.chdir("declared"); open("x").close()
os.chdir("../other"); open("x").close(); open("x").close()
folder = os.open("../declared", os.O_RDONLY); os.fchdir(folder); open("x").close(); open("new", "w").close()
"""
    found = trace(root, [sys.executable, "-c", code], Scope(str(root), reads=("declared",)))
    assert found == Undeclared(("other/x",), ("declared/new",))


def test_programs_libraries_databases_and_renames_are_seen(root: Path) -> None:
    (root / "tool.sh").write_text("#!/bin/sh\n")
    (root / "tool.sh").chmod(0o755)
    (root / "lib.so").write_bytes(b"no library")
    code = """
import ctypes, os, sqlite3, subprocess
subprocess.run(["./tool.sh"])
try: ctypes.CDLL("./lib.so")
except OSError: pass
sqlite3.connect("new.db").execute("create table t (x)")
open("half", "w").close(); os.replace("half", "whole")
os.symlink("whole", "link")
os.truncate("whole", 0)
"""
    found = run(root, code)
    assert found == Undeclared(("lib.so", "tool.sh"), ("link", "new.db", "whole"))


def test_names_that_are_no_text_or_hold_line_breaks_are_told(root: Path) -> None:
    for name in (b"a\nb", b"\xff"):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"1")
    found = run(root, r"open('a\nb'); open(b'\xff')")
    assert found.reads == ("a\nb", "\udcff")


def test_the_sitecustomize_of_the_user_is_imported_as_ever(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import builtins; builtins.OWN = __file__")
    code = (
        "import sys, sitecustomize\n"
        f"assert OWN == sitecustomize.__file__ == {str(own / 'sitecustomize.py')!r}\n"
        f"assert {str(HOOK)!r} not in sys.path and sys.path[1] == {str(own)!r}, sys.path\n"
    )
    run(root, code, PYTHONPATH=str(own))


def test_an_error_in_the_sitecustomize_of_the_user_stays_theirs(root: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import nowhere_to_be_found")
    code = "import sys; sys.exit(3)"
    variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
    plain = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
    with observing("python", Scope(str(root)), variables, root.parent / "home") as tracer:
        env = {**variables, **tracer.variables}
        traced = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert traced.returncode == plain.returncode == 3
    assert traced.stderr.splitlines()[:3] == plain.stderr.splitlines()[:3]


def test_sys_path_is_what_it_is_without_us(root: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write(repr((sys.path, sys.flags, sorted(sys.modules))))"
    subprocess.run([sys.executable, "-c", code, "plain"], cwd=root, check=True)
    trace(root, [sys.executable, "-c", code, "traced"])
    plain, traced = ((root / name).read_text() for name in ("plain", "traced"))
    assert plain.partition("sys.flags")[0] == traced.partition("sys.flags")[0]


def test_a_process_that_outlives_its_run_goes_on_undisturbed(root: Path) -> None:
    with observing("python", Scope(str(root)), dict(os.environ), root.parent / "home") as tracer:
        env = {**os.environ, **tracer.variables}
    (root / "x").write_text("1")
    done = subprocess.run([sys.executable, "-c", "open('x').read()"], cwd=root, env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_environment_inside_the_project_is_not_noted(root: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / "env")], check=True)
    (root / "mine.py").write_text("X = 1\n")
    (packages,) = (root / "env").glob("lib/python3*/site-packages")
    (packages / "foreign.py").write_text("Y = 1\n")
    found = trace(root, [str(root / "env/bin/python"), "-c", "import foreign, mine"])
    assert found.reads == ("mine.py",)


def test_without_a_trace_nothing_is_put_around_a_command(tmp_path: Path) -> None:
    with observing("none", Scope(str(tmp_path)), {}, tmp_path / "home") as tracer:
        assert tracer.argv(["a", "b"]) == ["a", "b"]
        assert not tracer.variables
        assert tracer.findings() == ()
    assert not (tmp_path / "home").exists()


def test_nothing_is_left_of_a_trace(root: Path) -> None:
    run(root, "open('x', 'w')")
    assert os.listdir(root.parent / "home") == []
    shutil.rmtree(root)


def test_a_name_is_not_taken_for_one_in_the_topmost_folder(root: Path) -> None:
    (root / "tmp").write_text("1")
    code = """
import os
for path in ("/tmp", "tmp", "/tmp"):
    os.close(os.open(path, os.O_RDONLY))
"""
    assert run(root, code).reads == ("tmp",)


def test_of_many_declared_files_in_a_folder_only_the_others_are_noted(root: Path) -> None:
    (root / "data").mkdir()
    for name in ("a", "b", "c"):
        (root / "data" / name).write_text("1")
    code = """
import os
for name in "abcabc":
    open("data/" + name).close(); open(os.path.abspath("data/" + name)).close()
for name in "ab":
    open("data/../data/" + name, "a").close()
"""
    found = trace(root, [sys.executable, "-c", code], Scope(str(root), reads=("data/a",), makes=("data/b",)))
    assert found == Undeclared(("data/c",), ("data/a",))


def test_what_was_only_read_before_is_noted_when_it_is_written(root: Path) -> None:
    (root / "declared").write_text("1")
    code = "open('declared').close(); open('declared').close(); open('declared', 'a').close()"
    found = trace(root, [sys.executable, "-c", code], Scope(str(root), reads=("declared",)))
    assert found == Undeclared((), ("declared",))


def test_a_path_that_was_declared_where_a_process_began_may_not_be_so_elsewhere(root: Path) -> None:
    (root / "other").mkdir()
    for name in ("d", "other/d"):
        (root / name).mkdir()
        (root / name / "x").write_text("1")
    code = "import os; open('d/x').close(); open('d/x').close(); os.chdir('other'); open('d/x').close()"
    found = trace(root, [sys.executable, "-c", code], Scope(str(root), reads=("d",)))
    assert found == Undeclared(("other/d/x",), ())
