"""Writes down what would take hours to run: a thousand stages that ran, and a hundred thousand runs of one.

One stage runs; the receipts of all others are its own with other names, paths, digests and times, written by
the program's own code, so that every command takes them for what they are.
"""

import json
import os
import shlex
import time
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import PROGRAMS, Bench
from tallystick.digest import Digest
from tallystick.project import open_project
from tallystick.records import pointer, receipt
from tallystick.records.receipt import Artifact, Receipt

TALLY = f"{PROGRAMS / 'tally'}"
GIT = ("git add -A", "git commit -q -m work")
IGNORED = "# tally: every file of this kind has a pointer beside it\n"
Run = tuple[int, bytes]
"""When a run came into the ledger, and its receipt."""


def apart(bench: Bench) -> Bench:
    """The same scratch folder, and a Python with no packages, for the environment that every run captures."""
    home = bench.scratch / "python"
    venv.create(home, symlinks=True)
    return Bench(bench.scratch, PATH=os.pathsep.join([str(home / "bin"), os.defpath]))


def begin(bench: Bench, name: str, pipeline: str, files: dict[str, str]) -> Path:
    """A project with a pipeline and files that git keeps."""
    work = bench.scratch / name
    for path, text in {"tally.yaml": pipeline, **files}.items():
        place = work / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    bench.run(["git init -q", f"{TALLY} init", *GIT], work)
    return work


def stages(bench: Bench, count: int) -> Path:
    """A pipeline of so many stages that have all run; every other one reads what the one before it makes."""
    text = "stages:\n"
    for number in range(count):
        dep = _dep(number)
        text += f"  s{number}:\n    cmd: cp {dep} out/{number}\n    deps: [{dep}]\n    params: [lr]\n"
        text += f"    outs: [out/{number}]\n    trace: none\n"
    work = begin(
        bench, "stages", text, {f"in/{n}": str(n) for n in range(count)} | {"params.yaml": "lr: 1\n"}
    )
    bench.run([f"{TALLY} run --trust s0"], work)
    first = receipt.parse((work / "receipts/s0.json").read_bytes())
    _append(bench, work, [_stage(work, first, number) for number in range(1, count)])
    (work / "out/.gitignore").write_text(IGNORED + "".join(f"/{number}\n" for number in range(count)))
    with open_project(work, Path(bench.env["HOME"])).store.writer() as writer:
        for number in range(0, count, 2):
            writer.add(str(number).encode())
    bench.run([*GIT, f"{TALLY} run --trust"], work)
    if "Nothing to do" not in (bench.scratch / "output.log").read_text():
        raise SystemExit("the stages that were written down count as stale")
    return work


def _dep(number: int) -> str:
    return f"out/{number - 1}" if number % 2 else f"in/{number}"


def _stage(work: Path, first: Receipt, number: int) -> Run:
    """Write down that a stage ran: its out, the pointer, the receipt."""
    data = str(number - number % 2).encode()
    digest, out = Digest.of(data), f"out/{number}"
    (work / out).write_bytes(data)
    told = pointer.Pointer(str(number), "file", digest, len(data), stage=f"s{number}")
    (work / f"{out}.tally").write_bytes(pointer.render(told))
    ran = replace(
        first,
        stage=f"s{number}",
        cmd=f"cp {_dep(number)} {out}",
        deps=(Artifact(_dep(number), "file", digest, len(data)),),
        outs=(Artifact(out, "file", digest, len(data)),),
    )
    text = receipt.render(ran)
    (work / f"receipts/s{number}.json").write_bytes(text)
    return int(time.time()), text


def ledger(bench: Bench, count: int) -> Path:
    """A project with so many runs of one stage in its ledger, one a minute."""
    work = begin(bench, "ledger", 'stages:\n  train:\n    cmd: "echo 1 > y"\n    outs: [y]\n', {})
    bench.run([f"{TALLY} run --trust", *GIT], work)
    first = receipt.parse((work / "receipts/train.json").read_bytes())
    _append(bench, work, _runs(first, count))
    return work


def _runs(first: Receipt, count: int) -> Iterator[Run]:
    began = int(time.time()) - 60 * count
    values = json.loads(receipt.render(first))
    for number in range(count):
        at = began + 60 * number
        values["started"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        values["metrics"] = {"metrics.json": {"accuracy": number / count}}
        values["params"] = {"params.yaml": {"lr": 0.1, "epochs": number}}
        yield at, json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _append(bench: Bench, work: Path, runs: Iterator[Run] | list[Run]) -> None:
    """Put receipts into the ledger as one run after the other does, but all at once."""
    stream = bench.scratch / "ledger.import"
    parent = b"from refs/tally/ledger^0\n"
    with stream.open("wb") as file:
        for at, text in runs:
            name = Digest.of(text).hex().encode()
            path = b"runs/%s/%s/receipt.json" % (name[:2], name)
            message = b"run " + name
            file.write(b"commit refs/tally/ledger\ncommitter Bench <bench@example.org> %d +0000\n" % at)
            file.write(b"data %d\n%s\n%s" % (len(message), message, parent))
            file.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(text), text))
            parent = b""
    bench.call(["sh", "-c", f"git fast-import --quiet < {shlex.quote(str(stream))}"], work)
    stream.unlink()
