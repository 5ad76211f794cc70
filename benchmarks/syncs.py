"""How often each program asks the system to make bytes durable."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import Contender, begin
from benchmarks.measure import Bench
from benchmarks.small import write_files

CALLS = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync")
FILES = 200


def measure(bench: Bench, contender: Contender) -> dict[str, str]:
    """Count the calls while 200 files of 4 KiB are added, pushed and pulled."""
    if not shutil.which("strace"):
        return {}
    project = begin(bench, contender)
    write_files(project.work / "data", FILES, 4096)
    names = project.names
    said = {
        "add + commit": _count(bench, [*contender.add, *contender.commit], project.work, names),
        "push": _count(bench, contender.push, project.work, names),
    }
    if contender.push != contender.publish:
        bench.run(contender.publish, project.work, **names)
    bench.run([contender.clone[0]] if not contender.pull else contender.clone, project.work, **names)
    said["pull"] = _count(bench, contender.pull, project.clone, names) if contender.pull else "–"
    return said


def _count(bench: Bench, commands: Sequence[str], folder: Path, names: dict[str, object]) -> str:
    seen: dict[str, int] = {}
    for command in commands:
        log = bench.scratch / "strace.log"
        traced = f"strace -f -qq -e trace={','.join(CALLS)} -o {log} {command}"
        bench.run([traced], folder, **names)
        for line in log.read_text(errors="replace").splitlines():
            call = line.split(maxsplit=1)[-1].split("(")[0]
            if call in CALLS:
                seen[call] = seen.get(call, 0) + 1
    return ", ".join(f"{number} {call}" for call, number in sorted(seen.items())) or "none"
