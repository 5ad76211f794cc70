"""Start-up, and what thousands of pointers cost a command that names one of them."""

import random
import statistics
from pathlib import Path

from benchmarks.contenders import Contender, begin
from benchmarks.measure import Bench, note

BATCH = 1000
ADD = "add of one changed file (CPU ms)"
STATUS = "status of one path (CPU ms)"
PUSH = "push of one path (CPU ms)"
FULL = "status of everything (CPU ms)"
ROUNDS = 5


def start_up(bench: Bench, contender: Contender, rounds: int) -> dict[str, float]:
    """Measure how long a program thinks before it does anything."""
    project = begin(bench, contender)
    return {
        "start-up (CPU ms)": milliseconds(bench, contender.version, project.work, rounds),
        "status, nothing tracked (CPU ms)": milliseconds(bench, contender.status[0], project.work, rounds)
        if contender.status
        else float("nan"),
    }


def milliseconds(bench: Bench, command: str, folder: Path, rounds: int) -> float:
    """Return the median CPU time of a command, after a first call that doesn't count."""
    bench.run([command], folder)
    return 1000 * statistics.median(bench.run([command], folder).cpu for _ in range(rounds))


def measure(bench: Bench, contender: Contender, count: int) -> dict[str, float]:
    """Track that many files by a pointer each; then act on one."""
    project = begin(bench, contender)
    work, paths = project.work, [f"data/{number // 100:04}/{number:06}.bin" for number in range(count)]
    for path in paths:
        _write(work / path, path)
    for first in range(0, count, BATCH):
        note(f"{contender.name}: {first:,} of {count:,} pointers")
        bench.run(contender.add, work, path=" ".join(paths[first : first + BATCH]))
    bench.run([*contender.commit, *contender.push], work, **project.names)
    one = paths[count // 2]
    taken: dict[str, list[float]] = {ADD: [], STATUS: [], PUSH: [], FULL: []}
    for number in range(ROUNDS):
        _write(work / one, f"{one} {number}")
        jobs = {ADD: contender.add[0], STATUS: f"{contender.status[0]} {one}"}
        jobs |= {PUSH: f"{contender.push[0]} {one}", FULL: contender.status[0]}
        for job, command in jobs.items():
            taken[job].append(1000 * bench.run([command], work, path=one).cpu)
    return {job: statistics.median(seen) for job, seen in taken.items()}


def _write(path: Path, seed: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.Random(seed).randbytes(4096))
