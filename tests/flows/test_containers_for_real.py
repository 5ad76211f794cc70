"""Stages in containers of a real podman, with an image that is built here and a registry on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Stages

BUSYBOX = "/bin/busybox"
NEEDED = ("podman", "docker-registry", "skopeo")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, NEEDED)) or not os.path.exists(BUSYBOX),
        reason="needs podman, docker-registry, skopeo and busybox-static",
    ),
]

ENGINE = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
RUNC = """\
runtime = "runc"
[engine.runtimes]
runc = ["{}"]
"""


STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{folder}/g"
runroot = "{folder}/r"
"""


class Podman:
    """A podman with a store of its own, and the registry that it pushes to."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.image = f"127.0.0.1:{port}/team/greeter"

    def __call__(self, *words: str) -> str:
        """Run podman; return what it printed."""
        done = subprocess.run(["podman", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def build(self, greeting: str) -> str:
        """Build an image that greets, under the tag that stages name; return its ID."""
        context = self.folder / greeting
        context.mkdir()
        shutil.copy(BUSYBOX, context / "busybox")
        lines = [
            "FROM scratch",
            "COPY busybox /bin/busybox",
            "COPY busybox /bin/sh",
            f"ENV GREETING={greeting}",
        ]
        (context / "Containerfile").write_text("\n".join([*lines, "ENV PATH=/bin", 'ENTRYPOINT ["/no"]']))
        self(
            "build", "--quiet", "--timestamp", "0", "--network", "none", "-t", f"{self.image}:1", str(context)
        )
        return self("image", "inspect", "--format", "{{.Id}}", f"{self.image}:1")

    def running(self) -> str:
        """The names of all containers that there are."""
        return self("ps", "--all", "--quiet")


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare: Stages) -> Iterator[Podman]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "podman"
    folder.mkdir()
    runc = shutil.which("runc")
    texts = {
        "CONTAINERS_CONF": ENGINE + (RUNC.format(runc) if runc else ""),
        "CONTAINERS_STORAGE_CONF": STORAGE.format(folder=folder),
        "CONTAINERS_REGISTRIES_CONF": f'[[registry]]\nlocation = "127.0.0.1:{port}"\ninsecure = true\n',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        monkeypatch.setenv(name, str(folder / name))
    monkeypatch.setenv("BUILDAH_RUNTIME", "runc" if runc else "crun")
    monkeypatch.delenv("TMPDIR", raising=False)
    (folder / "registry.yml").write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    registry = subprocess.Popen(
        ["docker-registry", "serve", str(folder / "registry.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_it_listens(port)
        yield Podman(folder, port)
    finally:
        registry.terminate()
        registry.wait()


def _until_it_listens(port: int) -> None:
    for _ in range(200):
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.skip("the registry does not start here")


@pytest.fixture
def pushed(podman: Podman, bare: Stages) -> str:
    """The ID of the image that a stage ran in once; it is here and in the registry."""
    first = podman.build("one")
    podman("push", "--quiet", f"{podman.image}:1")
    podman("rmi", "--force", f"{podman.image}:1")  # what was built has another digest here than there
    bare.pipeline(
        "stages:\n  greet:\n    cmd: echo $GREETING $TALLY_SEED $PWD > out.txt\n    outs: [out.txt]\n"
        f"    seed: 7\n    environment: {{image: '{podman.image}:1'}}\n"
    )
    bare.tally("run")
    bare.repo.commit("Greeted")
    return first


def verdict(stages: Stages, code: int = 0) -> Any:
    return stages.tally("repro", "--json", code=code).json()["verdict"]


def test_the_recorded_image_is_run_wherever_its_tag_points(podman: Podman, pushed: str, bare: Stages) -> None:
    assert bare.repo.read("out.txt") == b"one 7 /project\n"
    container = bare.receipt("greet")["environment"]["container"]
    assert container["config"] == f"sha256:{pushed}"
    assert (bare.repo.path / "out.txt").stat().st_uid == os.geteuid()

    second = podman.build("two")
    assert "is another image now" in " ".join(bare.tally("status", code=None).out.split())
    found = verdict(bare)
    assert (found["outcome"], found["enforced"][0]) == ("identical", "no network")
    assert f"image {container['digest']}" in found["enforced"]

    podman("rmi", "--force", pushed)  # the registry still has it
    assert verdict(bare)["outcome"] == "identical"
    assert podman("image", "inspect", "--format", "{{.Id}}", f"{podman.image}:1") == second

    podman("rmi", "--force", pushed)
    skopeo = ["skopeo", "delete", "--tls-verify=false", f"docker://{podman.image}:1"]
    subprocess.run(skopeo, check=True, capture_output=True)
    told = bare.tally("repro", code=17).out
    assert "is gone: podman has none with its ID here" in told
    assert f"is another image now, sha256:{second[:12]}" in told
    assert not podman.running()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_container_outlives_tally(podman: Podman, pushed: str, bare: Stages, how: signal.Signals) -> None:
    bare.pipeline(f"stages: {{s: {{cmd: busybox sleep 900, environment: {{image: '{podman.image}:1'}}}}}}")
    tally = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "run"], cwd=bare.repo.path, stderr=subprocess.DEVNULL
    )
    try:
        _until(podman, there=True)
        tally.send_signal(how)
        tally.wait(60)
        _until(podman, there=False)
    finally:
        tally.kill()
        tally.wait()


def _until(podman: Podman, *, there: bool) -> None:
    deadline = time.monotonic() + 60
    while bool(podman.running()) != there:
        assert time.monotonic() < deadline, "a container came too late, or stays"
        time.sleep(0.1)
