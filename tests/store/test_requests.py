"""How often an S3 server is asked, read from the server's side."""

from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.store import LocalStore, RemoteStore, transfer
from tests.counting import Counts, counted
from tests.servers import Server
from tests.store.conftest import again, blobs, fill

FILES = 10_000


@pytest.fixture
def asked(moto: Server, local: LocalStore, tmp_path: Path):
    """A store behind a counting proxy, its settings, and 10,000 small files in the local store."""
    content = blobs(FILES, 4096, seed=11)
    fill(local, content)
    with counted(moto) as (server, counts):
        url = f"{moto.bucket()}/store"
        RemoteStore.create(url, server.options(), tmp_path / "cache")
        yield url, server, counts, set(content)


def opened(url: str, server: Server, cache: Path) -> RemoteStore:
    return RemoteStore.open(url, server.options(), cache, name="origin")


def test_ten_thousand_small_files_take_few_requests(
    asked: tuple[str, Server, Counts, set[Digest]], local: LocalStore, tmp_path: Path
) -> None:
    url, server, counts, wanted = asked
    counts.clear()
    transfer.push(again(local), opened(url, server, tmp_path / "cache"), wanted, repository="r")
    assert len(counts.requests) < 60
    assert counts.kinds()["PART"] >= 4
    counts.clear()
    remote = opened(url, server, tmp_path / "cache")
    assert transfer.settled(remote, repository="r", commits=(), roots=wanted) is not None
    assert len(counts.requests) < 8
    counts.clear()
    remote = opened(url, server, tmp_path / "cache")
    assert transfer.push(again(local), remote, wanted, repository="r").sent_blobs == 0
    assert len(counts.requests) < 8
    counts.clear()
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([opened(url, server, tmp_path / "clone-cache")], clone, wanted)
    assert len(counts.requests) < 120


@pytest.mark.parametrize("store", ["moto", "seaweed"])
def test_a_large_file_goes_in_parts_and_takes_no_name_twice(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(store)
    with counted(server) as (proxied, counts):
        remote = RemoteStore.create(f"{server.bucket()}/store", proxied.options(), tmp_path / "cache")
        data = bytes(20 << 20)
        assert remote.backend.put_new("probe/large", data)
        assert not remote.backend.put_new("probe/large", data[1:])
        assert counts.kinds()["PART"] == 6
        assert remote.backend.get("probe/large") == data
