"""Run other programs: the only door to them."""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Event
from typing import IO, Self

from tallystick.errors import ProgramFailed, Refused, TallyError
from tallystick.frozen import dataclass

PATIENCE = 5.0
"""Seconds that a program gets to end by itself after each signal."""

GLANCE = 0.1
"""Seconds between two looks at whether a program shall be stopped."""

PIECE = 1 << 16

_KEEPER = """
goes_on() {
    for pause in 0.1 0.4 0.5 "$@"; do
        sleep "$pause"
        kill -s 0 -- "-$group" || return 1
    done
}
if read -r group; then
    read -r over && exit 0
else
    for place in /proc/[0-9]*; do
        [ -n "$mark" ] && tr '\\0' '\\n' < "$place/environ" | grep -qxF -e "$mark" || continue
        kill -s 0 -- "-${place#/proc/}" && group="${place#/proc/}" && break
    done
fi
[ -n "$group" ] && kill -s TERM -- "-$group" && goes_on 1 1 1 1 && kill -s KILL -- "-$group" && goes_on 1
[ "$#" -eq 0 ] || exec "$@"
"""
"""What a keeper does: once its input ends without a word, it ends the process group that it was told.

If it was told none, this process was killed just as it started a program: one that has the mark in its
environment is looked for, where the system shows such things.
Last it becomes the farewell, if there is one.
"""

_HELP = "from tallystick.__main__ import help_out; help_out()"

ENDING = 30.0
"""Seconds after which a keeper has surely ended what it was to end, on a busy machine, too."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Its output as text, without the last line's end."""
        return self.stdout.decode(errors="surrogateescape").rstrip("\n")

    @property
    def complaint(self) -> str:
        """What it wrote to stderr, for an error message."""
        return self.stderr.decode(errors="replace").strip()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a program may take, and the size of the largest file that it may write."""

    seconds: float
    largest: int


@cache
def find(program: str, path: str | None = None) -> str:
    """Where a program lies, never in the current folder; raise Refused if it is nowhere on PATH."""
    search = os.environ.get("PATH", os.defpath) if path is None else path
    for folder in filter(os.path.isabs, search.split(os.pathsep)):
        place = os.path.join(folder, program)
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    raise Refused(f"the program `{program}` is not on PATH", hint=f"install {program}")


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    data: bytes = b"",
    check: bool = True,
    timeout: float | None = None,
) -> Completed:
    """Run a program to its end, `data` on its stdin; raise ProgramFailed if `check` and it fails."""
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=env, input=data, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TallyError(f"`{argv[0]}` did not end within {timeout} s") from error
    except OSError as error:
        raise TallyError(f"`{argv[0]}` can't be started: {error.strerror}") from error
    completed = Completed(done.returncode, done.stdout, done.stderr)
    if check and completed.exit_code != 0:
        words = " ".join(argv[:3])
        complaint = completed.complaint
        raise ProgramFailed(f"`{words}` ended with exit code {completed.exit_code}: {complaint}", complaint)
    return completed


def pour(
    argv: Sequence[str], *, env: Mapping[str, str], source: IO[bytes], into: IO[bytes], limits: Limits
) -> Completed:
    """Run a program with a file as its stdin and another as its stdout; what it complains of is cut short.

    No file that it writes grows beyond the limit; once the time is over it is ended, with all it started.
    """
    # A shell sets the limit, which counts blocks of 512 bytes: nothing of ours runs between fork and exec.
    words = ["/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(limits.largest // 512 + 1), *argv]
    with tempfile.TemporaryFile() as complaints:
        try:
            child = subprocess.Popen(
                words, env=env, stdin=source, stdout=into, stderr=complaints, start_new_session=True
            )
        except OSError as error:
            raise TallyError(f"`{argv[0]}` can't be started: {error.strerror}") from error
        try:
            code = child.wait(limits.seconds)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise TallyError(f"`{argv[0]}` did not end within {limits.seconds:g} s") from error
            raise
        complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - PIECE))
        return Completed(code, b"", complaints.read(PIECE))


def lives(process: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def hand_over(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run a program that has terminal, input and output to itself; return its exit code.

    It is looked for on the PATH of `env`. Ctrl-C is the program's to answer: it reaches both.
    """
    try:
        child = subprocess.Popen(argv, cwd=cwd, env=env)
    except OSError as error:
        raise Refused(f"`{argv[0]}` can't be started: {error.strerror}") from error
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else 128 - code


class Helper:
    """A module of ours, its `main`, in a Python process of its own, beside this one.

    It finds modules where this process does: searching for them anew would take a third of its start. Its
    stdin is open for as long as this process lives, and closed even if it is killed. Ctrl-C does not
    reach it.
    """

    def __init__(self, module: str, inherited: Sequence[int]) -> None:
        """Start it with some open descriptors; their numbers are its arguments."""
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-S", "-P", "-c", _HELP, module, *map(str, inherited)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=inherited,
                start_new_session=True,
            )
        except OSError as error:
            raise TallyError(f"a helper process can't be started: {error.strerror}") from error

    def wait(self) -> int:
        """Wait until it has ended; return its exit code."""
        code = self._child.wait()
        if self._child.stdin is not None:
            self._child.stdin.close()
        return code


class _Keeper:
    """A process that ends a program, and all that it started, where this process is killed before.

    Nothing else could: no signal tells a program that who started it is gone, and it may never write a word.
    It shares the locks that it is given, so that nobody takes what a program still works on for free.
    """

    def __init__(
        self, locks: Sequence[int], farewell: Sequence[str], env: Mapping[str, str], mark: str
    ) -> None:
        self._child = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "sh", *farewell],
            env={"PATH": os.defpath, **(env if farewell else {}), "mark": mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=locks,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def keep(self, group: int) -> None:
        """Say which process group it is."""
        self._say(str(group))

    def __exit__(self, *_: object) -> None:
        self._say("over")
        with suppress(OSError):
            self._input.close()
        self._child.wait()

    @property
    def _input(self) -> IO[bytes]:
        assert self._child.stdin is not None
        return self._child.stdin

    def _say(self, word: str) -> None:
        with suppress(OSError):  # it was killed itself: the program goes on without one
            self._input.write(f"{word}\n".encode())
            self._input.flush()


def stream(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: Callable[[bytes], None],
    timeout: float | None = None,
    stop: Event | None = None,
    locks: Sequence[int] = (),
    farewell: Sequence[str] = (),
    mark: str = "",
) -> int:
    """Run a program, handing on its stdout and stderr, mixed, as they come; return its exit code.

    It gets a process group of its own, no stdin, and on Ctrl-C or `timeout` (seconds; raises TimeoutError)
    SIGINT, then SIGTERM, then SIGKILL, to the whole group. A death by signal n is exit code 128 + n.
    In a thread, which no Ctrl-C reaches, `stop` is the same: once it is set, KeyboardInterrupt is raised.
    If this process is killed, the group is ended too; until then `locks` (open descriptors) stay taken.
    `farewell` is a command that ends what the program started elsewhere, if the program did not come to an
    end of its own: a container goes on without whoever asked for it. `mark` is `NAME=value` of a variable
    that no other program has.
    """
    with _Keeper(locks, farewell, env, mark) as keeper:
        try:
            child = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            output(f"{argv[0]}: {error.strerror}\n".encode())
            return 127
        try:
            keeper.keep(child.pid)
            _hand_on(child, output, timeout, stop)
            code = child.wait()
        except BaseException:
            _stop(child, lambda: _bid(farewell, env))
            raise
        if code < 0:
            _bid(farewell, env)
        return code if code >= 0 else 128 - code


def _bid(farewell: Sequence[str], env: Mapping[str, str]) -> None:
    """End what a program left behind elsewhere, if anything is said to do so; there may be nothing left."""
    if farewell:
        with suppress(TallyError):
            run(farewell, env=env, check=False, timeout=PATIENCE * 6)


def _hand_on(
    child: "subprocess.Popen[bytes]",
    output: Callable[[bytes], None],
    timeout: float | None,
    stop: Event | None,
) -> None:
    """Copy the child's output until it closes it, or raise TimeoutError or KeyboardInterrupt."""
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    deadline = None if timeout is None else time.monotonic() + timeout
    with child.stdout, selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"did not end within {timeout} s")
            if stop is not None:
                if stop.is_set():
                    raise KeyboardInterrupt
                left = GLANCE if left is None else min(left, GLANCE)
            if not selector.select(left):
                continue
            piece = os.read(descriptor, PIECE)
            if not piece:
                return
            output(piece)


def _stop(child: "subprocess.Popen[bytes]", bid: Callable[[], None]) -> None:
    """End a program and everything it started, gently first; what it left elsewhere follows the first signal.

    The group is asked, not only the program: a shell's background jobs ignore SIGINT and outlive it.
    """
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if signal_number != signal.SIGINT:
            bid()
        deadline = time.monotonic() + PATIENCE
        try:
            os.killpg(child.pid, signal_number)
            while time.monotonic() < deadline:
                if child.poll() is not None:
                    os.killpg(child.pid, 0)
                    # What ignored the first signal will not follow it later.
                    deadline = min(deadline, time.monotonic() + PATIENCE / 10)
                time.sleep(0.02)
        except ProcessLookupError:
            bid()
            break
    child.wait()
