"""Many small files: from `add` to a fresh clone, a change, and back."""

import os
import random
import shutil
from pathlib import Path

from benchmarks.contenders import Commands, Contender, Project, begin
from benchmarks.measure import Bench, Cost, middle

ADD = "add + commit"
CLEAN = "status, nothing changed"
TOUCHED = "status, all touched"
PUSH = "push to a directory"
IDLE = "push, nothing new"
PULL = "clone + pull"
ADD_MORE = "1% changed: add + commit"
PUSH_MORE = "1% changed: push"
SWITCH = "switch versions, 1% apart"
RESTORE = "checkout all, tree deleted"
HASH, STAT, COPY_ONE, COPY, TAR = (
    "b3sum of all",
    "find, one stat each",
    "cp of one file",
    "cp -r",
    "tar | tar",
)
LIMIT_OF = {ADD: HASH, CLEAN: STAT, PUSH: COPY_ONE, PULL: COPY, RESTORE: COPY}
REPEATS = 3
COMPARED = 100_000
"""Files whose contents are compared after a pull."""

Figures = dict[str, Cost]


def write_files(folder: Path, count: int, size: int, every: int = 1, seed: int = 0) -> None:
    """Write files of random bytes, a thousand to a folder; or only each `every`th of them."""
    for number in range(0, count, every):
        target = folder / f"{number // 1000:04}" / f"{number:07}.bin"
        if number % 1000 == 0:
            target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(random.Random(f"{seed}/{number}").randbytes(size))


def touch(folder: Path) -> None:
    """Give every file a new time."""
    for parent, _, names in os.walk(folder):
        for name in names:
            os.utime(os.path.join(parent, name))


class Story:
    """One contender's repository, and the jobs done in it so far."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.figures: Figures = {}

    def do(
        self, job: str, *commands: Commands, folder: Path | None = None, times: int = 1, **names: object
    ) -> None:
        """Measure a job, if this contender can do it."""
        project = self.project
        wanted = [command for part in commands for command in part]
        if wanted and all(commands):
            places = project.names | names
            costs = [project.bench.durable(wanted, folder or project.work, **places) for _ in range(times)]
            self.figures[job] = middle(costs)


def measure(bench: Bench, contender: Contender, count: int, size: int) -> Figures:
    """Do every job once, the ones that change nothing three times."""
    project = begin(bench, contender)
    story, data = Story(project), project.work / "data"
    write_files(data, count, size)
    story.do(ADD, contender.add, contender.commit)
    times = REPEATS if count <= COMPARED else 1
    story.do(CLEAN, contender.status, times=times)
    touch(data)
    story.do(TOUCHED, contender.status)
    story.do(PUSH, contender.push)
    story.do(IDLE, contender.push, times=times)
    _pull(story)
    _second_version(story, count, size)
    shutil.rmtree(data)
    story.do(RESTORE, contender.restore)
    return story.figures


def _pull(story: Story) -> None:
    project, contender = story.project, story.project.contender
    if contender.push != contender.publish:
        # Outside the figures: every contender's pointers travel by git.
        project.bench.run(contender.publish, project.work, **project.names)
    bench, names = project.bench, project.names
    bench.settle()
    cost = bench.run(contender.clone, project.work, **names)
    cost += bench.run(contender.pull, project.clone, **names)
    story.figures[PULL] = cost + bench.settle()
    same_tree(project.work / "data", project.clone / "data")
    shutil.rmtree(project.clone)


def _second_version(story: Story, count: int, size: int) -> None:
    project, contender = story.project, story.project.contender
    write_files(project.work / "data", count, size, every=100, seed=1)
    story.do(ADD_MORE, contender.add, contender.commit)
    story.do(PUSH_MORE, contender.push)
    if contender.switch:
        there = project.bench.durable(contender.switch, project.work, commit="HEAD~1")
        back = project.bench.durable(contender.switch, project.work, commit="main")
        story.figures[SWITCH] = middle([there, back])


def same_tree(one: Path, other: Path) -> None:
    """Stop when a pull did not bring back what was added: such a figure means nothing."""
    names = _names(one)
    if names != _names(other):
        raise SystemExit(f"`{other}` has not the files of `{one}`")
    # Of very many, the contents of some: reading all would take longer than the pull.
    for name in sorted(names)[:: 1 + len(names) // COMPARED]:
        if (one / name).read_bytes() != (other / name).read_bytes():
            raise SystemExit(f"`{other / name}` came back with other bytes")


def _names(folder: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, names in os.walk(folder)
        for name in names
    }


def limits(bench: Bench, count: int, size: int) -> Figures:
    """Measure what no program that does this work can do much without."""
    data, one = bench.scratch / "data", bench.scratch / "one"
    write_files(data, count, size)
    with one.open("wb") as output:
        for path in sorted(data.rglob("*.bin")):
            output.write(path.read_bytes())
    jobs: dict[str, str] = {
        STAT: "find data -type f -size +100M",
        COPY_ONE: "cp one two",
        COPY: "cp -r data copy",
        TAR: "sh -c 'mkdir tar && tar cf - data | tar xf - -C tar'",
    }
    if bench.output("b3sum --version"):
        jobs[HASH] = "sh -c 'find data -type f -print0 | xargs -0 b3sum > sums'"
    return {name: _limit(bench, command) for name, command in jobs.items()}


def _limit(bench: Bench, command: str) -> Cost:
    return bench.durable([command])
