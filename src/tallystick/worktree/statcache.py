"""Remember files by what the system says of them, so that what did not change is not read again."""

import contextlib
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tallystick.digest import Digest, fingerprint, fingerprint_file
from tallystick.files import temporary_name
from tallystick.progress import Progress
from tallystick.records.tree import EMPTY
from tallystick.worktree.place import Placed
from tallystick.worktree.scan import Found, Identity, Scan

_MAGIC = b"TALLYSC1"
_HEAD = struct.Struct("<8sqQQ")
_ROW = struct.Struct("<qqqQ32s16s")
_CHECK = 16

Rows = dict[bytes, tuple[Found, Identity]]

_Row = tuple[int, int, int, int, bytes, bytes]

NO_FINGERPRINT = bytes(16)
"""Of links and empty folders: they are looked at, not read."""


@dataclass(frozen=True, slots=True)
class StatCache:
    """Rows of size, mtime, ctime, inode, digest, fingerprint by path, and when the look at them began."""

    stamp: int
    rows: Mapping[bytes, _Row]


@dataclass(frozen=True, slots=True)
class Known:
    """What a scan and a cache tell together: identities, the files left to hash, whether to save anew."""

    identities: dict[bytes, Identity]
    to_hash: list[Found]
    stale: bool


NOTHING = StatCache(0, {})


def load(file: Path) -> StatCache:
    """Read a cache; an absent, foreign or damaged one is an empty one."""
    try:
        data = file.read_bytes()
    except OSError:
        return NOTHING
    return parse(data)


def parse(data: bytes) -> StatCache:
    """Read a cache's bytes; empty unless they are exactly what `render` wrote."""
    if len(data) < _HEAD.size + _CHECK or fingerprint(data[:-_CHECK]) != data[-_CHECK:]:
        return NOTHING
    magic, stamp, count, length = _HEAD.unpack_from(data)
    end = _HEAD.size + count * _ROW.size
    if magic != _MAGIC or end + length + _CHECK != len(data):
        return NOTHING
    paths = data[end:-_CHECK].split(b"\0") if count else []
    if len(paths) != count:
        return NOTHING
    return StatCache(stamp, dict(zip(paths, _ROW.iter_unpack(data[_HEAD.size : end]), strict=True)))


def render(stamp: int, rows: Iterable[tuple[Found, Identity]]) -> bytes:
    """Write a cache: a head, rows of fixed width, the paths, a checksum."""
    pack = _ROW.pack
    listed = list(rows)
    body = b"".join([pack(*found[2:], identity.digest, identity.fingerprint) for found, identity in listed])
    paths = b"\0".join([found.path for found, _ in listed])
    data = b"".join((_HEAD.pack(_MAGIC, stamp, len(listed), len(paths)), body, paths))
    return data + fingerprint(data)


def save(file: Path, scan: Scan, identities: Mapping[bytes, Identity]) -> None:
    """Keep what is known of a scan's files. It is only a cache: not being able to is no error."""
    rows = [
        (found, identities[found.path])
        for found in scan.files
        if found.mode in "fx" and found.path in identities
    ]
    write(file, scan.stamp, rows)


def write(file: Path, stamp: int, rows: Iterable[tuple[Found, Identity]]) -> None:
    """Keep rows that are sorted by path; they were true at the stamp."""
    temporary = file.with_name(temporary_name())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # No fsync, which every pointer would pay for: the checksum tells a torn file.
        temporary.write_bytes(render(stamp, rows))
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


def known(scan: Scan, cache: StatCache, progress: Progress) -> Known:
    """Tell which files are as the cache remembers them; those merely touched are read and recognised."""
    identities: dict[bytes, Identity] = {}
    to_hash: list[Found] = []
    doubtful: list[tuple[Found, _Row]] = []
    rows, stamp = cache.rows, cache.stamp
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
