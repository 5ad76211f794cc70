"""A remote that someone meddles with, and what must hold whatever they do."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tallystick.digest import Buffer
from tallystick.records import root as root_record
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.backend import Backend
from tallystick.store.transfer import Pushed
from tests.store.conftest import again, blobs

SMALL = blobs(60)
BIG = blobs(2, 3_000_000)
CONTENT = SMALL | BIG


class Meddled(Backend):
    """A backend that someone meddles with: `before` and `after` get each write's number and name."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.url = inner.url
        self.writes = 0
        self.requests: list[str] = []
        self.before: Callable[[int, str], None] = lambda number, name: None
        self.after: Callable[[int, str], None] = lambda number, name: None
        self.reading: Callable[[bytes], bytes] = lambda data: data

    def create(self) -> None:
        self.inner.create()

    def put_new(self, name: str, data: Buffer) -> bool:
        self.requests.append(f"put {name}")
        self.writes += 1
        number = self.writes
        self.before(number, name)
        created = self.inner.put_new(name, data)
        self.after(number, name)
        return created

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        self.requests.append(f"get {name}")
        return self.reading(self.inner.get(name, start, end))

    def size(self, name: str) -> int | None:
        self.requests.append(f"size {name}")
        return self.inner.size(name)

    def listing(self, prefix: str) -> dict[str, int]:
        self.requests.append(f"list {prefix}")
        return self.inner.listing(prefix)

    def delete(self, name: str) -> None:
        self.inner.delete(name)


def push(local: LocalStore, remote: RemoteStore, jobs: int = 1) -> Pushed:
    return transfer.push(again(local), remote, CONTENT, repository="r", jobs=jobs)


def unmeddled(remote: RemoteStore, cache: Path | None = None) -> RemoteStore:
    """The same remote as the next process sees it."""
    return RemoteStore.open(remote.url, {}, cache or Path(remote.url).with_name("cache"), name="origin")


def assert_whole(remote: RemoteStore, tmp_path: Path) -> None:
    """A clone that has nothing can fetch everything; every root record relies on packs that are there."""
    clone = LocalStore(tmp_path / "clone")
    shutil.rmtree(clone.root, ignore_errors=True)
    fresh = unmeddled(remote, tmp_path / "fresh")
    transfer.fetch([fresh], clone, CONTENT)
    assert dict(again(clone).read_many(CONTENT)) == CONTENT
    newest = max(Path(remote.url, "roots").iterdir())
    assert set(root_record.parse(newest.read_bytes()).packs) <= set(fresh.pack_sizes())
