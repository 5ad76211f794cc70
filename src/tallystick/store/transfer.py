"""Copy what is missing from the local store to a remote, or from remotes to the local store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby

from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectMissing, RemoteUnreachable, TallyError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.store.adopting import Adopted, adopt
from tallystick.store.directory import Directory
from tallystick.store.glance import FEW, Held
from tallystick.store.incoming import Located, Received, Run, file_runs, receive, small_runs
from tallystick.store.index import Place
from tallystick.store.local import LocalStore
from tallystick.store.nearby import Recipes, Spot, nearby
from tallystick.store.pack import LARGE, PACK_SIZE
from tallystick.store.parallel import ordered
from tallystick.store.quarantine import LIMIT, Damaged, Quarantine
from tallystick.store.remote import RemoteStore, pack_path
from tallystick.store.sending import Sent, send
from tallystick.store.settled import Covered, Settled, key_of, recall, remember
from tallystick.store.writer import Writer

JOBS = 8
_TOLD = 3
"""How many damaged blobs an error describes."""
NEAR_JOBS = 2
_ROUNDS = 5
"""How often a push begins again when collections delete under its feet."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the remote holds of what was asked, and what of it this push sent."""

    blobs: int
    size: int
    sent_blobs: int
    sent_bytes: int
    packs: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came into the local store, and how many bytes that took."""

    blobs: int
    size: int
    received_bytes: int


def push(
    local: LocalStore,
    remote: RemoteStore,
    digests: Iterable[bytes],
    *,
    repository: str,
    commits: Sequence[str] = (),
    roots: Iterable[Digest] | None = None,
    lasting: Iterable[Digest] | None = None,
    covered: Covered | None = None,
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Pushed:
    """Make blobs durable at a remote: packs, index, root record, in this order.

    `roots` are those of the blobs that the rest is reached from (what pointers name); all without it.
    `lasting` are those of them that the next push has too, if nothing has changed by then. `covered` says
    what all is reached from in a way that the next push may go on from.
    Raises ObjectMissing, before anything is sent, naming the blobs that neither side has.
    """
    wanted = digests if isinstance(digests, set) else set(digests)
    sent = Sent()
    named = set(map(Digest, wanted)) if roots is None else set(roots)
    gone: set[Digest] = set()
    for _ in range(_ROUNDS):
        remote.refresh(gone)
        relied, size = send(local, remote, wanted, sent, jobs, progress)
        if not wanted:
            break
        root = remote.put_root(repository, commits, named, relied)
        gone |= _lost(remote, relied)
        if not relied & gone:
            _tidy(remote)
            key = key_of(repository, commits, named if lasting is None else lasting)
            is_exact = covered is not None and covered.blobs == len(wanted)
            held = remote.holdings(relied)
            note = Settled(key, root, root, *held, len(wanted), size, covered if is_exact else None)
            remember(remote.cache, note)
            break
    else:
        raise RemoteUnreachable(
            f"`{remote.url}` deletes what is sent to it",
            hint="wait for its collection to end, then push again",
        )
    return Pushed(len(wanted), size, sent.blobs, sent.bytes, sent.packs)


def go_on(
    local: LocalStore,
    remote: RemoteStore,
    last: Settled,
    digests: set[bytes],
    size: int,
    covered: Covered,
    *,
    repository: str,
    commits: Sequence[str],
    roots: Iterable[Digest],
    lasting: Iterable[Digest],
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Pushed | None:
    """Push the blobs that the last push had not, without looking up the others; in all they have this size.

    None if the remote has not all that it had, or has some of these already, so that nobody knows how many
    there are: then `push` has to look all up.
    """
    remote.refresh()
    if not remote.has_all(last) or len(remote.lacks(digests)) < len(digests):
        return None
    sent = Sent()
    relied = send(local, remote, digests, sent, jobs, progress)[0]
    relied |= {Digest(bytes.fromhex(pack)) for pack in last.packs}
    root = remote.put_root(repository, commits, roots, relied)
    if _lost(remote, relied):
        return None
    _tidy(remote)
    key = key_of(repository, commits, lasting)
    held = remote.holdings(relied)
    remember(remote.cache, Settled(key, root, last.looked, *held, covered.blobs, size, covered))
    return Pushed(covered.blobs, size, sent.blobs, sent.bytes, sent.packs)


def _lost(remote: RemoteStore, relied: set[Digest]) -> set[Digest]:
    """The packs that a root record relies on in vain, asked for once it is written."""
    # Tombstones first, then what is there: the other way round a collection could pass between the two.
    condemned = remote.condemned() & relied
    return condemned | (relied - remote.pack_sizes().keys())


def _tidy(remote: RemoteStore) -> None:
    """Join the remote's indexes where there are many."""
    with suppress(RemoteUnreachable):
        # All is durable and found; what is merely untidy must not make a push fail.
        remote.join_indexes()


def last_push(remote: RemoteStore) -> Settled | None:
    """The note of the last push from here, whichever it was: a hint at what is there, and no proof."""
    return recall(remote.cache)


def settled(
    remote: RemoteStore, *, repository: str, commits: Sequence[str], roots: Iterable[Digest]
) -> Pushed | None:
    """What a push would find if it was done from here before, and all is there that it left; None if not."""
    found = remote.settled(key_of(repository, commits, roots))
    return None if found is None else Pushed(found.blobs, found.size, 0, 0, 0)


def fetch(
    remotes: Iterable[RemoteStore],
    local: LocalStore,
    digests: Iterable[bytes],
    *,
    jobs: int = JOBS,
    progress: Progress = silent,
) -> Fetched:
    """Bring blobs that the local store lacks, trying the remotes in order; what arrived is kept on failure.

    Raises ObjectCorrupt, RemoteUnreachable or ObjectMissing for what could not be had from any.
    """
    wanted = local.missing(digests)
    tried: list[RemoteStore] = []
    failure: RemoteUnreachable | BadRecord | None = None
    with local.writer() as writer:
        arrivals = _Arrivals(local, writer, progress)
        for remote in remotes if wanted else ():
            tried.append(remote)
            try:
                _fetch_from(remote, wanted, arrivals, jobs)
            except (RemoteUnreachable, BadRecord) as error:
                failure = failure or error
            wanted -= arrivals.here
            if not wanted:
                break
    if wanted:
        raise _unhad(local, wanted, arrivals.damaged, tried, failure)
    return Fetched(arrivals.blobs, arrivals.size, arrivals.received)


def _unhad(
    local: LocalStore,
    wanted: set[bytes],
    damaged: Mapping[Digest, Damaged],
    tried: Sequence[RemoteStore],
    failure: TallyError | None,
) -> TallyError:
    """Why these blobs could not be had."""
    bad = sorted(map(Digest, wanted & damaged.keys()))
    if bad:
        found = [damaged[digest] for digest in bad]
        kept = Quarantine(local.quarantine).keep(found)
        told = "; ".join(map(str, found[:_TOLD]))
        message = f"blobs that are damaged at the remote: {len(bad):,} ({told})"
        if kept:
            message += f"; what came is kept in `{local.quarantine}`"
        return ObjectCorrupt(message, bad, sorted({one.source for one in found}))
    places = [
        place for remote in tried for place in (remote.url, *(f"{one} (damaged)" for one in remote.damaged))
    ]
    missing = sorted(map(Digest, wanted))
    return failure or ObjectMissing(f"{len(missing):,} blobs are at no remote", missing, places)


class _Arrivals:
    """Takes what a fetch brings into the local store."""

    def __init__(self, local: LocalStore, writer: Writer, progress: Progress) -> None:
        self.local = local
        self._writer = writer
        self._progress = progress
        self.here: set[Digest] = set()
        """Blobs that came one by one; those of whole packs, up to a million, are only counted."""
        self._adopted = 0
        self.damaged: dict[Digest, Damaged] = {}
        """Blobs that came damaged, as they last came."""
        self._held = 0
        self.size = 0
        self.received = 0

    @property
    def blobs(self) -> int:
        """How many of those that were wanted have come."""
        return len(self.here) + self._adopted

    @contextmanager
    def watched(self, files: int, size: int) -> Iterator[None]:
        """Show the progress of so much."""
        self._progress.begin("receiving", files=files, size=size)
        try:
            yield
        finally:
            self._progress.end()

    def take(self, remote: RemoteStore, file: Digest | None, received: Iterable[Received]) -> None:
        """Take the runs of a large file, or of small blobs."""
        if file is None:
            for one in received:
                self._take_small(remote, one)
            return
        try:
            self._writer.put_pieces(file, self._pieces(remote, file, received))
        except ObjectCorrupt:
            # If no chunk was damaged, the recipe is: the chunks make another file.
            self.damaged.setdefault(file, Damaged(file, None, remote.url, b""))
        else:
            self.here.add(file)
            self._progress.advance(files=1)

    def adopt(self, adopted: Adopted, wanted: set[bytes]) -> None:
        """Take a whole pack, most of which is wanted; what is in it is wanted no longer."""
        self._writer.adopt(adopted.pack, adopted.rows)
        before = len(wanted)
        wanted.difference_update(adopted.digests())
        self._adopted += before - len(wanted)
        self.received += adopted.pack.size
        self.size += adopted.size
        self._progress.advance(adopted.blobs, adopted.pack.size)

    def _take_small(self, remote: RemoteStore, received: Received) -> None:
        self.received += received.size
        taken = size = 0
        for stretch in received.stretches:
            self._writer.put_stretch(*stretch)
            self.here.update(stretch.digests)
            taken, size = taken + len(stretch.digests), size + len(stretch.data)
        for (digest, place), data in zip(received.run.blobs, received.data, strict=not received.stretches):
            if not isinstance(data, bytes):
                self._note(digest, data, remote, place)
                continue
            self._writer.put(digest, data)
            self.here.add(digest)
            taken += 1
            size += len(data)
        self.size += size
        self._progress.advance(taken, size)

    def _note(self, wanted: Digest, came: Damaged | None, remote: RemoteStore, place: Place) -> None:
        """Remember what came of a blob; of its bytes no more than the quarantine may keep."""
        source = f"{remote.url}/{pack_path(place.pack)}"
        found = came or Damaged(wanted, None, source, b"")
        self._held += len(found.stored)
        self.damaged[wanted] = found if self._held <= LIMIT else found._replace(stored=b"")

    def _pieces(self, remote: RemoteStore, file: Digest, received: Iterable[Received]) -> Iterator[bytes]:
        """A large file's chunks, in order."""
        for one in received:
            self.received += one.size
            for (_, place), data in zip(one.run.blobs, one.data, strict=True):
                if not isinstance(data, bytes):
                    self._note(file, data, remote, place)
                    raise ObjectCorrupt(f"{file} is damaged in {remote.url}", [file], [remote.url])
                self.size += len(data)
                yield data
            self._progress.advance(size=sum(place.size for _, place in one.run.blobs))


def _fetch_from(remote: RemoteStore, wanted: set[bytes], arrivals: _Arrivals, jobs: int) -> None:
    """Bring what one remote has of these blobs, and take out of the set what has come."""
    if len(wanted) <= FEW:
        _fetch_few(remote, set(map(Digest, wanted)), arrivals, jobs)
        wanted -= arrivals.here
    if wanted:
        _adopt(remote, wanted, arrivals, _lanes(remote, jobs))
    if wanted:
        names = set(map(Digest, wanted))
        _bring(remote, remote.held(names), remote.catalogue, names, arrivals, jobs)
        wanted -= arrivals.here


def _fetch_few(remote: RemoteStore, wanted: set[Digest], arrivals: _Arrivals, jobs: int) -> None:
    """Bring what can be found without copying large indexes, if there are such."""
    glance = remote.glance(wanted)
    if glance is not None:
        # What its large indexes say is not verified: for whatever does not come this way they are copied.
        with suppress(BadRecord, ObjectMissing):
            _bring(remote, glance.held(wanted), glance, wanted, arrivals, jobs)


def _lanes(remote: RemoteStore, jobs: int) -> int:
    """How many requests to have under way: from a directory nearby more only take turns, and memory."""
    return min(jobs, NEAR_JOBS) if isinstance(remote.backend, Directory) else jobs


def _adopt(remote: RemoteStore, wanted: set[bytes], arrivals: _Arrivals, jobs: int) -> None:
    """Take over the packs of which nearly all is wanted; the rest of what is wanted comes blob by blob."""
    if len(wanted) * LARGE < PACK_SIZE // 4:
        # So few can't be most of a pack, and counting what is in packs means reading whole indexes.
        return
    # Small ones are better joined.
    packs = [pack for pack in remote.catalogue.mostly(wanted) if pack.size >= PACK_SIZE // 2]
    if packs:
        with arrivals.watched(0, sum(pack.size for pack in packs)):
            for adopted in ordered(partial(adopt, remote, arrivals.local.packs), packs, jobs):
                if adopted is not None:
                    arrivals.adopt(adopted, wanted)


def _bring(
    remote: RemoteStore, held: Held, known: Recipes, wanted: set[Digest], arrivals: _Arrivals, jobs: int
) -> None:
    small = [(digest, place) for digest, place in held.places.items() if digest in wanted]
    size = sum(place.size for _, place in small) + sum(recipe.size for recipe in held.recipes.values())
    with arrivals.watched(len(small) + len(held.recipes), size):
        here = nearby(arrivals.local, known, held.recipes)
        received = ordered(partial(receive, remote), _runs(small, held, here), _lanes(remote, jobs))
        for file, group in groupby(received, key=lambda one: one.run.file):
            arrivals.take(remote, file, group)


def _runs(small: Sequence[Located], held: Held, here: Mapping[Digest, Spot]) -> Iterator[Run]:
    """All requests: small blobs, then the large files in the order in which they lie."""
    yield from small_runs(small)
    files = sorted(held.recipes.items(), key=lambda file: held.places[file[1].chunks[0][0]])
    for file, recipe in files:
        yield from file_runs(file, recipe, held.places, here)
