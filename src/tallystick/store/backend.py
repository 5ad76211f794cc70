"""What a remote store needs of the place where its bytes lie."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Protocol

from tallystick.digest import Buffer
from tallystick.records.root import FORMAT_FILE

MARKER = FORMAT_FILE
"""The file that makes a folder or a bucket a Tallystick store."""


class Backend(Protocol):
    """A flat space of immutable files, named with slashes.

    Raises RemoteUnreachable or its AccessDenied, DiskFull, and ObjectMissing where a file that is read is not
    there; only that last one means absence. A listing that fails is an error, never an empty listing.
    """

    url: str
    """As it may be shown: without secrets."""

    @abstractmethod
    def create(self) -> None:
        """Make the place itself; fine if it exists, Refused if it holds something else."""

    def heed(self, busy: Callable[[], None]) -> None:
        """Tell whenever the place says that it is busy, where that is not raised as RemoteBusy each time."""
        del busy

    @abstractmethod
    def put_new(self, name: str, data: Buffer) -> bool:
        """Write a file, durable on return; False, and nothing written, if the name is taken."""

    def put_pieces(self, folder: str, pieces: Iterable[Buffer], name: Callable[[], str]) -> bool:
        """Write a file below a folder whose name is known once all its pieces are drawn.

        As `put_new`; nothing is there if drawing fails. A piece's memory may be used again for the next one.
        """
        if isinstance(pieces, tuple) and len(pieces) == 1:
            # It lies in memory already: another copy would take as much again.
            return self.put_new(f"{folder}/{name()}", pieces[0])
        data = bytearray()
        for piece in pieces:
            data += piece
        return self.put_new(f"{folder}/{name()}", data)

    @abstractmethod
    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or those from `start` to before `end`."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """How many bytes a file has; None if it is not there."""

    @abstractmethod
    def listing(self, prefix: str) -> dict[str, int]:
        """The files below a prefix that ends in a slash, with their sizes."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a file; fine if it is not there."""
