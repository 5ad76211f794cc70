"""What is known of many files, in columns: a million objects would take hundreds of megabytes."""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
from operator import lt
from typing import NamedTuple, Self, TypeAlias, overload

from tallystick import sight
from tallystick.digest import Buffer, Digest, each_in
from tallystick.frozen import dataclass

Column: TypeAlias = sight.Column

LATEST = sight.LATEST

DIGEST, FINGERPRINT = 32, sight.FINGERPRINT
"""How many bytes they have."""

_BLOCK, _NEAR = 4096, 16
_MODE = {mode: ord(mode) for mode in "fxld"}
_LETTER = {number: mode for mode, number in _MODE.items()}


class Found(NamedTuple):
    """A file as the system describes it; the path is relative to the tracked path, empty for a single file.

    The mode is a tree's: `f` file, `x` executable, `l` link, `d` empty folder.
    """

    path: bytes
    mode: str
    size: int
    mtime: int
    ctime: int
    inode: int


class Identity(NamedTuple):
    """What is known of a file's bytes: who they are, and by what their change is noticed."""

    digest: Digest
    fingerprint: bytes


class Files(Sequence[Found]):
    """Files by path, sorted; each is made into a `Found` when it is asked for."""

    __slots__ = ("_joined", "_paths", "ctimes", "inodes", "modes", "mtimes", "sizes")

    def __init__(self, paths: list[bytes] | None = None, joined: bytes | None = None) -> None:
        """Columns of which only the paths are filled, as a list or joined by zero bytes."""
        self._paths = [] if paths is None and joined is None else paths
        self._joined = joined
        self.modes = bytearray()
        self.sizes, self.mtimes, self.ctimes = array("q"), array("q"), array("q")
        self.inodes = array("Q")

    @classmethod
    def of(cls, found: Iterable[Found]) -> Self:
        """Files that are told one by one, sorted."""
        files = cls()
        for one in found:
            files.append(one)
        return files

    @property
    def paths(self) -> list[bytes]:
        """All paths."""
        if self._paths is None:
            self._paths = (self._joined or b"").split(b"\0") if self.modes else []
        return self._paths

    @property
    def joined(self) -> bytes:
        """All paths, joined by zero bytes."""
        if self._joined is not None:
            return self._joined
        # Block by block: to join a million at once takes five times the memory of the text.
        blocks = range(0, len(self.paths), _BLOCK)
        return b"\0".join([b"\0".join(self.paths[row : row + _BLOCK]) for row in blocks])

    @property
    def numbers(self) -> tuple[Column, ...]:
        """What the system says of the files, but for their modes."""
        return self.sizes, self.mtimes, self.ctimes, self.inodes

    @property
    def newest(self) -> int:
        """The latest time among all."""
        return max(max(column, default=-LATEST) for column in (self.mtimes, self.ctimes))

    def append(self, found: Found) -> None:
        """Take one more file in, wherever it belongs."""
        self.paths.append(found.path)
        self.modes.append(_MODE[found.mode])
        self.sizes.append(found.size)
        self.mtimes.append(min(found.mtime, LATEST))
        self.ctimes.append(min(found.ctime, LATEST))
        self.inodes.append(found.inode)

    def put(self, row: int, found: Found) -> None:
        """Say something else of the file in a row, whose path stays."""
        self.modes[row] = _MODE[found.mode]
        self.sizes[row], self.inodes[row] = found.size, found.inode
        self.mtimes[row], self.ctimes[row] = min(found.mtime, LATEST), min(found.ctime, LATEST)

    def add(self, paths: Iterable[bytes], look: sight.Look) -> None:
        """Take files in that were looked at together."""
        self.paths.extend(paths)
        self.modes += look.modes
        for column, more in zip(self.numbers, look.numbers, strict=True):
            column.extend(more)

    def seen_again(self, look: sight.Look) -> "Files":
        """The same paths with what the system says now."""
        files = Files(self.paths, self._joined)
        files.modes += look.modes
        files.sizes, files.mtimes, files.ctimes, files.inodes = look.numbers
        return files

    def extend(self, others: "Files", start: int, end: int) -> None:
        """Take some rows of others in."""
        self.paths.extend(others.paths[start:end])
        self.modes += others.modes[start:end]
        for column, other in zip(self.numbers, others.numbers, strict=True):
            column.extend(other[start:end])

    def sort(self) -> None:
        """Bring the files into the order of their paths."""
        paths = self.paths
        if all(map(lt, paths, islice(paths, 1, None))):
            return
        order = sorted(range(len(paths)), key=paths.__getitem__)
        ordered = self.select(order)
        self._paths, self.modes = ordered.paths, ordered.modes
        self.sizes, self.mtimes, self.ctimes = ordered.sizes, ordered.mtimes, ordered.ctimes
        self.inodes = ordered.inodes

    def select(self, rows: Sequence[int]) -> "Files":
        """Only some of the files."""
        chosen = Files(list(map(self.paths.__getitem__, rows)))
        chosen.modes.extend(map(self.modes.__getitem__, rows))
        for new, old in zip(chosen.numbers, self.numbers, strict=True):
            new.extend(map(old.__getitem__, rows))
        return chosen

    def are(self, others: "Files") -> bool:
        """Whether the system says exactly the same of the same files, told at once for all of them."""
        return self.modes == others.modes and self.numbers == others.numbers and self.joined == others.joined

    def matches(self, others: "Files") -> Iterator[tuple[int, int, int]]:
        """Runs of files that have the same paths here and there: their first rows, and how many."""
        return shared(self.paths, others.paths)

    def to_bytes(self) -> list[bytes]:
        """The modes and numbers as they lie in a file."""
        return [bytes(self.modes), *(_swapped(column).tobytes() for column in self.numbers)]

    @classmethod
    def from_bytes(cls, data: memoryview, count: int, joined: bytes) -> Self:
        """Read what `to_bytes` wrote of so many files."""
        files = cls(joined=joined)
        files.modes += data[:count]
        at = count
        for column in files.numbers:
            column.frombytes(data[at : at + 8 * count])
            if sys.byteorder == "big":
                column.byteswap()
            at += 8 * count
        return files

    @classmethod
    def of_rows(cls, joined: bytes, modes: bytes, rows: bytes) -> Self:
        """Files whose numbers lie side by side, little-endian: size, times, inode of each."""
        files = cls(joined=joined)
        files.modes += modes
        numbers = array("Q", rows)
        if sys.byteorder == "big":
            numbers.byteswap()
        for at, column in enumerate(files.numbers):
            column.frombytes(numbers[at::4].tobytes())
        return files

    def __len__(self) -> int:
        return len(self.modes)

    @overload
    def __getitem__(self, row: int) -> Found: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Found]: ...
    def __getitem__(self, row: int | slice) -> Found | Sequence[Found]:
        if isinstance(row, slice):
            return self.select(range(len(self))[row])
        numbers = (self.sizes[row], self.mtimes[row], self.ctimes[row], self.inodes[row])
        return Found(self.paths[row], _LETTER[self.modes[row]], *numbers)

    def __iter__(self) -> Iterator[Found]:
        modes = map(_LETTER.__getitem__, self.modes)
        return map(Found, self.paths, modes, *self.numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Files) and self.are(other)

    __hash__ = None  # type: ignore[assignment]


class Identities(Mapping[bytes, Identity]):
    """Who files are, in the order of their paths, as far as that is known."""

    __slots__ = ("_last", "digests", "files", "fingerprints", "known")

    def __init__(self, files: Files) -> None:
        """Of no file anything is known yet."""
        count = len(files)
        self.files = files
        self.digests = bytearray(DIGEST * count)
        self.fingerprints = bytearray(FINGERPRINT * count)
        self.known = bytearray(count)
        self._last = -1

    @classmethod
    def of_all(cls, files: Files, digests: Buffer, fingerprints: Buffer) -> "Identities":
        """The identities of all files, column by column; what is a `bytearray` is not copied."""
        made = cls(Files())
        made.files, made.known = files, bytearray(b"\1") * len(files)
        made.digests, made.fingerprints = _own(digests), _own(fingerprints)
        return made

    @classmethod
    def of(cls, files: Files, told: Mapping[bytes, Identity]) -> "Identities":
        """The identities of files, picked from those told."""
        made = cls(files)
        for row, path in enumerate(files.paths):
            identity = told.get(path)
            if identity is not None:
                made.put(row, *identity)
        return made

    def put(self, row: int, digest: bytes, fingerprint: bytes) -> None:
        """Note who a file is."""
        self.digests[row * DIGEST : (row + 1) * DIGEST] = digest
        self.fingerprints[row * FINGERPRINT : (row + 1) * FINGERPRINT] = fingerprint
        self.known[row] = 1

    def take(self, row: int, other: "Identities", there: int, count: int) -> None:
        """Note who a run of files is, as it is known there."""
        end, last = row + count, there + count
        self.digests[row * DIGEST : end * DIGEST] = other.digests[there * DIGEST : last * DIGEST]
        begin, until = there * FINGERPRINT, last * FINGERPRINT
        self.fingerprints[row * FINGERPRINT : end * FINGERPRINT] = other.fingerprints[begin:until]
        self.known[row:end] = other.known[there:last]

    def at(self, row: int) -> Identity:
        """Who the file of a row is."""
        digest = Digest(self.digests[row * DIGEST : (row + 1) * DIGEST])
        return Identity(digest, bytes(self.fingerprints[row * FINGERPRINT : (row + 1) * FINGERPRINT]))

    def contents(self) -> set[bytes]:
        """All digests that are known, bare: to make a Digest of each would take the longest."""
        every = each_in(self.digests)
        return set(every if 0 not in self.known else compress(every, self.known))

    def __getitem__(self, path: bytes) -> Identity:
        # Mostly they are asked for one after another.
        row, paths = self._last + 1, self.files.paths
        if row >= len(paths) or paths[row] != path:
            row = bisect_left(paths, path)
        if row >= len(paths) or paths[row] != path or not self.known[row]:
            raise KeyError(path)
        self._last = row
        return self.at(row)

    def __iter__(self) -> Iterator[bytes]:
        return (path for path, known in zip(self.files.paths, self.known, strict=True) if known)

    def __len__(self) -> int:
        return self.known.count(1)


@dataclass(frozen=True, slots=True)
class StatCache:
    """Files as they were and who they were, when the look at them began, and the digest of all together."""

    stamp: int
    files: Files
    identities: Identities
    digest: Digest | None = None


_NONE = Files()
NOTHING = StatCache(0, _NONE, Identities(_NONE))


def shared(ours: list[bytes], theirs: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Runs of paths that stand in both of two sorted lists: where they begin here and there, and how long."""
    here = there = 0
    while here < len(ours) and there < len(theirs):
        if ours[here] < theirs[there]:
            here = _reached(ours, theirs[there], here + 1)
        elif ours[here] > theirs[there]:
            there = _reached(theirs, ours[here], there + 1)
        else:
            length = _common(ours, here, theirs, there)
            yield here, there, length
            here, there = here + length, there + length


def _reached(paths: list[bytes], path: bytes, start: int) -> int:
    """The first place from one on that does not come before a path, which mostly is not far."""
    near = min(start + _NEAR, len(paths))
    found = bisect_left(paths, path, start, near)
    return found if found < near else bisect_left(paths, path, near)


def _common(ours: list[bytes], here: int, theirs: list[bytes], there: int) -> int:
    """How many paths from two places on are the same."""
    length, step = 1, _BLOCK
    while step:
        one = ours[here + length : here + length + step]
        if one and one == theirs[there + length : there + length + len(one)]:
            length += len(one)
        else:
            step //= 8
    return length


def _own(column: Buffer) -> bytearray:
    """A column that may be written to."""
    return column if isinstance(column, bytearray) else bytearray(column)


def _swapped(column: Column) -> Column:
    """A column with its numbers little-endian."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column
