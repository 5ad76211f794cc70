"""One large file: add, one byte inserted, an empty clone, and back."""

import filecmp
import shutil
from pathlib import Path

import blake3

from benchmarks.contenders import Contender, begin
from benchmarks.measure import MIB, Bench, bytes_below
from benchmarks.small import Figures, Story

ADD = "add + commit"
PUSH = "push to a directory"
PULL = "clone + pull"
PULL_ONLY = "pull into an empty clone"
TOUCHED = "status, touched"
ADD_MORE = "one byte inserted: add + commit"
PUSH_MORE = "one byte inserted: push"
UPDATE = "one byte inserted: pull by the old clone"
SWITCH = "switch versions"
REFLINK = "add on xfs, which has reflinks"
GROWTH = "one byte inserted: new in the remote (% of the file)"
HASH, COPY = "b3sum", "cp"
LIMIT_OF = {ADD: COPY, PUSH: COPY, PULL: COPY, ADD_MORE: COPY, UPDATE: COPY, SWITCH: COPY, REFLINK: HASH}
NAME = "data/large.bin"


def write_large(path: Path, size: int) -> None:
    """Write a file of random bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hash that can be drawn out without end is the fastest source of bytes that nothing compresses.
    source = blake3.blake3(b"large")
    with path.open("wb") as output:
        for begin_at in range(0, size, MIB):
            output.write(source.digest(length=min(MIB, size - begin_at), seek=begin_at))


def insert_byte(path: Path, at: int) -> None:
    """Write the file anew with one byte more."""
    other = path.with_suffix(".new")
    with path.open("rb") as source, other.open("wb") as output:
        for begin_at in range(0, at, MIB):
            output.write(source.read(min(MIB, at - begin_at)))
        output.write(b"!")
        shutil.copyfileobj(source, output, MIB)
    other.replace(path)


def measure(bench: Bench, contender: Contender, size: int) -> tuple[Figures, float]:
    """Do every job once; return also by how many percent of the file the remote grew for one byte."""
    project = begin(bench, contender)
    story, large = Story(project), project.work / NAME
    write_large(large, size)
    story.do(ADD, contender.add, contender.commit, path=NAME)
    story.do(PUSH, contender.push, path=NAME)
    bench.run(contender.publish, project.work, **project.names)
    bench.settle()
    cost = bench.run(contender.clone, project.work, **project.names)
    cost += bench.run(contender.pull, project.clone, **project.names)
    story.figures[PULL] = cost + bench.settle()
    same_file(large, project.clone / NAME)
    insert_byte(large, size // 2)
    story.do(ADD_MORE, contender.add, contender.commit, path=NAME)
    before = bytes_below(project.kept)
    story.do(PUSH_MORE, contender.push, path=NAME)
    growth = bytes_below(project.kept) - before
    if contender.update:
        bench.run(contender.publish, project.work, **project.names)
        story.do(UPDATE, contender.update, contender.pull or ("true",), folder=project.clone)
        same_file(large, project.clone / NAME)
        story.do(SWITCH, contender.switch, commit="HEAD~1")
    return story.figures, 100 * growth / size


def memory(bench: Bench, contender: Contender, size: int) -> dict[str, dict[str, float]]:
    """Bring one file to a remote and from there into a clone; say what each step took, memory above all."""
    project = begin(bench, contender)
    write_large(project.work / NAME, size)
    story = Story(project)
    story.do(ADD, contender.add, contender.commit, path=NAME)
    (project.work / NAME).touch()
    story.do(TOUCHED, contender.status)
    story.do(PUSH, contender.push, path=NAME)
    bench.run(contender.publish, project.work, **project.names)
    bench.run(contender.clone, project.work, **project.names)
    story.do(PULL_ONLY, contender.pull, folder=project.clone)
    same_file(project.work / NAME, project.clone / NAME)
    costs = story.figures.items()
    return {
        "peak memory (MiB)": {job: cost.peak for job, cost in costs},
        "wall (s)": {job: cost.wall for job, cost in costs},
        "CPU (s)": {job: cost.cpu for job, cost in costs},
    }


def same_file(one: Path, other: Path) -> None:
    """Stop when other bytes came back."""
    if not filecmp.cmp(one, other, shallow=False):
        raise SystemExit(f"`{other}` came back with other bytes")


def reflink(bench: Bench, contender: Contender, size: int) -> Figures:
    """Add on a file system that can share a file's blocks."""
    project = begin(bench, contender)
    write_large(project.work / NAME, size)
    story = Story(project)
    story.do(REFLINK, contender.add, contender.commit, path=NAME)
    return story.figures


def limits(bench: Bench, size: int) -> Figures:
    """Copying the file, and reading and hashing it."""
    write_large(bench.scratch / "one", size)
    jobs = {COPY: "cp --reflink=never one two"}
    if bench.output("b3sum --version"):
        jobs[HASH] = "b3sum one"
    return {name: bench.durable([command]) for name, command in jobs.items()}
