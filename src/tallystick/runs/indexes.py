"""What is worked out once of every run in the ledger, and kept in two files: a run adds to the short one."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tallystick.digest import Digest
from tallystick.files import write_atomic
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.runs import ledger

MANY = 2000
"""So many runs are worth telling that they are being read."""


@dataclass(frozen=True, slots=True)
class Index:
    """One kind of entries: the name of its files, how they begin, and how entries of some runs are made.

    The short file is written anew for each run; what has grown beyond `short` bytes joins the other.
    """

    name: str
    magic: bytes
    short: int
    make: Callable[[Project, Sequence[Digest]], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class _Part:
    """Entries, the oldest first, of the runs between two commits of the ledger; the first one is none."""

    since: str
    upto: str
    entries: bytes


_NOTHING = _Part("", "", b"")


def entries(project: Project, index: Index, progress: Progress = silent) -> list[bytes]:
    """All entries, the oldest first, from the cache as far as it goes, and of the runs that came since.

    The cache names the commit of the ledger up to which it is complete; without that commit, or if its bytes
    are not those that were written, it counts as absent. It is a hint all the same: whoever finds a run by it
    reads its receipt from the ledger.
    """
    tip = project.git.resolve_ref(ledger.REF)
    if tip is None:
        return []
    place, newer = project.home / index.name, project.home / f"{index.name}.new"
    old, new = _cached(index, place), _cached(index, newer)
    if new.since != old.upto:
        new = _Part(old.upto, old.upto, b"")
    if new.upto == tip:
        return [old.entries, new.entries]
    begun = bool(new.upto) and ledger.reaches(project, new.upto)
    if not begun:
        old, new = _NOTHING, _NOTHING
    news = ledger.run_ids(project, since=new.upto)
    if len(news) >= MANY:
        progress.say(f"reading the receipts of {len(news):,} runs, this once")
    new = _Part(new.since, tip, new.entries + b"".join(index.make(project, news[::-1])))
    if not begun or len(new.entries) > index.short:
        # Were it to end between these two, the short part would not go on from the long one, and be left out.
        _keep(index, place, _Part("", tip, old.entries + new.entries))
        _keep(index, newer, _Part(tip, tip, b""))
    else:
        _keep(index, newer, new)
    return [old.entries, new.entries]


def _keep(index: Index, place: Path, part: _Part) -> None:
    head = f"{part.since} {part.upto} {Digest.of(part.entries).hex()}\n".encode()
    write_atomic(place, index.magic + head + part.entries)


def _cached(index: Index, place: Path) -> _Part:
    """What a file of the cache holds; nothing when there is none that can be used."""
    try:
        data = place.read_bytes()
    except OSError:
        return _NOTHING
    if not data.startswith(index.magic):
        return _NOTHING
    end = data.find(b"\n", len(index.magic))
    since, _, rest = data[len(index.magic) : max(end, 0)].decode("ascii", "replace").partition(" ")
    upto, _, digest = rest.partition(" ")
    found = data[end + 1 :]
    return _Part(since, upto, found) if upto and Digest.of(found).hex() == digest else _NOTHING
