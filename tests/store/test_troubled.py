"""A real S3 server that is slow, or behind a network that breaks: pushes and pulls end well all the same."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallystick.store import LocalStore, RemoteStore, pace, transfer
from tallystick.store.pace import Pace, Paced
from tests.counting import Counts, counted
from tests.servers import Server
from tests.store.conftest import again, blobs, fill


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(pace, "_LONGEST_WAIT", 0.1)


class Every:
    """Says something of every so manieth request that begins in one of some ways, so many times at most."""

    def __init__(self, step: int, beginnings: str, what: str, most: int) -> None:
        self._step, self._beginnings, self._what, self.left = step, tuple(beginnings.split()), what, most
        self._count, self._lock = itertools.count(1), threading.Lock()

    def __call__(self, request: str) -> str:
        if not request.replace(" store", "").startswith(self._beginnings):
            return ""
        with self._lock:
            if self.left and not next(self._count) % self._step:
                self.left -= 1
                return self._what
        return ""


def pace_of(remote: RemoteStore) -> Pace:
    assert isinstance(remote.backend, Paced)
    return remote.backend.pace


@contextmanager
def troubled(seaweed: Server, folder: Path) -> Iterator[tuple[Callable[[str], RemoteStore], Counts]]:
    """A store behind a network that the test breaks, and how to open it once more."""
    with counted(seaweed) as (server, counts):
        url = f"{seaweed.bucket()}/store"
        RemoteStore.create(url, server.options(), folder / "made")
        yield (lambda name: RemoteStore.open(url, server.options(), folder / name)), counts


def test_a_server_that_refuses_a_third_is_asked_by_fewer_until_it_doesn_t(
    seaweed: Server, local: LocalStore, tmp_path: Path
) -> None:
    content = blobs(40, 50_000, seed=3)
    fill(local, content)
    with troubled(seaweed, tmp_path) as (opened, counts):
        remote, allowed = opened("a"), [pace.MOST]
        slow = Every(3, "PUT GET HEAD LIST", "503", most=4)

        def refuse(request: str) -> int:
            allowed.append(pace_of(remote).allowed)
            return int(slow(request) or 0)

        counts.refuse = refuse
        transfer.push(again(local), remote, content, repository="r")
        assert transfer.fetch([remote], LocalStore(tmp_path / "b"), content).blobs == 40
        assert not slow.left
        lowest = min(allowed)
        assert lowest < pace.MOST
        assert transfer.fetch([remote], LocalStore(tmp_path / "c"), content).blobs == 40
        assert pace_of(remote).allowed > lowest


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("unheard", marks=pytest.mark.slow),
        "unanswered",
        pytest.param("cut", marks=pytest.mark.slow),
        "short",
    ],
)
def test_connections_that_break_in_the_middle_lose_nothing(
    how: str, seaweed: Server, local: LocalStore, tmp_path: Path
) -> None:
    """A request does not arrive, or its answer; or only half of that, which may even look like all of it."""
    content = blobs(40, 50_000, seed=3)
    fill(local, content)
    with troubled(seaweed, tmp_path) as (opened, counts):
        writing = Every(2, "PUT/packs PUT/index PUT/roots", how, most=2)
        counts.spoil = writing if how[0] == "u" else Every(2, "GET/index LIST", how, most=2)
        transfer.push(again(local), opened("a"), content, repository="r")
        packs, index = Every(1, "GET/packs", how, most=1), Every(1, "GET/index", how, most=1)
        counts.spoil = lambda request: packs(request) or index(request)
        other = LocalStore(tmp_path / "other")
        assert transfer.fetch([opened("b")], other, content).blobs == 40
        assert not packs.left + index.left
        assert dict(other.read_many(content)) == content
