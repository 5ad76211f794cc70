"""What a push sends: the packs with what a remote lacks, and the index that names it."""

from collections.abc import Iterable
from functools import partial
from itertools import chain, islice

from tallystick.crew import MOST_TASKS
from tallystick.digest import Buffer, Digest
from tallystick.errors import ObjectMissing
from tallystick.progress import Progress
from tallystick.store.assembling import Draft
from tallystick.store.crewed import Together, together
from tallystick.store.index import PackName
from tallystick.store.local import LocalStore, Stock
from tallystick.store.outgoing import Outgoing, Parcel, separate
from tallystick.store.parallel import ordered
from tallystick.store.remote import RemoteStore
from tallystick.store.uploading import PACKS_AT_A_TIME, Uploaded, resumed, tried
from tallystick.store.verbatim import Verbatim


class Sent:
    """Counts what a push has sent so far."""

    __slots__ = ("blobs", "bytes", "packs")

    def __init__(self) -> None:
        self.blobs = self.bytes = self.packs = 0


def send(
    local: LocalStore, remote: RemoteStore, wanted: set[bytes], sent: Sent, jobs: int, progress: Progress
) -> tuple[set[Digest], int]:
    """Upload what the remote lacks, and the index that names it; say which packs all relies on, its size."""
    noted = resumed(remote)
    there = remote.survey(wanted)
    with together(local, remote, len(there.lacking)) as crew:
        stock = local.stock(there.lacking)
        if stock.absent:
            raise ObjectMissing(
                f"{len(stock.absent):,} blobs are neither in the local store nor in `{remote.url}`",
                sorted(stock.absent),
                [str(local.root), remote.url],
            )
        sending = _Sending(local, remote, sent, min(jobs, PACKS_AT_A_TIME), progress)
        progress.begin("sending", files=len(there.lacking), size=stock.size)
        try:
            sending.send(stock, crew)
        finally:
            progress.end()
    recipes, packs = sending.outgoing.recipes, [*noted, *sending.packs]
    sent.blobs += len(recipes)
    sent.packs += len(sending.packs)
    if packs or recipes:
        remote.put_index(sending.draft.finish(packs, recipes))
        remote.journal.forget([name.digest for name, _ in packs])
    # Chunks of what is large may lie in packs that were there before.
    new = {name.digest for name, _ in sending.packs} | remote.survey(set(recipes)).packs
    return there.packs | new, there.size + stock.size


class _Sending:
    """Uploads packs; `packs` are those that the remote has confirmed, with their tables of contents."""

    def __init__(
        self, local: LocalStore, remote: RemoteStore, sent: Sent, jobs: int, progress: Progress
    ) -> None:
        self.outgoing = Outgoing(local, remote.catalogue.__contains__)
        self.packs: list[tuple[PackName, Buffer]] = []
        self.draft = Draft()
        self._done: set[PackName | None] = set()
        self._remote = remote
        self._sent = sent
        self._jobs = jobs
        self._progress = progress

    def send(self, stock: Stock, crew: Together | None) -> None:
        """Send packs as they lie here, where that is possible, and new ones of all else."""
        entire = separate(stock.packed.packs())
        apart = stock.packed.outside(entire)
        shared = {} if crew is None else dict(islice(entire.items(), MOST_TASKS))
        alone = {pack: blobs for pack, blobs in entire.items() if pack not in shared}
        parcels: Iterable[Parcel | Verbatim] = chain(
            self.outgoing.as_they_are(alone), self.outgoing.repacked(stock.whole, apart)
        )
        if crew is None:
            self._send(parcels)
        else:
            with crew.sending(shared, self._progress):
                self._send(parcels)
                # While the others are at work: nothing would go on beside it later.
                self.draft = Draft([*(rows for _, rows in self.packs), *crew.tables()])
            for pack in crew.sent():
                self._note(pack)
        done = [pack for pack in entire if pack in self._done]
        if len(done) < len(entire):
            # What is not what its name says goes blob by blob, so that the damaged one is found.
            self._send(self.outgoing.repacked((), stock.packed.outside(done) - apart))

    def _send(self, parcels: Iterable[Parcel | Verbatim]) -> None:
        """Upload packs."""
        recipes, known = self.outgoing.recipes, len(self.outgoing.recipes)
        for pack in ordered(partial(tried, self._remote), parcels, self._jobs):
            if pack is not None:
                self._progress.advance(pack.blobs + len(recipes) - known, pack.size)
                known = len(recipes)
                self._note(pack)

    def _note(self, pack: Uploaded) -> None:
        """Count a pack that the remote has now."""
        self.packs.append((pack.pack, pack.rows))
        self._sent.blobs += pack.blobs
        self._sent.bytes += pack.pack.size
        self._done.add(pack.here)
