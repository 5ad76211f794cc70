"""What lists of files name beyond what they named before."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from tallystick.data.tracked import Tracked, tree_text
from tallystick.digest import Digest
from tallystick.errors import TallyError
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records import tree


@dataclass(frozen=True, slots=True)
class Beyond:
    """Blobs that lists of files did not name before, the lists among them; how the totals grow by all."""

    digests: set[bytes]
    blobs: int
    size: int


def beyond(project: Project, lists: Iterable[Tracked], before: Mapping[str, Digest]) -> Beyond | None:
    """What tracked folders need beyond what lists of the same paths named before.

    None where one of these is not here, or more is to be known than where both differ.
    """
    digests, fresh, blobs, size = set[bytes](), 0, 0, 0
    for tracked in lists:
        found = _one(project, tracked, before.get(tracked.path))
        if found is None:
            return None
        digests |= found.digests
        fresh, blobs, size = fresh + len(found.digests), blobs + found.blobs, size + found.size
    # What two lists name would be counted twice.
    return Beyond(digests, blobs, size) if len(digests) == fresh else None


def _one(project: Project, tracked: Tracked, before: Digest | None) -> Beyond | None:
    if before == tracked.pointer.digest:
        return Beyond(set(), 0, 0)
    old = None if before is None else _text(project, before)
    if old is None:
        return None
    new = tree_text(project, tracked)
    # Which paths there are, and in which order, is nothing to a push.
    found = tree.difference(old, new, tracked.path, in_order=False)
    if found is None:
        return None
    gone, came = ([entry for entry in entries if entry.mode != "d"] for entries in found)
    named = {entry.digest for entry in came}
    if len(named) < len(came):
        return None
    size = sum(entry.size for entry in came) - sum(entry.size for entry in gone)
    digests: set[bytes] = {tracked.pointer.digest, *named.difference(entry.digest for entry in gone)}
    return Beyond(digests, len(came) - len(gone), size + len(new) - len(old))


def _text(project: Project, digest: Digest) -> bytes | None:
    """A list of files, if it is here and sound: nobody may need it any more."""
    with suppress(TallyError):
        return project.store.read(digest)
    return None
