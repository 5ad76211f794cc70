"""Stores that version 1 wrote stay readable for ever."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.records import root as root_record
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.pack import LARGE

V1 = Path(__file__).resolve().parent.parent / "data" / "v1" / "store"


def content() -> dict[Digest, bytes]:
    """What the stores below tests/data/v1/store hold: nothing, small ones, text, a large file."""
    noise = [hashlib.sha256(b"%d" % number).digest() * 4 for number in range(20)]
    text = b"".join(b"line %d of a text that shrinks\n" % number for number in range(500))
    large = b"".join(b"row %08d of a large table\n" % number for number in range(45_000))
    return {Digest.of(data): data for data in (b"", text, large, *noise)}


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    """A copy: reading may write caches, and the originals must stay as they are."""
    shutil.copytree(V1, tmp_path / "v1")
    return tmp_path / "v1"


def test_a_local_store_of_version_1_is_read(v1: Path) -> None:
    small = {digest: data for digest, data in content().items() if len(data) < LARGE}
    assert dict(LocalStore(v1 / "local").read_many(small)) == small


def test_a_remote_store_of_version_1_is_read_and_added_to(v1: Path, tmp_path: Path) -> None:
    remote = RemoteStore.open(str(v1 / "remote"), {}, tmp_path / "cache")
    assert remote.missing(content()) == set()
    clone = LocalStore(tmp_path / "clone")
    transfer.fetch([remote], clone, content())
    assert dict(clone.read_many(content())) == content()
    assert transfer.push(clone, remote, content(), repository="r").sent_blobs == 0


def test_a_root_record_of_version_1_is_read(v1: Path) -> None:
    (path,) = (v1 / "remote" / "roots").iterdir()
    record = root_record.parse(path.read_bytes())
    assert set(record.digests) == set(content())
    assert record.commits == ("ab" * 20,)
