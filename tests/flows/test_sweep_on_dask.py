"""`tally sweep --on dask://…`: workers fetch code by git and data from the remote, and send both back."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import OUTER
from tests.flows.conftest import Stages
from tests.sandbox import GIT_CONFIG, Repo, sealed_environment

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

CLUSTER = """\
import sys, time
from distributed import LocalCluster

if __name__ == "__main__":
    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        local_directory=sys.argv[1],
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""

STAGES = """\
stages:
  join:
    cmd: sh join.sh
    deps: [join.sh, data]
    params: [lr, depth]
    variables: [FLAVOUR]
    outs: [joined]
    metrics: [metrics.json]
"""

JOIN = """\
echo "depth $(sed -n 's/^depth: //p' params.yaml)"
test "$(sed -n 's/^depth: //p' params.yaml)" != 4 || exit 3
test ! -e wait.txt || sleep 600
mkdir joined
cat data/a.txt params.yaml code.txt > joined/all.txt
echo "{\\"flavour\\": ${#FLAVOUR}, \\"depth\\": $(sed -n 's/^depth: //p' params.yaml)}" > metrics.json
"""


class Cluster:
    """A scheduler with two workers in a process of its own."""

    def __init__(self, folder: Path, lean: Path) -> None:
        script, home = folder / "cluster.py", folder / "home"
        home.mkdir()
        script.write_text(CLUSTER)
        (home / ".gitconfig").write_text(GIT_CONFIG)
        self.scratch = folder / "scratch"
        # The same Python as here, so that runs are made from the same environment.
        path = os.pathsep.join([str(lean), "/usr/local/bin", "/usr/bin", "/bin"])
        own = {"WORKER_TOKEN": "token-of-the-worker", "PATH": path}
        with (folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(script), str(self.scratch)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**sealed_environment(OUTER, home), **own},
                cwd=folder,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().decode().strip().replace("tcp://", "dask://")
        assert self.address, (folder / "log.txt").read_text()

    def end(self) -> None:
        """End it and all its workers."""
        with self.process, contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, lean: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("cluster"), lean)
    yield started
    started.end()


@pytest.fixture
def brief_cluster(tmp_path_factory: pytest.TempPathFactory, lean: Path) -> Iterator[Cluster]:
    """Return a cluster that the test may end."""
    started = Cluster(tmp_path_factory.mktemp("brief"), lean)
    yield started
    started.end()


class Afar(Stages):
    """A project with data at a remote and code at a git remote."""

    hub: Path

    def sweep(self, cluster: Cluster, *args: str, code: int = 0) -> Any:
        """Sweep on a cluster, with `--json`."""
        ran = self.tally.process("sweep", "--json", *args, "--on", cluster.address, code=code)
        return ran.json()

    def refs(self) -> str:
        """Return what lies at git's remote besides branches."""
        return self.repo.git("--git-dir", str(self.hub), "for-each-ref", "refs/tally")


@pytest.fixture
def afar(bare: Stages, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Afar:
    stages = Afar(bare.repo, bare.tally)
    stages.hub = tmp_path / "hub.git"
    monkeypatch.setenv("FLAVOUR", "sweet")
    stages.pipeline(STAGES)
    stages.repo.write("join.sh", JOIN)
    stages.repo.write("params.yaml", "lr: 0.5\ndepth: 1\n")
    stages.repo.write("data/a.txt", "data\n")
    stages.repo.write("code.txt", "committed\n")
    stages.tally("add", "data")
    stages.repo.commit("Describe a stage")
    stages.repo.git("init", "--quiet", "--bare", str(stages.hub))
    stages.repo.git("remote", "add", "origin", str(stages.hub))
    return stages


def test_workers_run_what_stands_here_and_send_back_all_that_a_run_here_would_leave(
    afar: Afar, cluster: Cluster
) -> None:
    head = afar.repo.git("rev-parse", "HEAD")
    afar.repo.write("code.txt", "edited\n")
    told = afar.sweep(cluster, "-S", "depth=2..4", "-S", "lr=0.1", code=18)
    assert [point["status"] for point in told["points"]] == ["succeeded", "succeeded", "failed"]
    assert told["points"][0]["metrics"] == {"flavour": 5, "depth": 2}
    assert afar.repo.git("status", "--porcelain") == " M code.txt"
    assert afar.refs() == ""
    runs = {run["params"]["depth"]: run for run in afar.runs()}
    assert {run["commit"] for run in runs.values()} == {head}
    code = afar.repo.git("show", f"refs/tally/ledger:{_folder(runs[2]['run'])}/code/code.txt")
    assert code == "edited"
    # Its results are at the remote, and a run with its values takes them from there.
    assert afar.states("-S", "depth=2", "-S", "lr=0.1") == {"join": "reused"}
    assert afar.repo.read("joined/all.txt") == b"data\nlr: 0.1\ndepth: 2\nedited\n"
    again = afar.sweep(cluster, "-S", "depth=2..3", "-S", "lr=0.1")
    assert [point["status"] for point in again["points"]] == ["reused", "reused"]
    assert len(afar.runs()) == 3


def _folder(run: str) -> str:
    digits = run.removeprefix("blake3:")
    return f"runs/{digits[:2]}/{digits}"


def test_workers_have_the_files_of_submodules_whose_repositories_they_cannot_reach(
    afar: Afar, cluster: Cluster, tmp_path: Path
) -> None:
    other = Repo.made(tmp_path / "other", {"part.txt": "committed\n"})
    commit = other.git("rev-parse", "HEAD")
    afar.repo.submodule(other, "lib")
    afar.pipeline(STAGES.replace("[join.sh, data]", "[join.sh, data, lib/part.txt, lib/new.txt]"))
    afar.repo.write("join.sh", JOIN + "cat lib/part.txt lib/new.txt >> joined/all.txt\n")
    afar.repo.commit("With a submodule")
    afar.repo.write("lib/new.txt", "new\n")
    shutil.rmtree(other.path)
    told = afar.sweep(cluster, "-S", "depth=2,3")
    assert [point["status"] for point in told["points"]] == ["succeeded", "succeeded"]
    found = afar.tally("run", "-S", "depth=3", "--json").json()["stages"]
    assert [stage["status"] for stage in found] == ["reused"]
    assert afar.repo.read("joined/all.txt").endswith(b"committed\nnew\n")
    assert afar.receipt("join")["code"]["submodules"] == {"lib": commit}


def test_no_secret_reaches_the_workers(afar: Afar, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "key-of-the-client")
    afar.repo.write("join.sh", JOIN + 'echo "<$MY_API_KEY> <$WORKER_TOKEN>"\n')
    afar.sweep(cluster, "-S", "depth=2")
    assert "<> <[secret]>" in afar.tally.calls[-1].err
    afar.repo.git("remote", "set-url", "origin", "https://me:password@example.org/x.git")
    refused = afar.tally("sweep", "-S", "depth=2", "--on", cluster.address, code=3)
    assert "holds a password, which workers are not sent" in refused.err


def test_what_workers_could_not_have_is_refused_before_anything_is_sent(afar: Afar, cluster: Cluster) -> None:
    def refused(code: int = 3) -> str:
        return afar.tally("sweep", "-S", "depth=2,3", "--on", cluster.address, code=code).err

    afar.repo.write("data/a.txt", "changed\n")
    assert "`data` is not what its pointer says" in refused()
    afar.tally("add", "data")
    afar.pipeline(STAGES.replace("[join.sh, data]", "[join.sh, data, big.bin]"))
    afar.repo.write("big.bin", b"\0" * (2 << 20))
    assert "workers can't have `big.bin`" in refused()
    afar.pipeline(STAGES)
    afar.repo.git("remote", "remove", "origin")
    assert "this repository has no remote" in refused()
    assert afar.refs() == ""
    assert afar.runs() == []


def test_a_scheduler_that_goes_is_told_and_what_was_done_is_kept(afar: Afar, brief_cluster: Cluster) -> None:
    # The second point waits for what never comes.
    afar.repo.write("join.sh", JOIN.replace("test ! -e wait.txt", "! grep -q 'depth: 3' params.yaml"))
    running = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "sweep", "-S", "depth=2,3", "--on", brief_cluster.address],
        cwd=afar.repo.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    heard = ""
    while "[1/2]" not in heard:
        line = running.stderr.readline()
        assert line, heard
        heard += line
    brief_cluster.end()
    _, err = running.communicate(timeout=120)
    assert running.returncode == 15, err
    assert "is gone" in err
    assert [run["params"]["depth"] for run in afar.runs()] == [2]
    assert afar.refs() == ""


def test_ctrl_c_ends_what_runs_on_workers(afar: Afar, cluster: Cluster) -> None:
    afar.repo.write("wait.txt", "please\n")
    running = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "sweep", "-S", "depth=1..3", "--on", cluster.address],
        cwd=afar.repo.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert running.stdout is not None
    while b"| depth" not in (line := running.stdout.readline()):
        assert line, "no point ever started"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=120)
    assert running.returncode == 130
    assert afar.refs() == ""
