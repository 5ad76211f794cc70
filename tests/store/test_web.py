"""A store that a web server shows."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tallystick.errors import AccessDenied, ObjectMissing, Refused, RemoteUnreachable
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.backend import MARKER, Backend
from tallystick.store.backends import backend_of
from tests.servers import Shelf
from tests.store.conftest import blobs, fill


@pytest.fixture(params=["web", "plainweb"])
def shown(request: pytest.FixtureRequest) -> tuple[Backend, Backend]:
    """A folder to write to, and the same as a web server shows it."""
    shelf: Shelf = request.getfixturevalue(request.param)
    url = shelf.bucket()
    folder = backend_of(str(shelf.folder / url.rpartition("/")[2]), {})
    folder.create()
    folder.put_new(MARKER, b"{}")
    return folder, backend_of(url, {})


def test_what_lies_in_the_folder_is_read_and_listed(shown: tuple[Backend, Backend]) -> None:
    folder, web = shown
    data = bytes(range(256)) * 1000
    folder.put_new("packs/ab/x.pack", data)
    folder.put_new("index/y.idx", b"y")
    assert web.get("packs/ab/x.pack") == data
    assert web.get("packs/ab/x.pack", 1000, 70_000) == data[1000:70_000]
    assert web.get("packs/ab/x.pack", 0, 10) == data[:10]
    assert web.get("packs/ab/x.pack", len(data) - 5, len(data) + 100) == data[-5:]
    assert web.size("packs/ab/x.pack") == len(data)
    assert web.listing("packs/") == {"packs/ab/x.pack": len(data)}
    assert web.listing("index/") == {"index/y.idx": 1}
    assert web.listing("roots/") == {}


def test_what_is_not_there_is_missing_and_nothing_else(shown: tuple[Backend, Backend]) -> None:
    folder, web = shown
    folder.put_new("index/y.idx", b"y")
    with pytest.raises(ObjectMissing):
        web.get("index/none.idx")
    with pytest.raises(ObjectMissing):
        web.get("packs/no/none.pack", 5, 10)
    assert web.size("index/none.idx") is None
    folder.delete("index/y.idx")
    folder.delete(MARKER)
    with pytest.raises(RemoteUnreachable):
        web.listing("index/")


def test_nothing_can_be_written_or_deleted(shown: tuple[Backend, Backend]) -> None:
    folder, web = shown
    folder.put_new("index/y.idx", b"y")
    assert not web.put_new("index/y.idx", b"other")
    for change in (lambda: web.put_new("index/z.idx", b"z"), lambda: web.delete("index/y.idx")):
        with pytest.raises(Refused, match="can only be read"):
            change()
    assert folder.get("index/y.idx") == b"y"


def test_a_push_into_the_folder_is_fetched_from_the_web(
    web: Shelf, tmp_path: Path, local: LocalStore
) -> None:
    content = blobs(200) | blobs(2, 3_000_000)
    fill(local, content)
    url = web.bucket()
    behind = RemoteStore.create(str(web.folder / url.rpartition("/")[2]), {}, tmp_path / "cache")
    transfer.push(local, behind, content, repository="r")
    other, remote = LocalStore(tmp_path / "b"), RemoteStore.create(url, {}, tmp_path / "other")
    assert transfer.fetch([remote], other, content).blobs == 202
    assert dict(other.read_many(content)) == content
    more = blobs(1, seed=1)
    fill(other, more)
    with pytest.raises(Refused, match="can only be read"):
        transfer.push(other, remote, more, repository="r")


def test_a_page_without_a_store_is_refused(web: Shelf, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        RemoteStore.create(web.bucket(), {}, tmp_path)
    with pytest.raises(Refused, match="no Tallystick store"):
        RemoteStore.open(web.bucket(), {}, tmp_path)


@pytest.fixture
def moody() -> Iterator[tuple[str, dict[str, int]]]:
    """A server that shows no folders, and answers a name with the status set for it."""
    statuses: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            body = b"{}" if name == MARKER else b""
            self.send_response(statuses.get(name, 200 if body else 404))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", statuses
    server.shutdown()
    server.server_close()


def test_a_server_that_shows_no_folders_has_not_got_an_empty_store(
    moody: tuple[str, dict[str, int]],
) -> None:
    with pytest.raises(RemoteUnreachable, match="does not show what its folders hold"):
        backend_of(moody[0], {}).listing("index/")


@pytest.mark.parametrize(
    ("status", "error"), [(503, RemoteUnreachable), (403, AccessDenied), (401, AccessDenied)]
)
def test_a_failure_is_never_taken_for_absence(
    moody: tuple[str, dict[str, int]], status: int, error: type[Exception]
) -> None:
    url, statuses = moody
    statuses["index/a.idx"] = status
    backend = backend_of(url, {})
    with pytest.raises(error):
        backend.size("index/a.idx")
    with pytest.raises(error):
        backend.get("index/a.idx")
