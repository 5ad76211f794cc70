"""What runs and their receipts cost: a thousand stages, ten thousand deps, a long ledger, the audit hook."""

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.histories import TALLY, apart, begin, ledger, stages
from benchmarks.measure import Bench, Cost, middle, note

ROUNDS = 5
OPENS = 20
"""How often a stage reads each of its files, for the audit hook."""

READING = f"""\
import glob
for _ in range({OPENS}):
    for path in glob.glob("d/*"):
        with open(path, "rb") as file:
            file.read()
open("y", "w").write("done")
"""

Job = Callable[[], Cost]


def measure(bench: Bench, stage_count: int, dep_count: int, run_count: int) -> dict[str, Cost]:
    """Measure all; each figure is a median, and what is compared is measured in turn."""
    own = apart(bench)
    figures = _stages(own, stage_count)
    figures |= _deps(own, dep_count)
    figures |= _hook(own, dep_count)
    return figures | _log(own, run_count)


def _stages(bench: Bench, count: int) -> dict[str, Cost]:
    note(f"{count:,} stages")
    work = stages(bench, count)
    what = f"{count:,} stages"
    return _in_turn(
        {
            f"{what}: status": lambda: bench.run([f"{TALLY} status"], work),
            f"{what}: run, nothing to do": lambda: bench.run([f"{TALLY} run"], work),
        }
    )


def _deps(bench: Bench, count: int) -> dict[str, Cost]:
    """A command that does nothing, with many deps and with one: the difference is what deps cost."""
    note(f"{count:,} deps")
    names = [f"d/f{number:06}.csv" for number in range(count)]
    files = {name: f"{name}\n" * 20 for name in names}
    works = {
        f"{count:,} deps, each named": begin(bench, "many", _pipeline("true > y", names), files),
        f"a folder of {count:,} files as dep": begin(bench, "folder", _pipeline("true > y", ["d"]), files),
        "one dep": begin(bench, "one", _pipeline("true > y", names[:1]), {names[0]: "1\n"}),
    }
    figures = _forced(bench, works)
    own = bench.scratch / "one"
    bare = _in_turn({"the command alone": lambda: bench.call(["sh", "-c", "true > y"], own)})
    return bare | figures


def _hook(bench: Bench, count: int) -> dict[str, Cost]:
    """A Python program that opens files and does little else, with the audit hook and without."""
    note(f"{count * OPENS:,} opens")
    files = {f"d/{number:06}": str(number) for number in range(count)} | {"read.py": READING}
    works = {}
    for trace in ("none", "python"):
        text = _pipeline("python read.py", ["d", "read.py"], trace)
        works[f"{count * OPENS:,} opens, `trace: {trace}`"] = begin(bench, f"hook-{trace}", text, files)
    return _forced(bench, works)


def _log(bench: Bench, count: int) -> dict[str, Cost]:
    note(f"{count:,} runs in the ledger")
    work = ledger(bench, count)
    return _in_turn({f"log -n 50 of {count:,} runs": lambda: bench.run([f"{TALLY} log -n 50"], work)})


def _pipeline(cmd: str, deps: list[str], trace: str = "python") -> str:
    listed = "".join(f"    - {dep}\n" for dep in deps)
    return f"stages:\n  a:\n    cmd: {cmd}\n    trace: {trace}\n    deps:\n{listed}    outs: [y]\n"


def _forced(bench: Bench, works: Mapping[str, Path]) -> dict[str, Cost]:
    """Run a stage of each project that has run before."""
    for work in works.values():
        bench.run([f"{TALLY} run --trust"], work)
    return _in_turn(
        {
            f"run: {name}": lambda work=work: bench.run([f"{TALLY} run --force"], work)
            for name, work in works.items()
        }
    )


def _in_turn(jobs: Mapping[str, Job]) -> dict[str, Cost]:
    """The medians of jobs that are done one after the other, again and again; a first time doesn't count."""
    seen: dict[str, list[Cost]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            seen[name].append(job())
    return {name: middle(costs) for name, costs in seen.items()}
