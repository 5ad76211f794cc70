"""Remember files by what the system says of them, so that what did not change is not read again."""

import contextlib
import os
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path

from tallystick.digest import Digest, fingerprint, fingerprint_file
from tallystick.files import temporary_name
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.records.tree import EMPTY
from tallystick.worktree.block import Arrivals
from tallystick.worktree.place import Placed
from tallystick.worktree.plan import Present
from tallystick.worktree.scan import Found, Identity, Scan

_MAGIC = b"TALLYSC2"
_HEAD = struct.Struct("<8sqQQq32s")
_STAT = struct.Struct("<qqqQ")
_NAME = struct.Struct("<32s16s")
_CHECK = 16
_UNKNOWN = bytes(32)

Rows = dict[bytes, tuple[Found, Identity]]

_Row = tuple[int, int, int, int, bytes, bytes]

NO_FINGERPRINT = bytes(16)
"""Of links and empty folders: they are looked at, not read."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A cache as it lies in its file: what the system said, what that means, and all paths."""

    newest: int
    digest: Digest | None
    stats: bytes
    names: bytes
    paths: bytes

    def shows(self, files: Sequence[Found]) -> bool:
        """Whether files are exactly as they were, told at once for all of them."""
        if len(files) * _STAT.size != len(self.stats):
            return False
        if b"\0".join([found[0] for found in files]) != self.paths:
            return False
        try:
            numbers = array("q", chain.from_iterable(map(itemgetter(2, 3, 4, 5), files)))
        except OverflowError:
            return False
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tobytes() == self.stats

    def rows(self) -> dict[bytes, _Row]:
        """The same by path."""
        pairs = zip(_STAT.iter_unpack(self.stats), _NAME.iter_unpack(self.names), strict=True)
        return dict(zip(self._split(), [stat + name for stat, name in pairs], strict=True))

    def identities(self) -> dict[bytes, Identity]:
        """Who the files are."""
        names = [Identity(Digest(name), change) for name, change in _NAME.iter_unpack(self.names)]
        return dict(zip(self._split(), names, strict=True))

    def digests(self) -> set[Digest]:
        """All contents."""
        return {Digest(name) for name, _ in _NAME.iter_unpack(self.names)}

    def _split(self) -> list[bytes]:
        return self.paths.split(b"\0") if self.stats else []


class _Lazy(Mapping[bytes, _Row]):
    """The rows of a cache, read when the first is asked for: mostly none is."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    @cached_property
    def _rows(self) -> dict[bytes, _Row]:
        return self._columns.rows()

    def __getitem__(self, path: bytes) -> _Row:
        return self._rows[path]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._columns.stats) // _STAT.size

    def plain(self) -> dict[bytes, _Row]:
        """All rows as a dictionary, which answers faster."""
        return self._rows


@dataclass(frozen=True, slots=True)
class StatCache:
    """Rows of size, mtime, ctime, inode, digest, fingerprint by path, and when the look at them began."""

    stamp: int
    rows: Mapping[bytes, _Row]
    columns: Columns | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What a scan and a cache tell together: identities, the files left to hash, whether to save anew.

    `columns` are those of the cache if nothing at all has changed since; they know the tree's digest.
    """

    found: Mapping[bytes, Identity]
    to_hash: list[Found]
    stale: bool
    columns: Columns | None = None

    @property
    def identities(self) -> dict[bytes, Identity]:
        """What is known, by path; made anew each time."""
        return dict(self.found) if self.columns is None else self.columns.identities()


NOTHING = StatCache(0, {})


def load(place: Path | str) -> StatCache:
    """Read a cache; an absent, foreign or damaged one is an empty one."""
    try:
        with open(place, "rb", buffering=0) as file:
            data = file.read()
    except OSError:
        return NOTHING
    return parse(data)


def parse(data: bytes) -> StatCache:
    """Read a cache's bytes; empty unless they are exactly what `render` wrote."""
    if len(data) < _HEAD.size + _CHECK or fingerprint(memoryview(data)[:-_CHECK]) != data[-_CHECK:]:
        return NOTHING
    magic, stamp, count, length, newest, digest = _HEAD.unpack_from(data)
    middle = _HEAD.size + count * _STAT.size
    end = middle + count * _NAME.size
    if magic != _MAGIC or end + length + _CHECK != len(data):
        return NOTHING
    paths = data[end:-_CHECK]
    if paths.count(b"\0") != max(count - 1, 0) or (paths and not count):
        return NOTHING
    known = None if digest == _UNKNOWN else Digest(digest)
    columns = Columns(newest, known, data[_HEAD.size : middle], data[middle:end], paths)
    return StatCache(stamp, _Lazy(columns), columns)


def render(stamp: int, rows: Iterable[tuple[Found, Identity]], digest: Digest | None = None) -> bytes:
    """Write a cache: a head, two columns of fixed width, the paths, a checksum.

    The digest is that of the tree, if the rows are all there is in it.
    """
    listed = list(rows)
    pack = _STAT.pack
    stats = b"".join([pack(*found[2:]) for found, _ in listed])
    names = b"".join(chain.from_iterable([identity for _, identity in listed]))
    paths = b"\0".join([found.path for found, _ in listed])
    return encode(stamp, Arrivals(stats, names, paths), digest)


def encode(stamp: int, rows: Arrivals, digest: Digest | None = None) -> bytes:
    """Write a cache of rows that are in columns already."""
    count = len(rows.stats) // _STAT.size
    head = _HEAD.pack(_MAGIC, stamp, count, len(rows.paths), rows.newest, digest or _UNKNOWN)
    data = b"".join((head, *rows))
    return data + fingerprint(data)


def save(file: Path, scan: Scan, identities: Mapping[bytes, Identity], digest: Digest | None = None) -> None:
    """Keep what is known of a scan's files. It is only a cache: not being able to is no error."""
    rows = [
        (found, identities[found.path])
        for found in scan.files
        if found.mode in "fx" and found.path in identities
    ]
    write(file, scan.stamp, rows, digest if len(rows) == len(scan.files) else None)


def write(
    file: Path, stamp: int, rows: Iterable[tuple[Found, Identity]], digest: Digest | None = None
) -> None:
    """Keep rows that are sorted by path; they were true at the stamp."""
    keep(file, render(stamp, rows, digest))


def keep(file: Path, data: bytes) -> None:
    """Write a cache's file."""
    temporary = file.with_name(temporary_name())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # No fsync, which every pointer would pay for: the checksum tells a torn file.
        temporary.write_bytes(data)
        os.replace(temporary, file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()


def after(scan: Scan | None, identities: Mapping[bytes, Identity], placed: Placed) -> Rows:
    """What is known of a path after placing, without another look: what was written, and what was left."""
    kept: Rows = {}
    if scan is not None:
        stamp = scan.stamp
        kept = {
            found.path: (found, identities[found.path])
            for found in scan.files
            # As young as the look at it: nothing is known for sure.
            if found.mode in "fx"
            and found.mtime < stamp
            and found.ctime < stamp
            and found.path not in placed.ended
            and found.path in identities
        }
    return kept | placed.arrived


def merged(base: Columns, present: Present, placed: Placed) -> Arrivals:
    """The rows of a cache all of which are true, without the files that were there, with those that came."""
    paths = base.paths.split(b"\0") if base.stats else []
    came = {
        path: (_STAT.pack(*found[2:]), b"".join(identity))
        for path, (found, identity) in placed.arrived.items()
    }
    stats, names, kept = list[bytes](), list[bytes](), list[bytes]()
    start = 0
    for path in sorted({*came, *(found.path for found in present.scan.files)}):
        end = bisect_left(paths, path, start)
        stats.append(base.stats[start * _STAT.size : end * _STAT.size])
        names.append(base.names[start * _NAME.size : end * _NAME.size])
        kept += paths[start:end]
        start = end + (end < len(paths) and paths[end] == path)
        if path in came:
            stats.append(came[path][0])
            names.append(came[path][1])
            kept.append(path)
    stats.append(base.stats[start * _STAT.size :])
    names.append(base.names[start * _NAME.size :])
    return Arrivals(b"".join(stats), b"".join(names), b"\0".join(kept + paths[start:]))


def known(scan: Scan, cache: StatCache, progress: Progress) -> Known:
    """Tell which files are as the cache remembers them; those merely touched are read and recognised."""
    identities: dict[bytes, Identity] = {}
    to_hash: list[Found] = []
    doubtful: list[tuple[Found, _Row]] = []
    columns, stamp = cache.columns, cache.stamp
    if columns is not None and columns.newest < stamp and columns.shows(scan.files):
        return Known({}, [], False, columns)
    rows = cache.rows.plain() if isinstance(cache.rows, _Lazy) else cache.rows
    count = 0
    for found in scan.files:
        path, mode, size, mtime, ctime, _ = found
        if mode in "ld":
            identities[path] = _of_special(scan, found)
            continue
        count += 1
        row = rows.get(path)
        if row is None or row[0] != size:
            to_hash.append(found)
        elif row[:4] == found[2:] and mtime < stamp and ctime < stamp:
            identities[path] = Identity(Digest(row[4]), row[5])
        else:
            # Changed by the system's account, or as young as the look itself: a later write in the same tick
            # of the clock would not have shown.
            doubtful.append((found, row))
    to_hash += _changed(scan, doubtful, identities, progress)
    return Known(identities, to_hash, bool(to_hash or doubtful) or count != len(rows))


def _changed(
    scan: Scan, doubtful: list[tuple[Found, _Row]], identities: dict[bytes, Identity], progress: Progress
) -> list[Found]:
    """Read doubtful files: those with their old fingerprint keep their identity, the others are returned."""
    if not doubtful:
        return []
    changed = []
    progress.begin("looking at touched files", files=len(doubtful), size=sum(f.size for f, _ in doubtful))
    files = size = 0
    for found, row in doubtful:
        if _fingerprint(scan.location(found)) == row[5]:
            identities[found.path] = Identity(Digest(row[4]), row[5])
        else:
            changed.append(found)
        files, size = files + 1, size + found.size
        if files >= 500 or size >= 64 << 20:
            progress.advance(files, size)
            files = size = 0
    progress.advance(files, size)
    progress.end()
    return changed


def _fingerprint(path: bytes) -> bytes | None:
    """A file's fingerprint; None when it can't be read, so that the caller who hashes it will say why."""
    try:
        return fingerprint_file(path)
    except OSError:
        return None


def _of_special(scan: Scan, found: Found) -> Identity:
    """A link is its target; an empty folder is nothing."""
    target = scan.links.get(found.path)
    return Identity(EMPTY if target is None else Digest.of(target), NO_FINGERPRINT)
