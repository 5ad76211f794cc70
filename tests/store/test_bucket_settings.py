"""How a bucket is reached: as nobody, by a profile, in a region, of a storage class."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tallystick.errors import AccessDenied, Refused
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.backends import backend_of
from tests.servers import Server, Shelf
from tests.store.conftest import blobs, fill


@pytest.fixture
def overheard() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that says yes to everything, and the headers that it was sent."""
    heard: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # which knows how to say "100 Continue"

        def do_PUT(self) -> None:
            heard.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()


def test_a_public_store_is_read_by_anybody_and_written_by_its_owner(
    seaweed: Server, tmp_path: Path, local: LocalStore
) -> None:
    content = blobs(20)
    fill(local, content)
    url = f"s3://public/store-{os.getpid()}"
    transfer.push(local, RemoteStore.create(url, seaweed.options(), tmp_path / "a"), content, repository="r")
    nobody = {"endpointurl": seaweed.endpoint, "anon": "true"}
    remote = RemoteStore.create(url, nobody, tmp_path / "b")
    other = LocalStore(tmp_path / "other")
    assert transfer.fetch([remote], other, content).blobs == 20
    more = blobs(1, seed=1)
    fill(other, more)
    with pytest.raises(AccessDenied):
        transfer.push(other, remote, more, repository="r")


def test_a_profile_of_the_users_own_names_the_keys(
    seaweed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    keys = f"aws_access_key_id = {seaweed.key}\naws_secret_access_key = {seaweed.secret}\n"
    (folder / "credentials").write_text(f"[work]\n{keys}[wrong]\n{keys[:-3]}\n")
    url, place = seaweed.bucket(), {"endpointurl": seaweed.endpoint}
    RemoteStore.create(url, {**place, "profile": "work"}, tmp_path)
    with pytest.raises(AccessDenied):
        RemoteStore.open(url, {**place, "profile": "wrong"}, tmp_path)
    with pytest.raises((AccessDenied, Refused), match="nobody"):
        RemoteStore.open(url, {**place, "profile": "nobody"}, tmp_path)


@pytest.fixture
def metadata(seaweed: Server) -> Iterator[tuple[str, list[str]]]:
    """Where a machine in the cloud, or a container there, finds the keys of its role; and what was asked."""
    asked: list[str] = []
    keys = {"AccessKeyId": seaweed.key, "SecretAccessKey": seaweed.secret, "Token": ""}
    role = json.dumps({"Code": "Success", "Expiration": "2099-01-01T00:00:00Z", **keys}).encode()
    answers = {
        "PUT /latest/api/token": b"a token",
        "GET /latest/meta-data/iam/security-credentials/ with a token": b"worker",
        "GET /latest/meta-data/iam/security-credentials/worker with a token": role,
        "GET /role with a key": role,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            words = self.headers.get("X-aws-ec2-metadata-token") or self.headers.get("Authorization")
            asked.append(f"{self.command} {self.path}{f' with {words}' if words else ''}")
            self.send_response(200 if asked[-1] in answers else 401)
            self.end_headers()
            self.wfile.write(answers.get(asked[-1], b""))

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("kind", ["instance", "container"])
def test_a_machine_s_role_gives_the_keys(
    kind: str,
    seaweed: Server,
    metadata: tuple[str, list[str]],
    local: LocalStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on EC2, by the second version of its protocol, or on ECS and EKS; nothing else names keys here."""
    address, asked = metadata
    if kind == "instance":
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
    else:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/role")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a key")
    # The region, which counts for nothing here, keeps s3fs from remembering another test's connection.
    place = {"endpointurl": seaweed.endpoint, "region": f"us-{kind}-1"}
    content = blobs(5)
    fill(local, content)
    url = seaweed.bucket()
    transfer.push(local, RemoteStore.create(url, place, tmp_path / "a"), content, repository="r")
    fetched = transfer.fetch(
        [RemoteStore.open(url, place, tmp_path / "b")], LocalStore(tmp_path / "c"), content
    )
    assert fetched.blobs == 5
    assert asked[-1].startswith(
        "GET /role" if kind == "container" else "GET /latest/meta-data/iam/security-credentials/worker"
    )


def test_that_there_are_no_keys_at_all_is_said_with_where_they_may_be(
    seaweed: Server, tmp_path: Path
) -> None:
    with pytest.raises(AccessDenied, match="no credentials") as caught:
        RemoteStore.open(seaweed.bucket(), {"endpointurl": seaweed.endpoint, "region": "us-none-1"}, tmp_path)
    assert "~/.aws" in (caught.value.hint or "")


def test_region_and_storage_class_are_told_to_the_server(
    overheard: tuple[str, list[dict[str, str]]],
) -> None:
    endpoint, heard = overheard
    options = {"endpointurl": endpoint, "accesskeyid": "k", "secretaccesskey": "s"}
    options |= {"region": "eu-west-3", "storage-class": "STANDARD_IA"}
    assert backend_of("s3://bucket/x", options).put_new("index/a.idx", b"a")
    assert "/eu-west-3/s3/" in heard[0]["authorization"]
    assert heard[0]["x-amz-storage-class"] == "STANDARD_IA"


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("gs://bucket/x", "gcsfs", "[gs]"),
        ("az://bucket/x", "adlfs", "[az]"),
        ("sftp://host/x", "sshfs", "[sftp]"),
    ],
)
def test_a_library_that_is_missing_is_named_with_the_command_that_brings_it(
    url: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "tallystick.store.sftp", raising=False)
    # fsspec remembers what an earlier test has loaded.
    for known in list(sys.modules["fsspec.registry"]._registry):
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, known)
    with pytest.raises(Refused, match="not installed") as caught:
        backend_of(url, {})
    assert caught.value.hint == f"pip install 'tallystick{extra}'"


@pytest.mark.parametrize(
    ("url", "option", "value"), [("s3://bucket/x", "anon", "perhaps"), ("sftp://host/x", "port", "ssh")]
)
def test_a_setting_that_makes_no_sense_is_named_with_what_would(url: str, option: str, value: str) -> None:
    with pytest.raises(Refused, match=f"`{option}` is `{value}`") as caught:
        backend_of(url, {option: value})
    assert caught.value.hint


@pytest.mark.slow
def test_a_host_that_is_not_known_is_not_trusted(ssh: Shelf, tmp_path: Path) -> None:
    (tmp_path / "nobody").write_text("")
    with pytest.raises(Exception, match="host key") as caught:
        backend_of(ssh.bucket(), {**ssh.options(), "knownhosts": str(tmp_path / "nobody")})
    assert "known-hosts" in str(getattr(caught.value, "hint", ""))
