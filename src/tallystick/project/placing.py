"""Make the worktree hold what pointers say, without losing a byte that is stored nowhere."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tallystick.digest import Digest
from tallystick.errors import ObjectsError, WouldLoseChanges
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.project.blobs import wanted_entries
from tallystick.project.hashing import identified
from tallystick.project.tracked import Selected
from tallystick.records.tree import Entry
from tallystick.worktree import Content, Placed, Present

SHOWN = 5
"""How many paths a message names."""


@dataclass(frozen=True, slots=True)
class PlacedPath:
    """What was done at one tracked path."""

    path: str
    written: int
    removed: int
    size: int


def place(
    project: Project, selected: Selected, *, force: bool = False, progress: Progress = silent
) -> PlacedPath:
    """Make one tracked path what its pointer says; every blob it needs must be in the local store.

    Raises WouldLoseChanges, before anything is touched, unless `force`.
    """
    tracked = selected.tracked
    wanted = wanted_entries(project, selected)
    present = _present(project, selected, progress)
    progress.begin(f"placing `{tracked.path}`", files=len(wanted), size=sum(entry.size for entry in wanted))
    placed = project.worktree.place(
        tracked.path,
        tracked.pointer.kind,
        wanted,
        partial(_contents, project),
        present=present,
        expected={} if force else _expected(project, present, wanted),
        force=force,
        progress=progress,
    )
    progress.end()
    if placed.written or placed.removed:
        identified(project, tracked.path, progress)
    return _summary(tracked.path, placed)


def take_away(project: Project, path: str, *, force: bool = False, progress: Progress = silent) -> PlacedPath:
    """Delete what stands at a path if the local store has all of it, or by `force`."""
    present = identified(project, path, progress)
    if present is None:
        return PlacedPath(path, 0, 0, 0)
    expected = {} if force else _expected(project, present, ())
    return _summary(path, project.worktree.remove(path, present, expected=expected, force=force))


def check_losses(
    project: Project, wanted: Mapping[str, Selected | None], progress: Progress = silent
) -> None:
    """Raise WouldLoseChanges if making some paths what is wanted (None: nothing) would lose bytes."""
    losses: list[str] = []
    for path, selected in wanted.items():
        present = (
            identified(project, path, progress) if selected is None else _present(project, selected, progress)
        )
        entries = () if selected is None else wanted_entries(project, selected)
        if present is not None:
            ended = _ended(present, entries)
            sound = _expected(project, present, entries)
            losses += [_full(path, name) for name in ended if name not in sound]
    if losses:
        named = ", ".join(f"`{one}`" for one in losses[:SHOWN])
        more = f" and {len(losses) - SHOWN:,} more" if len(losses) > SHOWN else ""
        raise WouldLoseChanges(
            f"changes would be lost in {named}{more}",
            losses,
            hint="keep them with `tally add`, or drop them with `--force`",
        )


def _present(project: Project, selected: Selected, progress: Progress) -> Present | None:
    """What stands where a selection belongs, without what the selection does not mean."""
    present = identified(project, selected.tracked.path, progress)
    if present is None or not selected.parts:
        return present
    return Present(present.scan.part(selected.covers), present.identities)


def _ended(present: Present, wanted: Sequence[Entry]) -> dict[bytes, Digest]:
    """The files whose bytes would no longer stand where they stand now."""
    after = {entry.path: (entry.mode == "l", entry.digest) for entry in wanted if entry.mode != "d"}
    before = (
        (found, present.identities[found.path].digest) for found in present.scan.files if found.mode != "d"
    )
    return {
        found.path: digest for found, digest in before if after.get(found.path) != (found.mode == "l", digest)
    }


def _expected(project: Project, present: Present | None, wanted: Sequence[Entry]) -> dict[bytes, Digest]:
    """Those of the ended files whose bytes the local store has, read and verified just now."""
    ended = {} if present is None else _ended(present, wanted)
    sound = _sound(project, set(ended.values()))
    return {path: digest for path, digest in ended.items() if digest in sound}


def _sound(project: Project, digests: Collection[Digest]) -> set[Digest]:
    """Those blobs that the local store has undamaged."""
    here = set(digests) - project.store.missing(digests)
    packed = {digest for digest in here if project.store.is_packed(digest)}
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


def _contents(project: Project, needed: Sequence[Entry]) -> Iterator[tuple[Entry, Content]]:
    """What entries hold: large ones as files to share, small ones in the order in which they lie."""
    by_digest: dict[Digest, list[Entry]] = defaultdict(list)
    for entry in needed:
        by_digest[entry.digest].append(entry)
    packed = {digest for digest in by_digest if project.store.is_packed(digest)}
    for digest, data in project.store.read_many(packed):
        for entry in by_digest[digest]:
            yield entry, data
    for digest in by_digest.keys() - packed:
        place = project.store.object_path(digest)
        for entry in by_digest[digest]:
            yield entry, project.store.read(digest) if place is None else place


def _full(path: str, name: bytes) -> str:
    return f"{path}/{name.decode('utf-8', 'backslashreplace')}" if name else path


def _summary(path: str, placed: Placed) -> PlacedPath:
    return PlacedPath(path, placed.written, placed.removed, placed.size)
