"""Requests and bytes that an S3 server sees, counted on the wire before SeaweedFS."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import Contender, Project, begin
from benchmarks.large import NAME, insert_byte, write_large
from benchmarks.measure import PROGRAMS, Bench
from benchmarks.proxy import Counted, counting
from benchmarks.small import write_files

KEYS = {
    "AWS_ACCESS_KEY_ID": "benchkey",
    "AWS_SECRET_ACCESS_KEY": "benchsecret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
PATIENCE = 60


@contextmanager
def seaweed(folder: Path) -> Iterator[int]:
    """Run SeaweedFS on loopback; give the port of its S3 door."""
    names = ["s3", "master", "volume", "filer", "admin"]
    ports = _free_ports(2 * len(names))
    keys = {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
    identity = {
        "name": "bench",
        "credentials": [keys],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    argv = [str(PROGRAMS / "weed"), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    argv += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.config=s3.json"]
    argv += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    argv += [f"-{name}.localSocket={folder}/{name}.sock" for name in ("s3", "filer")]
    for name, plain, grpc in zip(names, ports[::2], ports[1::2], strict=True):
        argv += [f"-{name}.port={plain}", f"-{name}.port.grpc={grpc}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GOMEMLIMIT": "400MiB"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _await(ports[0], process)
        yield ports[0]
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=2).close()
        except urllib.error.HTTPError:
            time.sleep(3)  # it answers before it takes writes
            return
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(3)
            return
    raise SystemExit("SeaweedFS does not start")


def available() -> bool:
    """Whether a server is installed."""
    return shutil.which(str(PROGRAMS / "weed")) is not None


def make_bucket(bench: Bench, endpoint: str, name: str) -> None:
    """Make a bucket with the client that comes with the program."""
    script = f"import s3fs; s3fs.S3FileSystem(endpoint_url='{endpoint}').mkdir('{name}')"
    bench.call([str(PROGRAMS / "python"), "-c", script], bench.scratch)


def requests(bench: Bench, contender: Contender, port: int, count: int) -> dict[str, str]:
    """Count the requests for many small files."""
    with counting(port) as (endpoint, counted):
        project = _begin(bench, contender, endpoint, counted, "small")
        write_files(project.work / "data", count, 4096)
        bench.run([*contender.add, *contender.commit], project.work, **project.names)
        said = {f"push of {count:,} files": _count(counted, project, contender.push)}
        said["push, nothing new"] = _count(counted, project, contender.push)
        _clone(project, endpoint)
        said[f"pull of {count:,} files"] = _count(counted, project, contender.pull, project.clone)
    return said


def inserted(bench: Bench, contender: Contender, port: int, size: int) -> dict[str, str]:
    """Count the bytes on the wire when one byte was inserted into a large file."""
    with counting(port) as (endpoint, counted):
        project = _begin(bench, contender, endpoint, counted, "large")
        write_large(project.work / NAME, size)
        names = project.names | {"path": NAME}
        bench.run([*contender.add, *contender.commit, *contender.push], project.work, **names)
        _clone(project, endpoint)
        bench.run(contender.pull, project.clone, **project.names)
        insert_byte(project.work / NAME, size // 2)
        bench.run([*contender.add, *contender.commit], project.work, **names)
        said = {
            "one byte inserted: sent by push": _bytes(counted, project, contender.push, project.work, size)
        }
        bench.run([*contender.publish], project.work, **project.names)
        bench.run(contender.update, project.clone)
        received = _bytes(counted, project, contender.pull, project.clone, size)
        said["one byte inserted: received by the old clone's pull"] = received
    return said


def _begin(bench: Bench, contender: Contender, endpoint: str, counted: Counted, kind: str) -> Project:
    name = f"{contender.name.lower()}-{kind}"
    make_bucket(bench, endpoint, name)
    project = begin(bench, contender, contender.bucket, url=f"s3://{name}/store", endpoint=endpoint)
    counted.take()
    return project


def _clone(project: Project, endpoint: str) -> None:
    """Clone by git; the endpoint is every machine's own business."""
    bench, contender = project.bench, project.contender
    bench.run([*contender.publish, *contender.clone], project.work, **project.names)
    if contender.name == "tally":
        bench.run([f"git config tally.remote.origin.endpointurl {endpoint}"], project.clone)


def _count(counted: Counted, project: Project, commands: tuple[str, ...], folder: Path | None = None) -> str:
    counted.take()
    project.bench.run(commands, folder or project.work, **project.names)
    methods, _, _ = counted.take()
    detail = ", ".join(f"{number} {method}" for method, number in sorted(methods.items()))
    return f"{methods.total()} ({detail})"


def _bytes(counted: Counted, project: Project, commands: tuple[str, ...], folder: Path, size: int) -> str:
    counted.take()
    project.bench.run(commands, folder, **project.names)
    _, sent, received = counted.take()
    moved = sent if folder == project.work else received
    return f"{moved:,} ({100 * moved / size:.3f}%)"
