"""Files that go straight to a remote."""

import io
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tallystick.digest import Digest
from tallystick.errors import Refused, RemoteUnreachable, TallyError
from tallystick.store import LocalStore, RemoteStore, transfer
from tallystick.store.chunker import chunks, cut
from tallystick.store.source import Source, opened
from tallystick.store.streaming import Streamed, stream
from tests.servers import Server, Shelf
from tests.store.conftest import fill

LARGE = random.Random(5).randbytes(9_000_001)


class Trickle(io.BytesIO):
    """A file that gives fewer bytes than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 70_001))


def sent(data: bytes, remote: RemoteStore, size: int | None = None) -> Streamed:
    return stream(Source("a.bin", io.BytesIO(data), size), remote, repository="r")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, 9_000_001])
def test_a_stream_is_cut_where_the_file_is(size: int) -> None:
    data = LARGE[:size]
    expected = [bytes(piece) for piece in chunks(data)]
    for file, told in ((io.BytesIO(data), size), (Trickle(data), size), (Trickle(data), None)):
        assert [bytes(piece) for piece in cut(file, told)] == expected


@pytest.mark.parametrize("data", [b"", b"small", LARGE])
@pytest.mark.parametrize("is_known", [True, False])
def test_what_is_streamed_is_fetched_by_a_clone(
    shelf: RemoteStore, tmp_path: Path, data: bytes, is_known: bool
) -> None:
    done = sent(data, shelf, len(data) if is_known else None)
    assert (done.digest, done.size, done.packs) == (Digest.of(data), len(data), 1)
    opened_again = RemoteStore.open(shelf.url, {}, tmp_path / "other-cache")
    assert opened_again.read(done.digest) == data
    local = LocalStore(tmp_path / "b")
    assert transfer.fetch([opened_again], local, [done.digest]).blobs == 1
    assert local.read(done.digest) == data
    assert len(shelf.backend.listing("roots/")) == 1


def test_what_the_remote_has_is_not_sent_again(shelf: RemoteStore, tmp_path: Path, local: LocalStore) -> None:
    fill(local, {Digest.of(LARGE): LARGE})
    transfer.push(local, shelf, [Digest.of(LARGE)], repository="r")
    again = sent(LARGE, RemoteStore.open(shelf.url, {}, tmp_path / "c"), len(LARGE))
    assert (again.sent_bytes, again.packs) == (0, 0)
    changed = LARGE[:4_000_000] + b"!" + LARGE[4_000_000:]
    assert 0 < sent(changed, shelf, len(changed)).sent_bytes < 1_000_000


def test_a_file_that_is_cut_off_leaves_no_index_and_no_root(shelf: RemoteStore) -> None:
    with pytest.raises(Refused, match="9,000,001 bytes, and 5,000,000 came"):
        sent(LARGE[:5_000_000], shelf, len(LARGE))
    assert shelf.backend.listing("index/") == shelf.backend.listing("roots/") == {}


def test_an_interrupted_stream_goes_on_where_it_was(shelf: RemoteStore, tmp_path: Path) -> None:
    big = random.Random(6).randbytes(80 << 20)

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 75 << 20:
                deadline = time.monotonic() + 60
                while not shelf.journal.packs() and time.monotonic() < deadline:
                    time.sleep(0.05)
                raise RemoteUnreachable("the line is dead")
            return super().read(size)

    with pytest.raises(RemoteUnreachable):
        stream(Source("a.bin", Broken(big), len(big)), shelf, repository="r")
    noted = {pack.hex() for pack in shelf.journal.packs()}
    there = sum(size for name, size in shelf.backend.listing("packs/").items() if Path(name).stem in noted)
    assert there > 30 << 20
    assert sent(big, shelf, len(big)).sent_bytes < len(big) - there + (1 << 20)
    assert RemoteStore.open(shelf.url, {}, tmp_path / "c").read(Digest.of(big)) == big


def test_a_path_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(Refused, match="changed while it was read"):
        with opened(str(path)) as source:
            assert source.file.read() == b"before"
            path.write_bytes(b"after")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for place in (str(tmp_path), str(tmp_path / "none"), "ftp://host/x", "http://127.0.0.1/"):
        with pytest.raises(TallyError), opened(place):
            pass


@pytest.mark.parametrize("server", ["web", "plainweb"])
def test_a_file_on_the_web_goes_straight_to_a_bucket(
    server: str, moto: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shelf: Shelf = request.getfixturevalue(server)
    (shelf.folder / "a file.bin").write_bytes(LARGE)
    remote = RemoteStore.create(moto.bucket(), moto.options(), tmp_path / "cache")
    with opened(f"{shelf.url}/a%20file.bin") as source:
        assert source.name == "a file.bin"
        assert stream(source, remote, repository="r").digest == Digest.of(LARGE)
    assert remote.read(Digest.of(LARGE)) == LARGE
    with pytest.raises(TallyError), opened(f"{shelf.url}/none.bin") as source:
        source.file.read(1)


def test_a_file_in_a_bucket_goes_straight_to_a_folder(
    moto: Server, shelf: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = moto.bucket()
    moto.client().put_object(Bucket=bucket.removeprefix("s3://"), Key="data/a.bin", Body=LARGE)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret)
    with opened(f"{bucket}/data/a.bin") as source:
        assert (source.name, source.size) == ("a.bin", len(LARGE))
        assert stream(source, shelf, repository="r").digest == Digest.of(LARGE)


@pytest.mark.slow
def test_a_file_larger_than_the_memory_it_takes_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        for _ in range(24):
            file.write(os.urandom(16 << 20))
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tallystick.store import RemoteStore\n"
        "from tallystick.store.source import opened\n"
        "from tallystick.store.streaming import stream\n"
        "remote = RemoteStore.create(sys.argv[2], {}, Path(sys.argv[3]))\n"
        "with opened(sys.argv[1]) as source:\n"
        "    stream(source, remote, repository='r')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    argv = [sys.executable, "-c", program, str(path), str(tmp_path / "remote"), str(tmp_path / "cache")]
    peak = int(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert peak * (1 if sys.platform == "darwin" else 1024) < 250 << 20
