"""A process killed between any two system calls leaves a state from which the next one finishes."""

import contextlib
import os
import random
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.store import LocalStore, RemoteStore, transfer
from tests.store.conftest import blobs, fill

CALLS = ("fsync", "link", "mkdir", "rename", "replace", "unlink", "write")
CONTENT = blobs(40) | blobs(1, 1_500_000)


def killed_at(deadly: int, work: Callable[[], None]) -> bool:
    """Work in a process of its own, which is killed before its n-th call; say whether it came so far."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _arm(deadly)
            work()
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _arm(deadly: int) -> None:
    left = iter(range(deadly - 1, -1, -1))

    def guarded(call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object, **kwargs: object) -> object:
            if next(left, 1) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return wrapper

    for name in CALLS:
        setattr(os, name, guarded(getattr(os, name)))


def assert_names_tell_the_truth(folder: Path) -> None:
    """No file stands under a digest that its bytes don't have (invariant I2)."""
    for path in folder.rglob("*"):
        name = path.stem.rpartition("-")[2]
        if path.is_file() and len(name) == 64 and "journal" not in path.parts:
            assert Digest.of(path.read_bytes()).hex() == name, path


def deadly_calls(seed: int) -> list[int]:
    """The first calls one by one, then some of the others: for each scene another choice, always the same."""
    return [*range(1, 12), *sorted(random.Random(seed).sample(range(12, 90), 14))]


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("writer", "outgoing"):
        monkeypatch.setattr(f"tallystick.store.{module}.PACK_SIZE", 15_000)
    monkeypatch.setattr("tallystick.store.writer._BATCH", 4_000)


def test_storing(tmp_path: Path) -> None:
    kills = 0
    for deadly in deadly_calls(1):
        root = tmp_path / str(deadly)
        was_killed = killed_at(deadly, lambda root=root: fill(LocalStore(root), CONTENT))
        kills += was_killed
        assert_names_tell_the_truth(root)
        if was_killed:
            fill(LocalStore(root), CONTENT)
        assert dict(LocalStore(root).read_many(CONTENT)) == CONTENT
    assert kills > 11


def test_pushing(tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "local")
    fill(local, CONTENT)

    def push(place: Path) -> None:
        remote = RemoteStore.create(str(place / "remote"), {}, place / "cache")
        transfer.push(LocalStore(local.root), remote, CONTENT, repository="r", jobs=2)

    kills = 0
    for deadly in deadly_calls(2):
        place = tmp_path / str(deadly)
        was_killed = killed_at(deadly, lambda place=place: push(place))
        kills += was_killed
        assert_names_tell_the_truth(place)
        if was_killed:
            push(place)
        clone = LocalStore(place / "clone")
        transfer.fetch([RemoteStore.open(str(place / "remote"), {}, place / "other")], clone, CONTENT)
        assert dict(clone.read_many(CONTENT)) == CONTENT
    assert kills > 11


def test_fetching(tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "local")
    fill(local, CONTENT)
    remote = RemoteStore.create(str(tmp_path / "remote"), {}, tmp_path / "cache")
    transfer.push(local, remote, CONTENT, repository="r")

    def fetch(root: Path) -> None:
        transfer.fetch([RemoteStore.open(remote.url, {}, root / "cache")], LocalStore(root), CONTENT)

    kills = 0
    for deadly in deadly_calls(3):
        root = tmp_path / str(deadly)
        was_killed = killed_at(deadly, lambda root=root: fetch(root))
        kills += was_killed
        assert_names_tell_the_truth(root)
        if was_killed:
            fetch(root)
        assert dict(LocalStore(root).read_many(CONTENT)) == CONTENT
    assert kills > 11


def test_setting_a_damaged_pack_aside(tmp_path: Path) -> None:
    content = blobs(10)
    bad, *good = content
    kills = 0
    for deadly in range(1, 16):
        store = LocalStore(tmp_path / str(deadly))
        fill(store, content)
        pack = next(store.packs.glob("*.pack"))
        data = pack.read_bytes().replace(content[bad][:50], bytes(50))
        pack.unlink()
        pack.write_bytes(data)
        kills += killed_at(deadly, lambda root=store.root: _read_damaged(root, bad))
        found = LocalStore(store.root)
        for digest in good:
            assert found.read(digest) == content[digest]
    assert kills >= 5


def _read_damaged(root: Path, digest: Digest) -> None:
    with contextlib.suppress(Exception):
        LocalStore(root).read(digest)
