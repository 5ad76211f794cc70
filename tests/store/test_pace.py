"""A remote that is busy is asked less often, and again."""

import threading
import time
from pathlib import Path

import pytest

from tallystick.errors import RemoteBusy
from tallystick.store import LocalStore, RemoteStore, pace, transfer
from tallystick.store.pace import Pace, Paced
from tests.counting import counted
from tests.servers import Server
from tests.store.conftest import again, blobs, fill
from tests.store.meddling import Meddled


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(pace, "_LONGEST_WAIT", 0.1)


class Busy(Meddled):
    """Answers only so many at a time."""

    capacity = 2

    def __init__(self, inner: Meddled) -> None:
        super().__init__(inner)
        self.under_way = self.refused = 0
        self.lock = threading.Lock()

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        with self.lock:
            if self.under_way >= self.capacity:
                self.refused += 1
                raise RemoteBusy("slow down")
            self.under_way += 1
        time.sleep(0.002)
        with self.lock:
            self.under_way -= 1
        return super().get(name, start, end)


def test_a_busy_remote_is_asked_by_fewer_at_a_time(
    shelf: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine that is busy itself a thread may come too late many times.
    monkeypatch.setattr(pace, "_TRIES", 1000)
    busy = Busy(shelf.backend)
    paced = Paced(busy, Pace(16))
    results: list[bytes] = []

    def work() -> None:
        results.extend([paced.get("tally-store.json") for _ in range(20)])

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 320
    assert busy.refused < 160


def test_the_pace_quickens_again() -> None:
    one = Pace(8)
    with one.turn():
        one.slower()
    assert one.allowed == 1
    for _ in range(100):
        one.faster()
    assert one.allowed == 8


def test_a_remote_that_stays_busy_is_said_to_be(shelf: RemoteStore) -> None:
    busy = Busy(shelf.backend)
    busy.capacity = 0
    with pytest.raises(RemoteBusy):
        Paced(busy).get("tally-store.json")
    assert busy.refused == 8


def test_a_server_that_says_slow_down_gets_everything_in_the_end(
    moto: Server, local: LocalStore, tmp_path: Path
) -> None:
    content = blobs(50)
    fill(local, content)
    with counted(moto) as (server, counts):
        url = f"{moto.bucket()}/store"
        remote = RemoteStore.create(url, server.options(), tmp_path / "cache")
        answers = iter([503] * 12)
        counts.refuse = lambda request: next(answers, 0)
        transfer.push(again(local), remote, content, repository="r")
        assert next(answers, None) is None
        assert remote.missing(content) == set()
