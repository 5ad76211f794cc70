"""The programs that are compared, and how each of them does the same jobs."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Bench

Commands = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """One program; `{path}`, `{remote}`, `{origin}`, `{clone}` and `{commit}` stand for what is meant."""

    name: str
    version: str
    begin: Commands = ()
    add: Commands = ()
    commit: Commands = ("git add -A", "git commit -q -m Data")
    status: Commands = ()
    push: Commands = ()
    publish: Commands = ("git push -q {origin} HEAD:refs/heads/main",)
    clone: Commands = ("git clone -q {origin} {clone}",)
    pull: Commands = ()
    update: Commands = ("git pull -q",)
    switch: Commands = ()
    restore: Commands = ()
    bucket: Commands = ()
    keeps: str = "remote"


TALLY = Contender(
    "tally",
    version="tally --version",
    begin=("tally -q init", "tally -q remote add origin {remote}"),
    add=("tally -q add {path}",),
    status=("tally status",),
    push=("tally -q push",),
    pull=("tally -q pull",),
    switch=("tally -q checkout {commit}",),
    restore=("tally -q checkout",),
    bucket=("tally -q init", "tally -q remote add origin {url} -o endpointurl={endpoint}"),
)
DVC = Contender(
    "DVC",
    version="dvc --version",
    begin=("dvc init -q", "dvc config core.check_update false", "dvc remote add -q -d origin {remote}"),
    add=("dvc add -q {path}",),
    status=("dvc status",),
    push=("dvc push -q",),
    pull=("dvc pull -q",),
    switch=("git checkout -q {commit}", "dvc checkout -q"),
    restore=("dvc checkout -q",),
    bucket=(
        "dvc init -q",
        "dvc config core.check_update false",
        "dvc remote add -q -d origin {url}",
        "dvc remote modify origin endpointurl {endpoint}",
    ),
)
GIT = Contender(
    "git",
    version="git --version",
    add=("git add {path}",),
    status=("git status --short",),
    push=("git push -q {origin} HEAD:refs/heads/main",),
    switch=("git checkout -q {commit}",),
    restore=("git checkout -q -- {path}",),
    keeps="origin.git",
)
LFS = Contender(
    "git-lfs",
    version="git lfs version",
    begin=("git lfs install", "git lfs track data/**"),
    add=("git add {path}",),
    status=("git status --short",),
    push=("git push -q origin HEAD:refs/heads/main",),
    switch=("git checkout -q {commit}",),
    restore=("git checkout -q -- {path}",),
    keeps="origin.git",
)
RESTIC = Contender(
    "restic",
    version="restic version",
    begin=("restic -q init -r {remote}",),
    commit=(),
    push=("restic -q -r {remote} backup {path}",),
    publish=(),
    clone=("mkdir {clone}",),
    pull=("restic -q -r {remote} restore latest --target {clone}",),
    update=(),
)
CONTENDERS = (TALLY, DVC, GIT, LFS, RESTIC)


@dataclass(frozen=True, slots=True)
class Project:
    """A repository with a contender set up in it."""

    bench: Bench
    contender: Contender
    work: Path
    remote: Path
    origin: str

    @property
    def names(self) -> dict[str, object]:
        """What the words in braces stand for."""
        return {"path": "data", "remote": self.remote, "origin": self.origin, "clone": self.clone}

    @property
    def kept(self) -> Path:
        """Where this contender's pushes go."""
        return self.work.parent / self.contender.keeps

    @property
    def clone(self) -> Path:
        """Where the second user works."""
        return self.work.parent / "clone"


def begin(bench: Bench, contender: Contender, commands: Commands | None = None, **names: object) -> Project:
    """Make a repository, its origin and an empty remote."""
    base = bench.scratch / "project"
    work, remote = base / "work", base / "remote"
    work.mkdir(parents=True)
    remote.mkdir()
    # By URL, so that git copies as it would from elsewhere instead of linking files.
    origin = f"file://{base / 'origin.git'}"
    bench.run(["git init -q --bare -b main ../origin.git", "git init -q -b main"], work)
    bench.run(["git commit -q --allow-empty -m First", f"git remote add origin {origin}"], work)
    project = Project(bench, contender, work, remote, origin)
    bench.run(contender.begin if commands is None else commands, work, **(project.names | names))
    bench.run(["git add -A", "git commit -q --allow-empty -m Begin"], work)
    return project
