"""`trace: enforce` where the kernel has no Landlock."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick import process
from tallystick.errors import Refused
from tallystick.tracing import bubblewrapped, tracer
from tallystick.tracing.accesses import Undeclared
from tests.tracing.test_landlock import enforced, root

__all__ = ["root"]

works = shutil.which("bwrap") and (
    subprocess.run(["bwrap", "--dev-bind", "/", "/", "true"], capture_output=True).returncode == 0
)
needs_bubblewrap = pytest.mark.skipif(not works, reason="bubblewrap doesn't work here")


@pytest.fixture(autouse=True)
def without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer, "version", lambda: 0)


@needs_bubblewrap
def test_what_is_declared_can_be_read_and_the_rest_is_not_there_and_named(root: Path) -> None:
    code = "print(open('data/x.csv').read()); open('secret.csv')"
    done, found = enforced(root, code, reads=("data",))
    assert "read" in done.stdout
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr
    assert found.reads == ("secret.csv",)


@needs_bubblewrap
def test_one_file_of_a_folder_is_seen_without_the_others_in_it(root: Path) -> None:
    (root / "data/y.csv").write_text("hidden\n")
    code = "import os; print(os.listdir('.'), os.listdir('data'))"
    done, _ = enforced(root, code, reads=("data/x.csv",))
    assert done.stdout == "['data'] ['x.csv']\n"


@needs_bubblewrap
def test_undeclared_writes_are_denied_and_outs_are_made(root: Path) -> None:
    (root / "out").mkdir()
    (root / "out/old.bin").write_text("old")
    made = "open('out/new.bin', 'w').write('1'); print(open('out/new.bin').read())"
    done, found = enforced(root, made, makes=("out/new.bin",))
    assert (done.stdout, found) == ("1\n", Undeclared())
    assert (root / "out/new.bin").read_text() == "1"
    for name in ("stray.txt", "data/x.csv", "src/train.py"):
        done, found = enforced(root, f"open({name!r}, 'w')", reads=("data",), makes=("out/new.bin",))
        assert done.returncode == 1, name
    assert (root / "src/train.py").read_text() == "print('read')\n"
    assert not (root / "stray.txt").exists()


@needs_bubblewrap
def test_an_out_beside_other_files_is_replaced_and_they_can_neither_be_read_nor_changed(root: Path) -> None:
    (root / "model.bin").write_text("former")
    made = "import os; open('new', 'w').write('2'); os.replace('new', 'model.bin')"
    done, _ = enforced(root, made, makes=("model.bin",))
    assert done.stderr == ""
    assert (root / "model.bin").read_text() == "2"
    for code in (
        "open('secret.csv')",
        "open('secret.csv', 'w')",
        "import os; os.unlink('secret.csv')",
        "open('data/x.csv')",
        "open('data/stray', 'w')",
    ):
        done, _ = enforced(root, code, makes=("model.bin",))
        assert done.returncode == 1, code
    assert (root / "secret.csv").read_text() == "print('read')\n"
    assert os.listdir(root / "data") == ["x.csv"]


@needs_bubblewrap
def test_a_command_runs_in_its_folder_though_nothing_in_it_is_declared(root: Path) -> None:
    scope = tracer.Scope(str(root), cwd="src")
    with tracer.observing("enforce", scope, dict(os.environ), root.parent / "home") as found:
        argv = found.argv([sys.executable, "-c", "import os; print(os.getcwd(), os.listdir())"])
        env = {**os.environ, **found.variables}
        done = subprocess.run(argv, cwd=root / "src", env=env, capture_output=True, text=True)
    assert done.stdout == f"{root / 'src'} []\n"


def test_without_either_it_is_refused_with_what_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise Refused(f"no program `{name}`")

    monkeypatch.setattr(process, "find", missing)
    with pytest.raises(Refused, match="no Landlock, and no program `bwrap`") as caught:
        enforced(root, "")
    assert "install bubblewrap, or write `trace: python`" in str(caught.value.hint)


@needs_bubblewrap
def test_too_many_files_to_cover_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrapped, "MOST_COVERED", 1)
    with pytest.raises(Refused, match="lie beside outs"):
        enforced(root, "", makes=("model.bin",))
