"""Packs that go as they lie to a folder, sent by helper processes too: hashing keeps one core busy."""

import mmap
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tallystick import crew
from tallystick.digest import Digest
from tallystick.errors import TallyError
from tallystick.helping import drawn
from tallystick.progress import Progress
from tallystick.store.directory import Directory
from tallystick.store.index import PackName
from tallystick.store.local import LocalStore
from tallystick.store.pack import MAGIC, ROW, TRAILER, Encoder
from tallystick.store.remote import RemoteStore
from tallystick.store.uploading import Uploaded, tried
from tallystick.store.verbatim import Verbatim, opened

ENOUGH = 8192
"""So many blobs keep two processes busy for longer than it takes to start one."""

_MODULE = "tallystick.store.crewed"

_HEAD = struct.Struct("<II")
_TASK = struct.Struct("<32sQI32sB")
_ROOM = 1 << 15
"""Bytes for the names of folders."""
_UNDONE, _SENT, _UNFIT = range(3)


class Board:
    """Memory that all processes share: which packs there are to send, and what became of each."""

    size = _HEAD.size + _ROOM + crew.MOST_TASKS * _TASK.size

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    def write(self, folders: Sequence[Path], packs: Mapping[PackName, int]) -> None:
        """Note what there is to do: packs, each with how many blobs are in it."""
        text = "\0".join(map(str, folders)).encode("utf-8", "surrogateescape")
        if len(text) > _ROOM:
            raise ValueError("such names of folders are no system's")
        self._memory[_HEAD.size : _HEAD.size + len(text)] = text
        for number, (pack, blobs) in enumerate(packs.items()):
            _TASK.pack_into(self._memory, _at(number), pack.digest, pack.size, blobs, bytes(32), _UNDONE)
        _HEAD.pack_into(self._memory, 0, len(text), len(packs))

    def folders(self) -> list[Path]:
        """What it is about."""
        text = self._memory[_HEAD.size : _HEAD.size + _HEAD.unpack_from(self._memory)[0]]
        return [Path(name) for name in text.decode("utf-8", "surrogateescape").split("\0")]

    def pack(self, number: int) -> tuple[PackName, int]:
        """A pack, and how many blobs are in it."""
        digest, size, blobs, _, _ = _TASK.unpack_from(self._memory, _at(number))
        return PackName(Digest(digest), size), blobs

    def state(self, number: int) -> int:
        """What became of a pack."""
        return self._memory[_at(number + 1) - 1]

    def name(self, number: int) -> Digest:
        """What a pack that was sent is called at the remote; for when the helpers have ended."""
        return Digest(_TASK.unpack_from(self._memory, _at(number))[3])

    def note(self, number: int, state: int, name: bytes = bytes(32)) -> None:
        """Note what became of a pack."""
        end = _at(number + 1) - 1
        self._memory[end - len(name) : end] = name
        self._memory[end] = state


def _at(number: int) -> int:
    return _HEAD.size + _ROOM + number * _TASK.size


class Sender:
    """Sends packs of a board; one a thread."""

    def __init__(self, board: Board, local: LocalStore, remote: RemoteStore) -> None:
        self._board = board
        self._local = local
        self._remote = remote
        self._encoder = Encoder()
        self._rooms: list[memoryview] = []

    def opened(self, number: int) -> Verbatim | None:
        """A pack, if its table of contents is sound and all in it is wanted."""
        pack, blobs = self._board.pack(number)
        return opened(self._local.pack_path(pack.digest), pack, blobs, self._rooms)

    def try_all(self, tasks: Iterator[int]) -> None:
        """Send packs; what fails is left for whoever raises the error."""
        for number in tasks:
            with suppress(TallyError, OSError):
                self.send(number)

    def send(self, number: int) -> None:
        """Send a pack, verified; or find that its blobs have to go one by one, or compressed."""
        parcel = self.opened(number)
        if parcel is not None and parcel.shrinks(self._encoder):
            parcel = None
        sent = None if parcel is None else tried(self._remote, parcel)
        if sent is None:
            self._board.note(number, _UNFIT)
        else:
            self._board.note(number, _SENT, sent.pack.digest)


class Together:
    """Sends packs by this process and its helpers, while the caller does something else."""

    def __init__(self, board: Board, helpers: crew.Crew, local: LocalStore, remote: RemoteStore) -> None:
        self._board = board
        self._helpers = helpers
        self._local = local
        self._remote = remote
        self._count = 0
        self._shown: set[int] = set()
        self._opened: dict[int, Verbatim] = {}

    @contextmanager
    def sending(self, packs: Mapping[PackName, int], progress: Progress) -> Iterator[None]:
        """Send packs, once, MOST_TASKS at most; on leaving the block all have been tried."""
        assert isinstance(self._remote.backend, Directory)
        folders = (self._local.root, self._remote.backend.root, self._remote.cache)
        self._board.write([folder.absolute() for folder in folders], packs)
        self._count = len(packs)
        self._helpers.share(range(self._count))
        # A second one here, besides the caller: while one waits for the disk, the other goes on.
        lane = threading.Thread(target=self._sender().try_all, args=(self._helpers.tasks(),), daemon=True)
        lane.start()
        try:
            yield
            self._sender().try_all(self._watched(self._helpers.tasks(), progress))
        finally:
            # What nobody has begun is not begun any more.
            for _ in self._helpers.tasks():
                pass
            lane.join()
            self._helpers.wait()
        self._show(progress)

    def _sender(self) -> Sender:
        return Sender(self._board, self._local, self._remote)

    def _watched(self, tasks: Iterator[int], progress: Progress) -> Iterator[int]:
        for number in tasks:
            yield number
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        """Tell of the packs that have been sent since the last time."""
        new = [one for one in range(self._count) if self._board.state(one) == _SENT]
        for number in set(new) - self._shown:
            pack, blobs = self._board.pack(number)
            # All lies raw in it.
            progress.advance(blobs, pack.size - len(MAGIC) - blobs * ROW.size - TRAILER.size)
        self._shown.update(new)

    def tables(self) -> list[memoryview]:
        """The packs' tables of contents, of those that are sound."""
        sender = self._sender()
        found = {number: sender.opened(number) for number in range(self._count)}
        self._opened = {number: pack for number, pack in found.items() if pack is not None}
        return [pack.rows for pack in self._opened.values()]

    def sent(self) -> Iterator[Uploaded]:
        """The packs that the remote has now; raise what went wrong."""
        for number in range(self._count):
            if self._board.state(number) == _UNDONE:
                self._sender().send(number)
            parcel = self._opened.get(number)
            if self._board.state(number) == _SENT and parcel is not None:
                pack = PackName(self._board.name(number), parcel.pack.size)
                self._remote.confirm(pack)
                yield Uploaded(pack, parcel.rows, parcel.blobs, parcel.size, parcel.pack)


@contextmanager
def together(local: LocalStore, remote: RemoteStore, blobs: int) -> Iterator[Together | None]:
    """Start helpers to send so many blobs, if it pays; None if not."""
    wanted = crew.helpers() if blobs >= ENOUGH and isinstance(remote.backend, Directory) else 0
    if not wanted:
        yield None
        return
    with (
        crew.shared_memory(Board.size) as (descriptor, memory),
        crew.called(_MODULE, (descriptor,), wanted) as helpers,
    ):
        yield Together(Board(memory), helpers, local, remote)


def main() -> None:
    """Help another process: take tasks from a pipe, until there are none or that process is gone."""
    pipe, descriptor = map(int, sys.argv[1:])
    with mmap.mmap(descriptor, 0) as memory:
        board = Board(memory)
        sender: Sender | None = None
        for number in drawn(pipe):
            if sender is None:
                local, remote, cache = board.folders()
                sender = Sender(board, LocalStore(local), RemoteStore("", Directory(remote), cache))
            sender.try_all(iter([number]))
