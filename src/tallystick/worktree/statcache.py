"""Remember files by what the system says of them, so that what did not change is not read again."""

import contextlib
import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import compress
from operator import ne
from pathlib import Path

from tallystick.digest import (
    Buffer,
    Digest,
    Passed,
    fingerprint,
    fingerprint_file,
    fingerprint_hasher,
    unwatched,
)
from tallystick.files import temporary_name
from tallystick.frozen import dataclass
from tallystick.progress import Progress
from tallystick.sight import OTHER, SAME, UNREAD, differing
from tallystick.worktree.block import Arrivals, split
from tallystick.worktree.columns import (
    DIGEST,
    FINGERPRINT,
    NOTHING,
    Column,
    Files,
    Found,
    Identities,
    Identity,
    StatCache,
)
from tallystick.worktree.place import Placed
from tallystick.worktree.plan import Present
from tallystick.worktree.scan import Scan

_MAGIC = b"TALLYSC3"
_HEAD = struct.Struct("<8sqQQ32s")
_CHECK = 16
_NUMBERS = 1 + 4 * 8
"""Bytes of a row but for its identity and its path: the mode, size, two times, the inode."""
_UNKNOWN = bytes(DIGEST)

_FILES = frozenset(b"fx")

Rows = dict[bytes, tuple[Found, Identity]]

NO_FINGERPRINT = bytes(FINGERPRINT)
"""Of links and empty folders: they are looked at, not read."""

BATCH_FILES, BATCH_SIZE = 500, 16 << 20
"""How much is read between two steps of the progress shown; a larger file tells of its bytes as they pass."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a scan and a cache tell together: identities, the rows left to hash, whether to save anew.

    `digest` is that of all together, if the cache knows it and nothing was more than touched since. `base` is
    the cache if nothing at all has changed.
    """

    identities: Identities
    to_hash: Column
    stale: bool
    digest: Digest | None = None
    base: StatCache | None = None


def load(place: Path | str) -> StatCache:
    """Read a cache; an absent, foreign or damaged one is an empty one."""
    try:
        # There may be ten thousand, each of a few bytes: a file object would take as long as the rest.
        source = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = _read_all(source)
        finally:
            os.close(source)
    except OSError:
        return NOTHING
    return parse(data)


def _read_all(source: int) -> bytes:
    """The bytes of an open file, which may be replaced meanwhile, but not written to."""
    size = os.fstat(source).st_size
    data = os.read(source, size)
    if len(data) == size:
        return data
    pieces = [data]
    while piece := os.read(source, size):
        pieces.append(piece)
    return b"".join(pieces)


def parse(data: bytes) -> StatCache:
    """Read a cache's bytes; empty unless they are exactly what `render` wrote."""
    view = memoryview(data)
    if len(data) < _HEAD.size + _CHECK or fingerprint(view[:-_CHECK]) != view[-_CHECK:]:
        return NOTHING
    magic, stamp, count, length, digest = _HEAD.unpack_from(data)
    digests = _HEAD.size + count * _NUMBERS
    fingerprints = digests + count * DIGEST
    end = fingerprints + count * FINGERPRINT
    if magic != _MAGIC or end + length + _CHECK != len(data):
        return NOTHING
    paths = bytes(view[end:-_CHECK])
    modes = view[_HEAD.size : _HEAD.size + count]
    if paths.count(b"\0") != max(count - 1, 0) or (paths and not count) or bytes(modes).strip(b"fxld"):
        return NOTHING
    files = Files.from_bytes(view[_HEAD.size : digests], count, paths)
    identities = Identities.of_all(files, view[digests:fingerprints], view[fingerprints:end])
    return StatCache(stamp, files, identities, None if digest == _UNKNOWN else Digest(digest))


def render(cache: StatCache) -> list[Buffer]:
    """Write a cache, in pieces: a head, columns of fixed width, the paths, a checksum.

    The digest is that of the tree, if the rows are all there is in it.
    """
    files, names = cache.files, cache.identities
    paths = files.joined
    head = _HEAD.pack(_MAGIC, cache.stamp, len(files), len(paths), cache.digest or _UNKNOWN)
    pieces: list[Buffer] = [head, *files.to_bytes(), names.digests, names.fingerprints, paths]
    check = fingerprint_hasher()
    for piece in pieces:
        check.update(piece)
    return [*pieces, check.digest()]


def encode(stamp: int, rows: Arrivals, digest: Digest | None = None) -> StatCache:
    """A cache of files that have just been written."""
    files = Files.of_rows(rows.paths, rows.modes, rows.stats)
    digests, fingerprints = split(rows.names)
    identities = Identities.of_all(files, digests, fingerprints)
    return StatCache(stamp, files, identities, digest)


def save(file: Path, scan: Scan, identities: Identities, digest: Digest | None = None) -> None:
    """Keep what is known of a scan's files."""
    if 0 not in identities.known:
        keep(file, StatCache(scan.stamp, scan.files, identities, digest))
        return
    rows = [row for row, known in enumerate(identities.known) if known]
    files = scan.files.select(rows)
    keep(file, StatCache(scan.stamp, files, Identities.of(files, identities)))


def write(
    file: Path, stamp: int, rows: Iterable[tuple[Found, Identity]], digest: Digest | None = None
) -> None:
    """Keep rows that are sorted by path; they were true at the stamp."""
    listed = list(rows)
    files = Files.of(found for found, _ in listed)
    identities = Identities(files)
    for row, (_, identity) in enumerate(listed):
        identities.put(row, *identity)
    keep(file, StatCache(stamp, files, identities, digest))


def keep(file: Path, cache: StatCache) -> None:
    """Keep a cache. It is only a cache: not being able to is no error."""
    temporary = file.with_name(temporary_name())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # No fsync, which every pointer would pay for: the checksum tells a torn file.
        with open(temporary, "wb", buffering=0) as target:
            for piece in render(cache):
                _write_all(target.fileno(), piece)
        os.replace(temporary, file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write_all(descriptor: int, piece: Buffer) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


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


def merged(base: StatCache, present: Present, placed: Placed) -> StatCache:
    """A cache all rows of which are true, without the files that were there, with those that came."""
    paths, names, came = base.files.paths, base.identities, placed.arrived
    files, digests, fingerprints = Files(), bytearray(), bytearray()
    start = 0
    for path in (*sorted({*came, *present.scan.files.paths}), None):
        end = len(paths) if path is None else bisect_left(paths, path, start)
        files.extend(base.files, start, end)
        digests += names.digests[start * DIGEST : end * DIGEST]
        fingerprints += names.fingerprints[start * FINGERPRINT : end * FINGERPRINT]
        start = end + (end < len(paths) and paths[end] == path)
        if path in came:
            found, identity = came[path]
            files.append(found)
            digests += identity.digest
            fingerprints += identity.fingerprint
    return StatCache(base.stamp, files, Identities.of_all(files, digests, fingerprints))


def known(scan: Scan, cache: StatCache, progress: Progress) -> Known:
    """Tell which files are as the cache remembers them; those merely touched are read and recognised."""
    if scan.files.newest < cache.stamp and scan.files.are(cache.files):
        return Known(cache.identities, array("q"), False, cache.digest, cache)
    identities, to_hash, doubtful, count, differs = _paired(scan, cache)
    _take_specials(scan, identities)
    stale = bool(to_hash) or differs or not count == len(scan.files) == len(cache.files)
    to_hash = _readable(scan, to_hash)
    to_hash += _changed(scan, _readable(scan, doubtful), identities, progress)
    for row in to_hash:
        identities.known[row] = 0
    is_same = not to_hash and count == len(cache.files) and scan.files.modes == cache.files.modes
    is_same = is_same and identities.digests == cache.identities.digests
    return Known(identities, to_hash, stale, cache.digest if is_same else None)


def recalled(scan: Scan, cache: StatCache) -> Identities:
    """Who those files are that are exactly as the cache remembers them; nothing is read."""
    identities, changed, doubtful, _, _ = _paired(scan, cache)
    for row in (*changed, *doubtful):
        identities.known[row] = 0
    return identities


def _paired(scan: Scan, cache: StatCache) -> tuple[Identities, Column, Column, int, bool]:
    """What the cache says of files, the rows that surely or perhaps changed, and how many it knows.

    Last, whether any of these is not just as it was: it may have been read, and told to hold the same.
    """
    identities = Identities(scan.files)
    to_hash, doubtful = array("q"), array("q")
    seen = scan.told.of(cache) if scan.told else bytes([UNREAD]) * len(cache.files)
    count = first = 0
    differs = False
    for here, there, length in scan.files.matches(cache.files):
        to_hash.extend(range(first, here))
        identities.take(here, cache.identities, there, length)
        differs |= _compare(scan.files, here, cache, there, length, seen, to_hash, doubtful)
        first, count = here + length, count + length
    to_hash.extend(range(first, len(scan.files)))
    return identities, to_hash, doubtful, count, differs


def _compare(
    files: Files,
    here: int,
    cache: StatCache,
    there: int,
    length: int,
    seen: bytes,
    to_hash: Column,
    doubtful: Column,
) -> bool:
    """Sort the rows of a run that are not as they were, by what was seen of them; say whether there are any.

    Those of another size are surely changed.
    """
    seen = seen[there : there + length]
    if seen.count(SAME) == length:
        return True
    now = [column[here : here + length] for column in files.numbers]
    then = [column[there : there + length] for column in cache.files.numbers]
    rows = array("q", differing(now, then, cache.stamp))
    if not rows:
        return False
    said = bytes(map(seen.__getitem__, rows))
    if now[0] != then[0]:
        resized = map(ne, map(now[0].__getitem__, rows), map(then[0].__getitem__, rows))
        said = bytes(OTHER if is_resized else each for is_resized, each in zip(resized, said, strict=True))
    to_hash.extend(map(here.__add__, compress(rows, map(OTHER.__eq__, said))))
    doubtful.extend(map(here.__add__, compress(rows, map(UNREAD.__eq__, said))))
    return True


def _take_specials(scan: Scan, identities: Identities) -> None:
    """A link is its target; an empty folder is nothing."""
    if scan.files.modes.strip(b"fx"):
        for row, mode in enumerate(scan.files.modes):
            if mode not in _FILES:
                identities.put(row, scan.content(scan.files.paths[row]), NO_FINGERPRINT)


def _readable(scan: Scan, rows: Column) -> Column:
    """Those rows that are files."""
    modes = scan.files.modes
    return array("q", [row for row in rows if modes[row] in _FILES]) if modes.strip(b"fx") else rows


def _changed(scan: Scan, doubtful: Column, identities: Identities, progress: Progress) -> Column:
    """Read doubtful files: those with their old fingerprint keep their identity, the others are returned."""
    changed = array("q")
    if not doubtful:
        return changed
    paths, sizes = scan.files.paths, scan.files.sizes
    total = sum(map(sizes.__getitem__, doubtful))
    progress.begin("looking at touched files", files=len(doubtful), size=total)
    files = size = 0
    for row in doubtful:
        tells = sizes[row] >= BATCH_SIZE
        passed = (lambda count: progress.advance(size=count)) if tells else unwatched
        if _fingerprint(scan.place(paths[row]), passed) != _fingerprint_of(identities, row):
            changed.append(row)
        files, size = files + 1, size + (0 if tells else sizes[row])
        if files >= BATCH_FILES or size >= BATCH_SIZE:
            progress.advance(files, size)
            files = size = 0
    progress.advance(files, size)
    progress.end()
    return changed


def _fingerprint_of(identities: Identities, row: int) -> bytes:
    """What a file had when it was last read."""
    return bytes(identities.fingerprints[row * FINGERPRINT : (row + 1) * FINGERPRINT])


def _fingerprint(path: bytes, passed: Passed) -> bytes | None:
    """A file's fingerprint; None when it can't be read, so that the caller who hashes it will say why."""
    try:
        return fingerprint_file(path, passed)
    except OSError:
        return None
