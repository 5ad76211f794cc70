"""Programs run from here."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tallystick import files, process
from tallystick.errors import ProgramFailed, Refused, TallyError


def collect(argv: list[str], tmp_path: Path, **options: float) -> tuple[int, bytes]:
    pieces: list[bytes] = []
    code = process.stream(argv, cwd=tmp_path, env=dict(os.environ), output=pieces.append, **options)
    return code, b"".join(pieces)


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie that nobody has buried yet does not."""
    state = process.run(["ps", "-o", "stat=", "-p", str(pid)], check=False).text
    return bool(state) and not state.startswith("Z")


def test_a_program_gets_its_data_and_gives_its_output() -> None:
    done = process.run([sys.executable, "-c", "print(input())"], data=b"hello\n")
    assert (done.exit_code, done.text) == (0, "hello")


def test_a_failure_carries_what_the_program_said() -> None:
    with pytest.raises(ProgramFailed, match="exit code 3") as caught:
        process.run(
            [
                sys.executable,
                "-c",
                "import sys; sys.exit('no') if 0 else (sys.stderr.write('no'), sys.exit(3))",
            ]
        )
    assert caught.value.complaint == "no"


def test_a_program_that_is_nowhere_is_refused() -> None:
    with pytest.raises(Refused, match="not on PATH"):
        process.find("no-such-program-anywhere")
    with pytest.raises(TallyError, match="can't be started"):
        process.run(["/no/such/program"])


def test_a_program_in_the_current_folder_is_never_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "planted-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused):
        process.find("planted-program", f".:{os.pathsep}:bin")


def test_output_and_errors_come_in_the_order_they_were_written(tmp_path: Path) -> None:
    code, output = collect(["/bin/sh", "-c", "echo one; echo two >&2; echo three; exit 7"], tmp_path)
    assert (code, output) == (7, b"one\ntwo\nthree\n")


def test_a_program_killed_by_a_signal_has_the_shells_exit_code(tmp_path: Path) -> None:
    code, _ = collect(["/bin/sh", "-c", "kill -9 $$"], tmp_path)
    assert code == 128 + signal.SIGKILL


def test_a_program_that_never_ends_is_ended_with_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        collect(["/bin/sh", "-c", "sleep 60 & echo $! > child; wait"], tmp_path, timeout=0.5)
    assert time.monotonic() - started < 30
    child = int((tmp_path / "child").read_text())
    assert not is_running(child)


KILLED = """
import os, sys
from pathlib import Path
from tallystick import files, process
with files.lock(Path("lock"), what="it") as lock:
    argv = ["/bin/sh", "-c", sys.argv[1]]
    say = Path("up").write_bytes  # not the program itself: it may be there before all is said to its keeper
    process.stream(argv, cwd=Path("."), env=dict(os.environ), output=say, locks=[lock])
"""


@pytest.mark.parametrize("stubborn", ["", "trap '' INT TERM; "])
def test_a_program_ends_with_its_children_where_we_are_killed_and_holds_our_lock_till_then(
    tmp_path: Path, stubborn: str
) -> None:
    os.mkfifo(tmp_path / "up")
    script = f"{stubborn}sleep 60 & echo $!; wait; sleep 61"
    ours = subprocess.Popen([sys.executable, "-c", KILLED, script], cwd=tmp_path)
    child = int((tmp_path / "up").read_text())
    ours.kill()
    ours.wait()
    with files.lock(tmp_path / "lock", what="it", wait=60):
        assert not is_running(child)


STARTED = """
import os, signal, subprocess, sys
from pathlib import Path
from tallystick import process

def killed(keeper, group):  # between starting a program and saying so
    os.kill(os.getpid(), signal.SIGKILL)

process._Keeper.keep = killed
env = {**os.environ, "MARK": sys.argv[1]}
process.stream(["sleep", "61"], cwd=Path("."), env=env, output=print, mark=f"MARK={sys.argv[1]}")
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no variables of programs to look at")
def test_a_program_ends_where_we_are_killed_before_anybody_heard_of_it(tmp_path: Path) -> None:
    mark = f"MARK={tmp_path}".encode()

    def marked() -> list[str]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    found.append((place / "cmdline").read_text())
        return found

    assert subprocess.run([sys.executable, "-c", STARTED, str(tmp_path)], check=False).returncode == -9
    for _ in range(200):
        if not marked():
            return
        time.sleep(0.1)
    pytest.fail(str(marked()))


@pytest.mark.parametrize(
    ("script", "timeout", "bidden"),
    [("exit 3", None, False), ("sleep 60", 0.3, True), ("kill -9 $$", None, True)],
)
def test_a_farewell_is_bid_unless_the_program_came_to_its_own_end(
    tmp_path: Path, script: str, timeout: float | None, bidden: bool
) -> None:
    farewell = ["/bin/sh", "-c", 'echo "$NAME" > bidden', "sh"]
    env = {**os.environ, "NAME": "box"}
    os.chdir(tmp_path)  # the fixture brings us back
    with suppress(TimeoutError):
        process.stream(
            ["/bin/sh", "-c", script],
            cwd=tmp_path,
            env=env,
            output=lambda _: None,
            timeout=timeout,
            farewell=farewell,
        )
    assert (tmp_path / "bidden").exists() == bidden


def test_when_a_program_has_ended_its_lock_is_free_though_something_of_it_stays(tmp_path: Path) -> None:
    with files.lock(tmp_path / "lock", what="it") as lock:
        script = "sleep 60 > /dev/null 2>&1 & echo $!"
        pieces: list[bytes] = []
        process.stream(
            ["/bin/sh", "-c", script], cwd=tmp_path, env=dict(os.environ), output=pieces.append, locks=[lock]
        )
    with files.lock(tmp_path / "lock", what="it", wait=0):
        child = int(b"".join(pieces))
        assert is_running(child)
        os.kill(child, signal.SIGKILL)


def test_an_interrupt_reaches_the_program_before_it_reaches_us(tmp_path: Path) -> None:
    script = "trap 'echo stopped > seen; exit 1' INT; echo ready; while :; do sleep 0.05; done"
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        collect(["/bin/sh", "-c", script], tmp_path)
    assert (tmp_path / "seen").read_text() == "stopped\n"


def test_a_program_in_a_thread_is_ended_by_an_event(tmp_path: Path) -> None:
    stop = threading.Event()

    def seen(data: bytes) -> None:
        stop.set()

    with pytest.raises(KeyboardInterrupt):
        process.stream(
            ["sh", "-c", "echo up; sleep 60"], cwd=tmp_path, env=dict(os.environ), output=seen, stop=stop
        )


def test_a_program_that_has_the_terminal_to_itself_reads_and_writes_there(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tallystick.process import hand_over\n"
        "argv = ['sh', '-c', 'read word; echo $word in $(pwd); exit 7']\n"
        f"sys.exit(hand_over(argv, cwd=Path({str(tmp_path)!r}), env=os.environ))"
    )
    done = subprocess.run([sys.executable, "-c", code], input="hello\n", capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (f"hello in {tmp_path}\n", 7)


def test_ctrl_c_is_for_the_program_that_has_the_terminal(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tallystick.process import hand_over\n"
        "argv = [sys.executable, '-c', 'import time\\ntry:\\n print(1, flush=True); time.sleep(60)"
        "\\nexcept KeyboardInterrupt:\\n raise SystemExit(9)']\n"
        f"sys.exit(hand_over(argv, cwd=Path({str(tmp_path)!r}), env=os.environ))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.killpg(child.pid, signal.SIGINT)
        assert child.wait(30) == 9


def test_a_program_that_can_not_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="`no-such-program` can't be started: No such file"):
        process.hand_over(["no-such-program"], cwd=tmp_path, env={"PATH": "/nowhere"})
