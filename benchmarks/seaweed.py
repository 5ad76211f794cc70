"""SeaweedFS, a real S3 server, on free loopback ports: for the benchmarks and for the tests."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import botocore.session

PROGRAM = Path(sys.executable).parent / "weed"
PATIENCE = 60
DOORS = ("s3", "master", "volume", "filer", "admin")


def serve(
    folder: Path, key: str, secret: str, others: Sequence[Mapping[str, object]] = (), memory: str = "250MiB"
) -> Iterator[tuple[str, int]]:
    """Run it until the caller goes on; give its S3 endpoint and process id once it takes writes.

    Who has the key may do everything; `others` are further identities of its configuration.
    """
    ports = free_ports(2 * len(DOORS))
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    owner = {"name": "owner", "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [owner, *others]}))
    # By itself it would tell its makers of its use, and listen to all the world.
    argv = [str(PROGRAM), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    argv += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.config=s3.json"]
    argv += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    argv += [f"-{name}.localSocket={folder}/{name}.sock" for name in ("s3", "filer")]
    for name, plain, grpc in zip(DOORS, ports[::2], ports[1::2], strict=True):
        argv += [f"-{name}.port={plain}", f"-{name}.port.grpc={grpc}"]
    endpoint = f"http://127.0.0.1:{ports[0]}"
    for process in run_server(argv, endpoint, folder, GOMEMLIMIT=memory):
        _await_writable(endpoint, key, secret)
        yield endpoint, process


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def run_server(argv: Sequence[str], endpoint: str, folder: Path, **environment: str) -> Iterator[int]:
    """Run a server, its process id yielded once it answers, until the caller goes on."""
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


def _knock(endpoint: str) -> None:
    """Connect, and for HTTP ask for something."""
    if endpoint.startswith("tcp://"):
        host, _, port = endpoint.removeprefix("tcp://").partition(":")
        socket.create_connection((host, int(port)), timeout=2).close()
    else:
        urllib.request.urlopen(endpoint, timeout=2).close()


def _await(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            _knock(endpoint)
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{process.args} does not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)
        else:
            return


def _await_writable(endpoint: str, key: str, secret: str) -> None:
    """Answering HTTP is not yet taking writes."""
    client = botocore.session.Session().create_client(
        "s3", "us-east-1", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret
    )
    deadline = time.monotonic() + PATIENCE
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
