import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick.tracing.accesses import Access, Scope
from tallystick.tracing.strace import accesses
from tallystick.tracing.tracer import observing

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def hexed(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode("utf-8", "surrogateescape"))


def quoted(text: str) -> str:
    return f'"{hexed(text)}"'


def seen(*lines: str) -> list[Access]:
    return list(accesses(lines, "/p"))


def opened(path: str, flags: str = "O_RDONLY", result: str | None = None) -> str:
    result = result or f"3<{hexed(path)}>"
    return f"openat(AT_FDCWD<{hexed('/p')}>, {quoted(path)}, {flags}) = {result}"


def test_a_file_that_was_opened_is_seen_by_the_path_its_descriptor_has() -> None:
    line = f"7  openat(AT_FDCWD<{hexed('/p')}>, {quoted('link')}, O_RDONLY|O_CLOEXEC) = 3<{hexed('/p/real')}>"
    assert seen(line) == [Access("/p/real")]


@pytest.mark.parametrize("flags", ["O_WRONLY|O_CREAT|O_TRUNC, 0666", "O_RDWR", "O_WRONLY|O_APPEND"])
def test_a_file_that_was_opened_for_writing_is_a_write(flags: str) -> None:
    assert seen(f"7  {opened('/p/x', flags)}") == [Access("/p/x", write=True)]


def test_a_call_that_failed_touched_nothing() -> None:
    assert seen(f"7  {opened('/p/x', result='-1 ENOENT (No such file or directory)')}") == []


def test_a_call_that_was_interrupted_by_another_is_put_together() -> None:
    lines = [
        f"7  openat(AT_FDCWD<{hexed('/p')}>, {quoted('/p/slow')},  <unfinished ...>",
        f"8  {opened('/p/fast')}",
        f"7  <... openat resumed>O_RDONLY) = 3<{hexed('/p/slow')}>",
    ]
    assert seen(*lines) == [Access("/p/fast"), Access("/p/slow")]


def test_a_process_that_never_came_back_from_a_call_touched_nothing() -> None:
    assert seen(f"7  openat(AT_FDCWD, {quoted('/p/slow')},  <unfinished ...>", "7  +++ killed +++") == []


def test_paths_with_quotes_brackets_and_bytes_that_are_no_text_are_read() -> None:
    path = '/p/a "b" <c>) = 3\n\udcff'
    assert seen(f"7  {opened(path)}") == [Access(path)]


def test_a_relative_path_is_seen_from_where_its_process_went() -> None:
    lines = [
        f"7  chdir({quoted('sub')}) = 0",
        f"7  open({quoted('x')}, O_RDONLY) = 3",
        f"8  open({quoted('x')}, O_RDONLY) = 3",
    ]
    assert seen(*lines) == [Access("/p/sub/x"), Access("/p/x")]


def test_a_child_begins_where_its_parent_was_and_goes_its_own_way() -> None:
    lines = [
        f"7  chdir({quoted('sub')}) = 0",
        "7  clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD) = 8",
        f"8  chdir({quoted('deep')}) = 0",
        f"8  rename({quoted('x')}, {quoted('y')}) = 0",
        f"7  rename({quoted('x')}, {quoted('y')}) = 0",
    ]
    assert seen(*lines) == [Access("/p/sub/deep/y", write=True), Access("/p/sub/y", write=True)]


def test_a_thread_goes_where_its_process_goes() -> None:
    lines = [
        "7  clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD, exit_signal=0}, 88) = 8",
        f"8  chdir({quoted('sub')}) = 0",
        f"7  execve({quoted('./tool')}, [{quoted('tool')}], 0x7ffe /* 9 vars */) = 0",
    ]
    assert seen(*lines) == [Access("/p/sub/tool")]


def test_a_rename_is_seen_from_the_folders_that_it_names() -> None:
    line = f"7  renameat2(3<{hexed('/a')}>, {quoted('x')}, 4<{hexed('/p/out')}>, {quoted('y')}, 0) = 0"
    assert seen(line) == [Access("/p/out/y", write=True)]


@pytest.mark.parametrize(
    "line", ["", "nonsense", "7 exit_group(0) = ?", "7  open(", "x" * 10_000, "7  open() = 3"]
)
def test_lines_that_make_no_sense_harm_nothing(line: str) -> None:
    assert not [one for one in seen(line, f"7  {opened('/p/x')}") if one.path not in ("/p/x", "/p")]


@needs_strace
def test_every_program_is_seen_with_its_exit_code_kept(tmp_path: Path) -> None:
    root = Path(tmp_path / "p q").resolve()
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a\nb.txt").write_text("hello")
    script = "cd sub; cat 'a\nb.txt' > ../copy; cat missing 2>/dev/null; mv ../copy ../moved; exit 7"
    with observing("strace", Scope(str(root)), {}, tmp_path / "home") as tracer:
        done = subprocess.run(tracer.argv(["/bin/sh", "-c", script]), cwd=root, capture_output=True)
        found = tracer.findings()
    inner = [one for one in found if one.path.startswith(str(root))]
    assert done.returncode == 7
    assert set(inner) == {
        Access(f"{root}/sub/a\nb.txt"),
        Access(f"{root}/copy", write=True),
        Access(f"{root}/moved", write=True),
    }


@needs_strace
def test_a_death_by_a_signal_stays_one(tmp_path: Path) -> None:
    with observing("strace", Scope(str(tmp_path)), {}, tmp_path / "home") as tracer:
        done = subprocess.run(tracer.argv(["/bin/sh", "-c", "kill -TERM $$"]), cwd=tmp_path)
    assert done.returncode == -15


@needs_strace
def test_the_modules_of_a_python_are_seen(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "mine.py").write_text("X = 1")
    with observing("strace", Scope(str(root)), {}, root / "home") as tracer:
        subprocess.run(tracer.argv([sys.executable, "-c", "import mine"]), cwd=root, check=True)
        assert Access(f"{root}/mine.py") in tracer.findings()
