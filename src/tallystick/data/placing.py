"""Make the worktree hold what pointers say, without losing a byte that is stored nowhere."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from tallystick.data.blobs import wanted_entries
from tallystick.data.hashing import identified, look, looked, present_of
from tallystick.data.tracked import Selected, Tracked, pointer_path_of, tree_text
from tallystick.digest import Digest, Hashed
from tallystick.errors import BadRecord, ObjectCorrupt, ObjectsError, Refused, WouldLoseChanges
from tallystick.files import lock as locked
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.records import tree
from tallystick.records.tree import Entry
from tallystick.store.pack import LARGE
from tallystick.worktree import (
    NO_FINGERPRINT,
    SPOT,
    Content,
    Identity,
    Known,
    Lying,
    Placed,
    Present,
    Scan,
    StatCache,
    Stored,
    Verified,
)

SHOWN = 5
"""How many paths a message names."""

_PLAIN = ord("f")
_Seen = TypeVar("_Seen")


@dataclass(frozen=True, slots=True)
class PlacedPath:
    """What was done at one tracked path."""

    path: str
    written: int
    removed: int
    size: int


@dataclass(frozen=True, slots=True)
class Order:
    """What one path shall hold, what it holds now, and which of its files may be overwritten or deleted.

    `partial` when only some of the files at the path are meant, or spoken of. With a `base`, `wanted` and
    `present` are only what differs from the files there, all of which are as that stat cache says.
    """

    path: str
    kind: Literal["file", "tree"]
    wanted: tuple[Entry, ...]
    present: Present | None
    safe: Mapping[bytes, Digest]
    digest: Digest | None = None
    partial: bool = False
    base: StatCache | None = None

    @property
    def losses(self) -> list[str]:
        """The files whose bytes would be gone: they are not in the local store."""
        ended = {} if self.present is None else _ended(self.present, self.wanted)
        return [_full(self.path, name) for name in ended if name not in self.safe]


@contextmanager
def worktree_lock(project: Project, wait: float = 10.0) -> Iterator[None]:
    """Keep other tally processes from placing files in this worktree meanwhile."""
    name = project.git.worktree_id
    with locked(project.home / "locks" / f"worktree-{name}.lock", what="this worktree", wait=wait):
        yield


def to_place(project: Project, selected: Selected, progress: Progress = silent) -> Order:
    """The order to make a path what its pointer says; the list of files must be in the local store."""
    tracked = selected.tracked
    seen = _without_lost_links(project, tracked.path, lambda: looked(project, tracked.path, progress))
    if seen is not None and not selected.parts and (order := _difference(project, tracked, *seen)):
        return order
    present = None if seen is None else present_of(project, *seen, progress)
    if present is not None and selected.parts:
        present = Present(present.scan.part(selected.covers), present.identities)
    elif seen is not None and (order := _mended(project, tracked, *seen)):
        return order
    wanted = tuple(wanted_entries(project, selected))
    digest = tracked.pointer.digest if not any(entry.mode in "ld" for entry in wanted) else None
    safe = _safe(project, present, wanted)
    return Order(tracked.path, tracked.pointer.kind, wanted, present, safe, digest, bool(selected.parts))


def _difference(project: Project, tracked: Tracked, scan: Scan, known: Known) -> Order | None:
    """The order for what differs between two versions, told by their lists of files alone.

    None unless the files there are known to be exactly those of a version whose list is here.
    """
    base = known.base
    if base is None or base.digest is None or {scan.kind, tracked.pointer.kind} != {"tree"}:
        return None
    if project.store.missing([base.digest]):
        return None
    return _between(project, tracked, scan, project.store.read(base.digest), base)


def _mended(project: Project, tracked: Tracked, scan: Scan, known: Known) -> Order | None:
    """The order for what differs from the files there, of which all are known by now.

    Mostly few were edited: of a million files all entries would take most of a gigabyte.
    """
    if {scan.kind, tracked.pointer.kind} != {"tree"}:
        return None
    try:
        before = scan.text(known.identities)
    except BadRecord:
        return None
    return _between(project, tracked, scan, bytes(before), None)


def _between(
    project: Project, tracked: Tracked, scan: Scan, before: bytes, base: StatCache | None
) -> Order | None:
    """The order for what two lists of files don't both say; None if links or empty folders have to come."""
    found = tree.difference(before, tree_text(project, tracked), tracked.path)
    if found is None or any(entry.mode in "ld" for entry in found[1]):
        return None
    gone, new = found
    touched = {entry.path for entry in (*gone, *new)}
    identities = {entry.path: Identity(entry.digest, NO_FINGERPRINT) for entry in gone}
    present = Present(scan.part(touched.__contains__), identities)
    safe = _safe(project, present, new)
    return Order(
        tracked.path,
        "tree",
        tuple(new),
        present,
        safe,
        tracked.pointer.digest,
        partial=base is None,
        base=base,
    )


def to_take_away(project: Project, path: str, progress: Progress = silent) -> Order:
    """The order to delete what stands at a path."""
    present = _without_lost_links(project, path, lambda: identified(project, path, progress))
    kind = "tree" if present is None else present.scan.kind
    return Order(path, kind, (), present, _safe(project, present, ()))


def _without_lost_links(project: Project, path: str, looking: Callable[[], _Seen]) -> _Seen:
    """Look at a path; links that lead to where the store's files were stand in the way, and hold nothing."""
    try:
        return looking()
    except Refused:
        if not project.worktree.drop_lost_links(path):
            raise
        return looking()


def check_losses(orders: Iterable[Order]) -> None:
    """Raise WouldLoseChanges if carrying out some orders would lose bytes that are stored nowhere."""
    losses = [loss for order in orders for loss in order.losses]
    if losses:
        named = ", ".join(f"`{one}`" for one in losses[:SHOWN])
        more = f" and {len(losses) - SHOWN:,} more" if len(losses) > SHOWN else ""
        raise WouldLoseChanges(
            f"changes would be lost in {named}{more}",
            losses,
            hint="keep them with `tally add`, or drop them with `--force`",
        )


def place(project: Project, order: Order, *, force: bool = False, progress: Progress = silent) -> PlacedPath:
    """Write, replace and delete what differs; every blob must be in the local store.

    Raises WouldLoseChanges, unless `force`, for a file that changed since the order was made.
    """
    size = sum(entry.size for entry in order.wanted)
    progress.begin(f"placing `{order.path}`", files=len(order.wanted), size=size)
    with _damage_set_aside(project):
        placed = project.worktree.place(
            order.path,
            order.kind,
            order.wanted,
            partial(_contents, project, order.path),
            lying=partial(_lying, project, order.wanted),
            present=order.present,
            expected=order.safe,
            force=force,
            progress=progress,
        )
    progress.end()
    if placed.written or placed.ended:
        _remember(project, order, placed, progress)
    return _summary(order.path, placed)


def _remember(project: Project, order: Order, placed: Placed, progress: Progress) -> None:
    """Save who the files at a path are now; of those that an order did not speak of, another look tells."""
    if order.partial:
        look(project, order.path, progress)
    else:
        cache_name = pointer_path_of(order.path)
        project.worktree.remember(cache_name, order.path, order.present, placed, order.digest, order.base)


@contextmanager
def _damage_set_aside(project: Project) -> Iterator[None]:
    """Have the store look at what was found damaged while it was placed: set aside, it can be fetched."""
    try:
        yield
    except ObjectCorrupt as error:
        for digest in error.digests:
            project.store.verify(Digest(digest))
        raise


def link_up(project: Project, path: str, progress: Progress = silent) -> None:
    """Put links to the store in the place of the large files at a path, all of which it has.

    Nothing is lost where that fails: a file that somebody is writing to stays as it is.
    """
    present = identified(project, path, progress)
    if present is None:
        return
    entries = list(_unlinked(present))
    if not entries:
        return
    with suppress(WouldLoseChanges):
        contents = partial(_contents, project, path)
        placed = project.worktree.exchange(path, entries, contents, present, progress)
        project.worktree.remember(pointer_path_of(path), path, present, placed)


def _unlinked(present: Present) -> Iterator[Entry]:
    """The large files that are no links yet to what they hold; an executable never becomes one."""
    scan = present.scan
    for row, size in enumerate(scan.files.sizes):
        if size >= LARGE and scan.files.modes[row] == _PLAIN:
            path = scan.files.paths[row]
            digest = present.identities[path].digest
            if scan.stored.get(path, b"").rpartition(b"/")[2] != digest.hex().encode():
                yield Entry("f", digest, size, path)


def take_away(project: Project, order: Order, *, force: bool = False) -> PlacedPath:
    """Delete what stands at a path."""
    if order.present is None:
        return PlacedPath(order.path, 0, 0, 0)
    removed = project.worktree.remove(order.path, order.present, expected=order.safe, force=force)
    return _summary(order.path, removed)


def place_all(
    project: Project, selected: Iterable[Selected], *, force: bool = False, progress: Progress = silent
) -> tuple[PlacedPath, ...]:
    """Make tracked paths what their pointers say; nothing is touched if any of them would lose changes."""
    with worktree_lock(project):
        orders = [to_place(project, one, progress) for one in selected]
        if not force:
            check_losses(orders)
        return tuple(place(project, order, force=force, progress=progress) for order in orders)


def _ended(present: Present, wanted: Sequence[Entry]) -> dict[bytes, Digest]:
    """The files whose bytes would no longer stand where they stand now."""
    after = {entry.path: (entry.mode == "l", entry.digest) for entry in wanted if entry.mode != "d"}
    before = (
        (found, present.identities[found.path].digest) for found in present.scan.files if found.mode != "d"
    )
    return {
        found.path: digest for found, digest in before if after.get(found.path) != (found.mode == "l", digest)
    }


def _safe(project: Project, present: Present | None, wanted: Sequence[Entry]) -> dict[bytes, Digest]:
    """Those of the ended files whose bytes the local store has, read and verified just now."""
    ended = {} if present is None else _ended(present, wanted)
    sound = _sound(project, set(ended.values()))
    return {path: digest for path, digest in ended.items() if digest in sound}


def _sound(project: Project, digests: Collection[Digest]) -> set[Digest]:
    """Those blobs that the local store has undamaged."""
    here = set(digests) - project.store.missing(digests)
    packed = project.store.in_packs(here)
    try:
        sound = {digest for digest, _data in project.store.read_many(packed)}
    except ObjectsError:
        sound = {digest for digest in packed if _verifies(project, digest)}
    return sound | {digest for digest in here - packed if _verifies(project, digest)}


def _verifies(project: Project, digest: Digest) -> bool:
    try:
        project.store.verify(digest)
    except ObjectsError:
        return False
    return True


def _contents(project: Project, path: str, needed: Sequence[Entry]) -> Iterator[tuple[Entry, Content]]:
    """What entries hold: large ones as files to share, small ones in the order in which they lie."""
    by_digest: dict[Digest, list[Entry]] = defaultdict(list)
    for entry in needed:
        by_digest[entry.digest].append(entry)
    packed = project.store.in_packs(by_digest)
    for digest, data in project.store.read_many(packed):
        for entry in by_digest[digest]:
            yield entry, Verified(digest, data)
    for digest in by_digest.keys() - packed:
        shared = (
            project.store.share(digest) if any(entry.mode == "f" for entry in by_digest[digest]) else None
        )
        place = project.store.object_path(digest)
        for entry in by_digest[digest]:
            if place is None:
                yield entry, project.store.read(digest)
            else:
                yield entry, _stored(project, path, entry, place, shared)


def _stored(project: Project, path: str, entry: Entry, place: Path, shared: Hashed | None) -> Path | Stored:
    """A file of the store to copy, or to share as the settings say; an executable is never shared."""
    if shared is None or entry.mode != "f":
        return place
    links = project.store.links
    return Stored(place, shared, project.worktree.link_to(path, entry.path, entry.digest) if links else None)


def _lying(project: Project, wanted: Sequence[Entry]) -> Lying:
    """Where small blobs lie in packs, uncompressed."""
    sources: list[Path] = []
    # By the entries' own digests: those that an index is read into would be a million objects more.
    spots: dict[bytes, bytes] = dict.fromkeys((entry.digest for entry in wanted if entry.mode in "fx"), b"")
    for packs, found in project.store.spots(set(spots)):
        first, pack = len(sources), SPOT.pack
        for digest, number, offset, size in found:
            spots[digest] = pack(offset, size, first + number)
        sources += packs
    for digest in [digest for digest, spot in spots.items() if not spot]:
        del spots[digest]
    return Lying(tuple(sources), spots)


def _full(path: str, name: bytes) -> str:
    return f"{path}/{name.decode('utf-8', 'backslashreplace')}" if name else path


def _summary(path: str, placed: Placed) -> PlacedPath:
    return PlacedPath(path, placed.written, placed.removed, placed.size)
