"""Send a file straight to a remote: it is read once, and no copy of it stays here."""

from collections.abc import Iterator
from functools import partial

from tallystick.digest import Digest, blake3_hasher
from tallystick.errors import Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.store.assembling import assemble
from tallystick.store.chunker import cut
from tallystick.store.index import Recipe
from tallystick.store.outgoing import Box, Parcel
from tallystick.store.pack import LARGE, Encoder
from tallystick.store.parallel import ordered
from tallystick.store.remote import RemoteStore
from tallystick.store.source import Source
from tallystick.store.uploading import PACKS_AT_A_TIME, resumed, upload


@dataclass(frozen=True, slots=True)
class Streamed:
    """The file that the remote holds now, and what of it was sent."""

    digest: Digest
    size: int
    sent_bytes: int
    packs: int


def stream(
    source: Source,
    remote: RemoteStore,
    *,
    repository: str,
    jobs: int = PACKS_AT_A_TIME,
    progress: Progress = silent,
) -> Streamed:
    """Cut, hash and send a file in one read; its digest is known last, so recipe, index and root come last.

    Raises RemoteUnreachable if a collection deleted what the file relies on: it must be read again then.
    """
    remote.refresh()
    noted = resumed(remote)
    packs, sent = list(noted), 0
    outgoing = _Outgoing(source, remote, progress)
    progress.begin(f"sending `{source.name}`", size=source.size or 0)
    try:
        for done in ordered(partial(upload, remote), outgoing.parcels(), min(jobs, PACKS_AT_A_TIME)):
            packs.append((done.pack, done.rows))
            sent += done.pack.size
    finally:
        progress.end()
    digest, recipes = outgoing.digest, outgoing.recipes
    if packs or (recipes and remote.lacks({digest})):
        remote.put_index(assemble(packs, recipes))
        remote.journal.forget([pack.digest for pack, _ in packs])
    relied, size = remote.relied({digest})
    remote.put_root(repository, [], [digest], relied)
    # Tombstones first, then what is there, as at the end of every push.
    if remote.condemned() & relied or relied - remote.pack_sizes().keys():
        raise RemoteUnreachable(
            f"`{remote.url}` was being collected meanwhile, and deletes what `{source.name}` needs",
            hint="wait for its collection to end, then add it again",
        )
    return Streamed(digest, size, sent, len(packs) - len(noted))


class _Outgoing:
    """Makes packs of the chunks that the remote lacks, while the file is read."""

    def __init__(self, source: Source, remote: RemoteStore, progress: Progress) -> None:
        self._source = source
        self._remote = remote
        self._progress = progress
        self._hasher = blake3_hasher()
        self._listed: list[tuple[Digest, int]] = []

    @property
    def digest(self) -> Digest:
        """Of the whole file, once all of it is read."""
        return Digest(self._hasher.digest())

    @property
    def recipes(self) -> dict[Digest, Recipe]:
        """How the file is made of its chunks; a small one is a blob like any other, and needs none."""
        size = sum(length for _, length in self._listed)
        return {self.digest: Recipe(size, tuple(self._listed))} if size >= LARGE else {}

    def parcels(self) -> Iterator[Parcel]:
        """Packs of the new chunks; raise Refused if the file is not as long as was said."""
        box, started = Box(Encoder()), set[Digest]()
        for piece in self._pieces():
            name = Digest.of(piece)
            self._listed.append((name, len(piece)))
            if name not in started and name not in self._remote.catalogue:
                started.add(name)
                box.put(name, piece)
                if box.is_full:
                    yield box.close()
        if box.entries:
            yield box.close()

    def _pieces(self) -> Iterator[memoryview]:
        total = 0
        for piece in cut(self._source.file, self._source.size):
            self._hasher.update(piece)
            total += len(piece)
            self._progress.advance(size=len(piece))
            yield piece
        if self._source.size is not None and total != self._source.size:
            raise Refused(
                f"`{self._source.name}` has {self._source.size:,} bytes, and {total:,} came",
                hint="add it again",
            )
        self._progress.advance(files=1)
