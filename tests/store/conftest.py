"""What the store's tests have in common."""

import os
import random
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.store import LocalStore, RemoteStore
from tests.servers import azure, google, moto, plainweb, rclone, seaweed, ssh, web

__all__ = ["azure", "google", "local", "moto", "plainweb", "rclone", "seaweed", "shelf", "ssh", "web"]


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    """An empty local store."""
    return LocalStore(tmp_path / "local")


@pytest.fixture
def shelf(tmp_path: Path) -> RemoteStore:
    """An empty remote store in a folder."""
    return RemoteStore.create(str(tmp_path / "remote"), {}, tmp_path / "cache", name="origin")


def blobs(count: int, size: int = 1000, seed: int = 0) -> dict[Digest, bytes]:
    """So many different blobs that don't compress."""
    source = random.Random(seed)
    made = [source.randbytes(size) for _ in range(count)]
    return {Digest.of(data): data for data in made}


def fill(store: LocalStore, content: dict[Digest, bytes]) -> None:
    """Put blobs into a local store."""
    with store.writer() as writer:
        for data in content.values():
            writer.add(data)


def again(store: LocalStore) -> LocalStore:
    """The same store as another process sees it."""
    return LocalStore(store.root)


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file's content, by relative path."""
    return {os.path.relpath(path, folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
