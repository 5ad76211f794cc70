"""One contract, and every kind of place that a remote store may lie in."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.errors import AccessDenied, ObjectCorrupt, ObjectMissing, Refused, RemoteUnreachable
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.backend import MARKER, Backend
from tallystick.store.backends import backend_of
from tallystick.store.parallel import ordered
from tests.servers import Server, Shelf, free_ports
from tests.store.conftest import blobs, fill

Place = tuple[str, dict[str, str]]
INSTALLED = ["directory", "memory", "moto", "rclone", "seaweed", "google"]
FROM_ELSEWHERE = ["azure", "ssh"]
"""Their servers come by npm and apt."""

KINDS = [*INSTALLED, *(pytest.param(kind, marks=pytest.mark.slow) for kind in FROM_ELSEWHERE)]
CONDITIONAL = {"directory", "memory", "moto", "seaweed", "google", "azure", "ssh"}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Place:
    # gcsfs would ask Google itself what kind of bucket this is; read when gcsfs is imported.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    if kind == "directory":
        return str(tmp_path / "remote"), {}
    if kind == "memory":
        return f"memory://{tmp_path.name}-{id(tmp_path)}/store", {}
    server: Server | Shelf = request.getfixturevalue(kind)
    return server.bucket() + "/some/prefix", server.options()


@pytest.fixture
def backend(place: Place) -> Backend:
    made = backend_of(*place)
    made.create()
    made.put_new(MARKER, b"{}")
    return made


def test_what_is_written_is_read_back_and_listed(backend: Backend) -> None:
    data = bytes(range(256)) * 1000
    assert backend.put_new("packs/ab/x.pack", data)
    assert backend.put_new("index/y.idx", memoryview(b"y"))
    assert backend.get("packs/ab/x.pack") == data
    assert backend.get("packs/ab/x.pack", 1000, 70_000) == data[1000:70_000]
    assert backend.get("packs/ab/x.pack", len(data) - 5, len(data) + 100) == data[-5:]
    assert backend.size("packs/ab/x.pack") == len(data)
    assert backend.listing("packs/") == {"packs/ab/x.pack": len(data)}
    assert backend.listing("index/") == {"index/y.idx": 1}
    assert backend.listing("roots/") == {}


def test_a_taken_name_is_not_written_again(backend: Backend, kind: str) -> None:
    assert backend.put_new("index/a.idx", b"first")
    if kind in CONDITIONAL:
        assert not backend.put_new("index/a.idx", b"second")
        assert backend.get("index/a.idx") == b"first"


def test_a_file_that_comes_in_pieces_has_a_name_when_all_of_it_is_there(backend: Backend) -> None:
    room, drawn = bytearray(1000), list[int]()

    def pieces() -> Iterator[memoryview]:
        for number in range(5):
            assert backend.listing("packs/") == {}
            room[:] = bytes([number]) * 1000
            drawn.append(number)
            yield memoryview(room)[: 1000 - number]

    assert backend.put_pieces("packs", pieces(), lambda: f"ab/{len(drawn)}.pack")
    data = b"".join(bytes([number]) * (1000 - number) for number in range(5))
    assert backend.get("packs/ab/5.pack") == data
    assert backend.put_pieces("packs", (data,), lambda: "cd/all.pack")
    assert backend.listing("packs/") == {"packs/ab/5.pack": len(data), "packs/cd/all.pack": len(data)}


def test_of_a_file_whose_pieces_end_early_nothing_is_left(backend: Backend, place: Place) -> None:
    def pieces() -> Iterator[bytes]:
        yield bytes(1000)
        raise ObjectCorrupt("damaged")

    with pytest.raises(ObjectCorrupt):
        backend.put_pieces("packs", pieces(), lambda: "ab/x.pack")
    assert backend.listing("packs/") == {}
    assert [path.name for path in Path(place[0]).rglob("*") if path.is_file()] in ([], [MARKER])


def test_whether_names_are_taken_only_once_is_found_out_by_trying(
    place: Place, kind: str, tmp_path: Path
) -> None:
    remote = RemoteStore.create(*place, tmp_path / "cache")
    assert remote.creates_exclusively() == (kind in CONDITIONAL)
    assert remote.backend.listing("probe/") == {}


def test_of_many_who_create_a_name_one_wins(backend: Backend, kind: str) -> None:
    if kind not in CONDITIONAL - {"memory"}:
        pytest.skip("this kind of place can't promise it; names of our files are unique")
    won: list[int] = []

    def create(number: int) -> None:
        if backend.put_new("index/race.idx", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert backend.get("index/race.idx") == b"%d" % won[0]


def test_what_is_not_there_is_missing_and_nothing_else(backend: Backend) -> None:
    with pytest.raises(ObjectMissing):
        backend.get("index/none.idx")
    with pytest.raises(ObjectMissing):
        backend.get("packs/no/none.pack", 5, 10)
    assert backend.size("index/none.idx") is None


def test_a_deleted_file_is_gone_and_may_be_deleted_again(backend: Backend) -> None:
    backend.put_new("index/a.idx", b"a")
    backend.delete("index/a.idx")
    backend.delete("index/a.idx")
    assert backend.listing("index/") == {}


@pytest.mark.slow
def test_more_names_than_one_page_are_listed(seaweed: Server) -> None:
    backend = backend_of(seaweed.bucket(), seaweed.options())
    names = [f"index/{number:04}.idx" for number in range(1100)]
    assert all(ordered(lambda name: backend.put_new(name, b"x"), names, 16))
    assert sorted(backend.listing("index/")) == names


def test_a_place_that_is_no_store_any_more_is_out_of_reach_and_not_empty(backend: Backend) -> None:
    backend.put_new("index/a.idx", b"a")
    backend.delete("index/a.idx")
    backend.delete(MARKER)
    with pytest.raises(RemoteUnreachable):
        backend.listing("index/")


def test_a_push_is_fetched_by_a_clone(place: Place, tmp_path: Path) -> None:
    content = blobs(200) | blobs(2, 3_000_000)
    local, other = LocalStore(tmp_path / "a"), LocalStore(tmp_path / "b")
    fill(local, content)
    remote = RemoteStore.create(*place, tmp_path / "cache")
    pushed = transfer.push(local, remote, content, repository="r")
    assert (pushed.blobs, pushed.size) == (202, 6_200_000)
    opened = RemoteStore.open(*place, tmp_path / "other-cache", name="origin")
    assert opened.missing(content) == set()
    fetched = transfer.fetch([opened], other, content)
    assert (fetched.blobs, fetched.size) == (202, 6_200_000)
    assert dict(other.read_many(content)) == content
    digest, data = next(iter(blobs(1, 3_000_000).items()))
    assert opened.read(digest) == data
    assert transfer.push(local, opened, content, repository="r").sent_blobs == 0


def test_a_bucket_that_is_not_there_is_refused(moto: Server, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such bucket"):
        RemoteStore.create("s3://tally-is-nowhere/x", moto.options(), tmp_path)
    with pytest.raises((Refused, RemoteUnreachable)):
        RemoteStore.open("s3://tally-is-nowhere/x", moto.options(), tmp_path)


def test_a_bucket_without_a_store_is_refused(moto: Server, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no Tallystick store"):
        RemoteStore.open(moto.bucket(), moto.options(), tmp_path)


@pytest.mark.parametrize("wrong", [{"secretaccesskey": "wrong"}, {"accesskeyid": "nobody"}])
def test_wrong_credentials_are_denied(seaweed: Server, tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(AccessDenied) as caught:
        RemoteStore.open(seaweed.bucket(), seaweed.options() | wrong, tmp_path)
    assert "wrong" not in caught.value.message


def test_who_may_only_read_is_told_so_when_pushing(
    seaweed: Server, tmp_path: Path, local: LocalStore
) -> None:
    content = blobs(3)
    fill(local, content)
    RemoteStore.create("s3://readable/store", seaweed.options(), tmp_path / "cache")
    key, secret = seaweed.reader
    options = seaweed.options() | {"accesskeyid": key, "secretaccesskey": secret}
    remote = RemoteStore.open("s3://readable/store", options, tmp_path / "cache")
    with pytest.raises(AccessDenied):
        transfer.push(local, remote, content, repository="r")
    assert remote.missing(content) == set(content)


def test_a_server_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    options = {
        "endpointurl": f"http://127.0.0.1:{free_ports(1)[0]}",
        "accesskeyid": "k",
        "secretaccesskey": "s",
    }
    with pytest.raises(RemoteUnreachable) as caught:
        RemoteStore.open("s3://bucket/x", options, tmp_path)
    assert "repeat the command" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://bucket/x", {"command": "evil"}),
        ("s3://", {}),
        ("s3://bucket/x", {"anon": "perhaps"}),
        ("gs://bucket/x", {"profile": "work"}),
        ("az://bucket/x", {"endpointurl": "http://127.0.0.1"}),
        ("sftp://host", {}),
        ("sftp://host:port/x", {}),
        ("sftp://host/x", {"proxycommand": "evil"}),
        ("sftp://host/x", {"port": "ssh"}),
        ("http://127.0.0.1/x?list=1", {}),
        ("http://127.0.0.1/x", {"user": "me"}),
        ("simplecache::s3://bucket/x", {}),
        ("nosuch://bucket/x", {}),
        ("/some/folder", {"endpointurl": "http://127.0.0.1"}),
    ],
)
def test_a_remote_that_makes_no_sense_is_refused(url: str, options: dict[str, str]) -> None:
    with pytest.raises(Refused):
        backend_of(url, options)
