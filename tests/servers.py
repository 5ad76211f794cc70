"""Real object stores for tests, on free loopback ports: started when asked for, stopped by process id."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PATIENCE = 60
_count = itertools.count()


@dataclass(frozen=True, slots=True)
class Server:
    """An S3 server: where it listens, who may do everything there, who may only read (in `readable`)."""

    endpoint: str
    key: str = "tallykey"
    secret: str = "tallysecret"
    reader: tuple[str, str] = ("readerkey", "readersecret")
    process: int = 0
    """Its process id; 0 for one that answers from the test's own process."""

    def options(self) -> dict[str, str]:
        """Settings of a remote on this server."""
        return {"endpointurl": self.endpoint, "accesskeyid": self.key, "secretaccesskey": self.secret}

    def bucket(self, name: str = "") -> str:
        """Make a fresh bucket; return its URL."""
        name = name or f"tally-{os.getpid()}-{next(_count)}"
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"

    def client(self):
        """A plain boto3 client, to look behind the program's back."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def run_server(argv: list[str], endpoint: str, folder: Path, **environment: str) -> Iterator[int]:
    """Run a server, its process id yielded once it answers HTTP, until the caller goes on."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **environment}
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _await(endpoint, process, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(endpoint, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{process.args} does not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS: the real thing, with conditional writes, checksums and rights."""
    folder = tmp_path_factory.mktemp("seaweed")
    names = ["s3", "master", "volume", "filer", "admin"]
    ports = free_ports(2 * len(names))
    identities = [
        {
            "name": "admin",
            "credentials": [{"accessKey": "tallykey", "secretKey": "tallysecret"}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": "readerkey", "secretKey": "readersecret"}],
            "actions": ["Read:readable", "List:readable"],
        },
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    argv = [str(BIN / "weed"), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    argv += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.config=s3.json"]
    argv += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    argv += [f"-{name}.localSocket={folder}/{name}.sock" for name in ("s3", "filer")]
    for name, http, grpc in zip(names, ports[::2], ports[1::2], strict=True):
        argv += [f"-{name}.port={http}", f"-{name}.port.grpc={grpc}"]
    endpoint = f"http://127.0.0.1:{ports[0]}"
    for process in run_server(argv, endpoint, folder, GOMEMLIMIT="250MiB"):
        server = Server(endpoint, process=process)
        _await_writable(server)
        yield server


def _await_writable(server: Server) -> None:
    """Answering HTTP is not yet taking writes."""
    client, deadline = server.client(), time.monotonic() + PATIENCE
    while True:
        try:
            client.create_bucket(Bucket="readable")
            client.put_object(Bucket="readable", Key="hello", Body=b"hello")
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """moto: quick and in memory; accepts any key."""
    folder, port = tmp_path_factory.mktemp("moto"), free_ports(1)[0]
    endpoint = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    for process in run_server(argv, endpoint, folder):
        yield Server(endpoint, process=process)


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """rclone: an S3 server that ignores the condition on a conditional write."""
    folder, port = tmp_path_factory.mktemp("rclone"), free_ports(1)[0]
    (folder / "data").mkdir()
    endpoint = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "rclone"), "--config", "/dev/null", "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    argv += ["--auth-key", "tallykey,tallysecret", str(folder / "data")]
    for process in run_server(argv, endpoint, folder):
        yield Server(endpoint, process=process)
