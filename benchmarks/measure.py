"""Runs commands in a scratch folder and counts what they take."""

import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(sys.executable).parent
PEERS = HERE / ".venv"
DEBIAN = HERE / ".debian"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What some commands took: seconds, seconds of CPU, and MiB of the largest process."""

    wall: float
    cpu: float
    peak: float

    def __add__(self, other: "Cost") -> "Cost":
        """One after the other."""
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak))


def middle(costs: Iterable[Cost]) -> Cost:
    """The median of each part; of memory the largest."""
    seen = list(costs)
    wall, cpu = (statistics.median(part) for part in zip(*((one.wall, one.cpu) for one in seen), strict=True))
    return Cost(wall, cpu, max(one.peak for one in seen))


def environment(home: Path) -> dict[str, str]:
    """Settings that no user's own ones can bend."""
    return {
        "PATH": os.pathsep.join(map(str, [PROGRAMS, PEERS / "bin", DEBIAN / "usr/bin", *os.get_exec_path()])),
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.org",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.org",
        "GIT_TERMINAL_PROMPT": "0",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "RESTIC_PASSWORD": "bench",
        "LC_ALL": "C.UTF-8",
    }


class Bench:
    """A scratch folder, and commands that run in it."""

    def __init__(self, scratch: Path, **more: str) -> None:
        self.scratch = scratch
        self.env = environment(scratch) | more

    def run(self, commands: Sequence[str], folder: Path | None = None, **names: object) -> Cost:
        """Run commands one after the other; names in braces stand for what is given."""
        total = Cost(0, 0, 0)
        for command in commands:
            total += self.call(shlex.split(command.format(**names)), folder or self.scratch)
        return total

    def call(self, argv: Sequence[str], folder: Path) -> Cost:
        """Run one program to its end."""
        log = self.scratch / "output.log"
        with log.open("wb") as output:
            begin = time.perf_counter()
            process = subprocess.Popen(
                argv, cwd=folder, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            # Of this child and its own children only; `getrusage` would keep the largest of all.
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said = log.read_text(errors="replace")[-2000:]
            raise SystemExit(f"`{shlex.join(argv)[:500]}` ended with {process.returncode}: {said}")
        return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def durable(self, commands: Sequence[str], folder: Path | None = None, **names: object) -> Cost:
        """Run commands; the clock stops when all they wrote is on the disk, whoever has to see to that."""
        self.settle()
        return self.run(commands, folder, **names) + self.settle()

    def settle(self) -> Cost:
        """Make what was written so far durable."""
        return self.call(["sync", "-f", str(self.scratch)], self.scratch)

    def output(self, command: str) -> str:
        """What a program prints, or nothing when it isn't there."""
        try:
            done = subprocess.run(command.split(), cwd=self.scratch, env=self.env, capture_output=True)
        except FileNotFoundError:
            return ""
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def note(text: str) -> None:
    """Say on standard error what is being measured."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def bytes_below(folder: Path) -> int:
    """How many bytes the files of a folder have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
