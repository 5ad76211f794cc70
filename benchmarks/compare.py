"""Measures Tallystick beside DVC and git on this machine: start-up, and a folder of small files.

    sh scripts/setup.sh && .venv/bin/python benchmarks/compare.py --files 10000

The first run installs DVC into a virtual environment of its own, `benchmarks/.venv`.
Trust the ratios, not the seconds.
"""

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(sys.executable).parent
PEERS = HERE / ".venv"
DVC = "dvc==3.67.1"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process and its children took."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Contender:
    """One program, and how it does each job; `{remote}` and `{origin}` stand for folders."""

    name: str
    version: str
    status: str
    begin: Sequence[str]
    add: Sequence[str]
    push: Sequence[str]
    pull: Sequence[str]


CONTENDERS = (
    Contender(
        "tally",
        "tally --version",
        "tally status",
        ["tally init", "tally remote add origin {remote}"],
        ["tally add data"],
        ["tally push"],
        ["tally pull"],
    ),
    Contender(
        "dvc",
        "dvc --version",
        "dvc status",
        ["dvc init -q", "dvc remote add -q -d origin {remote}"],
        ["dvc add -q data"],
        ["dvc push -q"],
        ["dvc pull -q"],
    ),
    Contender(
        "git",
        "git --version",
        "git status --short",
        [],
        ["git add data"],
        ["git push -q {origin} HEAD:refs/heads/main"],
        ["git pull -q"],
    ),
)


def environment(home: Path) -> dict[str, str]:
    """Settings that no user's own ones can bend."""
    return {
        "PATH": os.pathsep.join(map(str, [PROGRAMS, PEERS / "bin", *os.get_exec_path()])),
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.org",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.org",
        "DVC_NO_ANALYTICS": "1",
        "LC_ALL": "C.UTF-8",
    }


def _cpu() -> float:
    """The CPU time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    """Runs commands in a scratch folder and counts what they take."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.env = environment(scratch)

    def run(self, commands: Sequence[str], folder: Path) -> Cost:
        """Run the commands one after the other and return what they took together."""
        wall, before = time.perf_counter(), _cpu()
        for command in commands:
            done = subprocess.run(command.split(), cwd=folder, env=self.env, capture_output=True)
            if done.returncode:
                raise SystemExit(f"`{command}` ended with {done.returncode}: {done.stderr.decode()}")
        return Cost(time.perf_counter() - wall, _cpu() - before)

    def median(self, command: str, folder: Path, rounds: int) -> float:
        """Return the median CPU time of a command, in milliseconds, after a first call that doesn't count."""
        self.run([command], folder)
        return 1000 * statistics.median(self.run([command], folder).cpu for _ in range(rounds))

    def project(self, contender: Contender, name: str) -> tuple[Path, dict[str, str]]:
        """Make a repository with the contender set up in it; return it and the folders that commands name."""
        base = self.scratch / f"{contender.name}-{name}"
        places = {"remote": str(base / "remote"), "origin": str(base / "origin.git")}
        work = base / "work"
        work.mkdir(parents=True)
        (base / "remote").mkdir()
        self.run([f"git init -q --bare -b main {places['origin']}", "git init -q -b main"], work)
        self.run(["git commit -q --allow-empty -m First", f"git remote add origin {places['origin']}"], work)
        self.run([command.format(**places) for command in contender.begin], work)
        self.run(["git add -A", "git commit -q --allow-empty -m Begin"], work)
        return work, places


def write_files(folder: Path, count: int, size: int) -> None:
    """Write `count` files of `size` random bytes, a thousand to a folder."""
    source = random.Random(0)
    for number in range(count):
        target = folder / f"{number // 1000:04}" / f"{number:07}.bin"
        if number % 1000 == 0:
            target.parent.mkdir(parents=True)
        target.write_bytes(source.randbytes(size))


def start_up(bench: Bench, contender: Contender, rounds: int) -> dict[str, float]:
    """Measure how long the program thinks before it does anything, in CPU milliseconds."""
    work, _ = bench.project(contender, "start")
    return {
        "start-up (CPU ms)": bench.median(contender.version, work, rounds),
        "status, nothing tracked (CPU ms)": bench.median(contender.status, work, rounds),
    }


def small_files(bench: Bench, contender: Contender, count: int, size: int) -> dict[str, float]:
    """Measure a folder of small files from `add` to a fresh clone, in seconds."""
    work, places = bench.project(contender, "files")
    write_files(work / "data", count, size)

    def seconds(commands: Sequence[str], folder: Path = work) -> float:
        return bench.run([command.format(**places) for command in commands], folder).wall

    figures = {"add + commit (s)": seconds([*contender.add, "git add -A", "git commit -q -m Data"])}
    figures["status, unchanged (s)"] = seconds([contender.status])
    figures["push to a folder (s)"] = seconds(contender.push)
    figures["push, nothing new (s)"] = seconds(contender.push)
    # Outside the figures: every contender's pointers travel by git.
    seconds([f"git push -q {places['origin']} HEAD:refs/heads/main"])
    clone = work.parent / "clone"
    fresh = [] if contender.name == "git" else contender.pull
    cloned = seconds([f"git clone -q {places['origin']} {clone}"])
    figures["clone + pull (s)"] = cloned + (seconds(fresh, clone) if fresh else 0)
    same_tree(work / "data", clone / "data")
    return figures


def same_tree(one: Path, other: Path) -> None:
    """Stop when a pull did not bring back what was added: such a figure means nothing."""
    for path in one.rglob("*"):
        if path.is_file() and path.read_bytes() != (other / path.relative_to(one)).read_bytes():
            raise SystemExit(f"`{path}` came back with other bytes")


def install_peers() -> None:
    """Install DVC beside the benchmarks, once."""
    if not (PEERS / "bin/dvc").exists():
        uv = str(PROGRAMS / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", str(PEERS)], check=True)
        python = str(PEERS / "bin/python")
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, DVC], check=True)


def table(columns: dict[str, dict[str, float]]) -> str:
    """Lay the figures out as a Markdown table, with each peer's ratio to Tallystick."""
    names = list(columns)
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for job, own in columns[names[0]].items():
        cells = [_figure(own)]
        cells += [f"{_figure(columns[name][job])} ({columns[name][job] / own:.2g}×)" for name in names[1:]]
        lines.append(f"| {job} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def measure(job: Callable[[Contender], dict[str, float]], names: set[str]) -> str:
    """Measure every contender asked for and return the table."""
    return table({one.name: job(one) for one in CONTENDERS if one.name in names})


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=5000, help="how many small files (5000)")
    parser.add_argument("--size", type=int, default=4096, help="bytes in each (4096)")
    parser.add_argument("--rounds", type=int, default=9, help="calls for each start-up figure (9)")
    parser.add_argument("--only", nargs="+", default=["tally", "dvc", "git"], help="leave others out")
    parser.add_argument("--scratch", type=Path, help="where to work; a file system with a journal is fairer")
    options = parser.parse_args()
    names = {"tally", *options.only}
    if "dvc" in names:
        install_peers()
    scratch = Path(tempfile.mkdtemp(prefix="tally-bench-", dir=options.scratch))
    try:
        bench = Bench(scratch)
        bare = bench.median(f"{sys.executable} -S -c 0", scratch, options.rounds)
        print(f"bare Python: {bare:.0f} CPU ms\n")
        print(measure(lambda one: start_up(bench, one, options.rounds), names))
        print(f"\n{options.files:,} files of {options.size:,} bytes\n")
        print(measure(lambda one: small_files(bench, one, options.files, options.size), names))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
