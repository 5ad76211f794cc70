"""Names for bytes: BLAKE3 says what they are, XXH3 only whether they changed."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from queue import SimpleQueue
from struct import Struct
from typing import Protocol, Self, TypeVar

import blake3
import xxhash

from tallystick import direct, memory
from tallystick.errors import BadRecord
from tallystick.frozen import dataclass
from tallystick.unnoted import opened

Buffer = bytes | bytearray | memoryview

Passed = Callable[[int], object]
"""Hears of so many more bytes of a large file: minutes can go by until it is done."""


def unwatched(_size: int) -> None:
    """Hear of bytes that nobody counts."""


ALGORITHM = "blake3"
PIECE = 1 << 20
"""Bytes read at a time: large enough to release the GIL for long, small enough for the cache."""

_BUFFERS = 3
"""One is filled, one is hashed, one waits. They are reused: memory's first touch is slow."""

SMALL = 1 << 16

_READ = os.O_RDONLY | os.O_CLOEXEC

_HEX_DIGITS = frozenset("0123456789abcdef")

_ONE, _MANY = Struct("32s"), Struct("32s" * 256)
"""To take many at once out of memory takes half as long."""


ALL_CORES = blake3.blake3.AUTO
"""For pieces of a large file; helpers that share many small ones keep to one core each."""


class Hasher(Protocol):
    """What `hashlib` and `blake3` objects have in common."""

    def update(self, data: Buffer, /) -> object:
        """Take more bytes."""

    def digest(self) -> bytes:
        """The 32 bytes for all that was taken."""

    def copy(self) -> "Hasher":
        """Another one that has taken the same."""


Name = TypeVar("Name", bound=bytes)
"""A digest, or its bare bytes: of a hundred thousand, to make a Digest of each would take the longest."""


class Digest(bytes):
    """32 raw BLAKE3 bytes; as text `blake3:<64 hex digits>`.

    A kind of `bytes`, so that a hundred thousand of them hash, compare and sort at the speed of C.
    """

    __slots__ = ()

    @classmethod
    def of(cls, data: Buffer) -> Self:
        """The digest of bytes in memory."""
        return cls(blake3.blake3(data).digest())

    @classmethod
    def parse(cls, text: str, source: str = "", line: int | None = None) -> Self:
        """Read `blake3:<hex>`; raise BadRecord for anything else, naming `source` and `line`."""
        algorithm, colon, digits = text.partition(":")
        if not colon:
            raise BadRecord(f"`{text[:80]}` is not a digest (`{ALGORITHM}:<64 hex digits>`)", source, line)
        if algorithm != ALGORITHM:
            raise BadRecord(
                f"digest algorithm `{algorithm[:20]}` is not known to this version of tally", source, line
            )
        if len(digits) != 64 or not _HEX_DIGITS.issuperset(digits):
            raise BadRecord(f"`{text[:80]}` is not a digest: 64 lower-case hex digits wanted", source, line)
        return cls(bytes.fromhex(digits))

    def __str__(self) -> str:
        return f"{ALGORITHM}:{self.hex()}"

    def __repr__(self) -> str:
        return f"Digest({self.hex()[:12]}…)"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    @property
    def short(self) -> str:
        """The first 12 hex digits, for people."""
        return self.hex()[:12]


def each_in(data: Buffer) -> Iterator[bytes]:
    """The raw digests that lie side by side, one by one: a list of a million takes ninety megabytes."""
    view = memoryview(data)
    whole = len(view) - len(view) % _MANY.size
    some = chain.from_iterable(_MANY.iter_unpack(view[:whole]))
    return chain(some, chain.from_iterable(_ONE.iter_unpack(view[whole:])))


@dataclass(frozen=True, slots=True)
class Hashed:
    """What one read of a file tells: identity, the 16-byte change fingerprint, size in bytes."""

    digest: Digest
    fingerprint: bytes
    size: int


def raw_digest(piece: Buffer) -> bytes:
    """The same 32 bytes as `Digest.of`, for whoever only compares them."""
    return blake3.blake3(piece).digest()


def digests_of(pieces: Iterable[Buffer]) -> list[bytes]:
    """The raw digests of many small pieces: making a Digest of each would cost as much as hashing it."""
    hasher = blake3.blake3
    return [hasher(piece).digest() for piece in pieces]


def blake3_hasher(cores: int = 1) -> Hasher:
    """Make a hasher whose 32 bytes make a Digest."""
    return blake3.blake3(max_threads=cores)


def fingerprint(data: Buffer) -> bytes:
    """XXH3-128 of bytes: recognises unchanged bytes on this machine, proves nothing to anyone else."""
    return xxhash.xxh3_128_digest(data)  # type: ignore[no-any-return, unused-ignore]


def fingerprint_hasher() -> Hasher:
    """Make a hasher whose 16 bytes are a change fingerprint."""
    return xxhash.xxh3_128()  # type: ignore[no-any-return, unused-ignore]


class Readable(Protocol):
    """A stream that fills a buffer it is given."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer from its start; say how many bytes, 0 at the end."""


def hash_stream(
    stream: Readable, passed: Passed = unwatched, most: int | None = None, piece: int = PIECE
) -> Hashed:
    """Read a stream to its end, in pieces through few buffers, or until more than `most` bytes came."""
    change, size = xxhash.xxh3_128(), 0
    with _Identifying(piece) as identity:
        while count := stream.readinto(room := identity.room()):
            identity.take(room, count)
            change.update(room[:count])
            size += count
            passed(count)
            if most is not None and size > most:
                break
    return Hashed(identity.digest, change.digest(), size)


class _Identifying:
    """Makes the digest of pieces, while the next are read: in a thread as soon as there is a second piece."""

    def __init__(self, piece: int) -> None:
        self._piece = piece
        self._hasher = blake3_hasher(ALL_CORES)
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._made = 0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._full.put(None)
        if self._thread is not None:
            self._thread.join()
        else:
            self._work()

    def room(self) -> memoryview:
        """A buffer that nobody uses any more."""
        if self._made == 1 and self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        if self._made < _BUFFERS:
            self._made += 1
            return memory.room(self._piece)
        return self._free.get()

    def take(self, room: memoryview, count: int) -> None:
        """Take the start of a buffer; until the next one is asked for, it may be read."""
        self._full.put((room, count))

    @property
    def digest(self) -> Digest:
        """That of all pieces, once the block is left."""
        return Digest(self._hasher.digest())

    def _work(self) -> None:
        while (handed := self._full.get()) is not None:
            room, count = handed
            self._hasher.update(room[:count])
            self._free.put(room)


def hash_file(path: str | bytes, passed: Passed = unwatched) -> Hashed:
    """Hash a file's bytes; `passed` hears of those of a large one."""
    source = opened(path, _READ)
    try:
        # Most files are small: a file object, and a buffer for each, would cost more than reading it.
        start = os.read(source, SMALL)
        if len(start) < SMALL:
            return Hashed(Digest.of(start), fingerprint(start), len(start))
        os.lseek(source, 0, os.SEEK_SET)
        reading = direct.Input(source)
        return hash_stream(reading, passed, piece=direct.ROOM if reading.is_direct else PIECE)
    finally:
        os.close(source)


def fingerprint_file(path: str | bytes, passed: Passed = unwatched) -> bytes:
    """The change fingerprint of a file's bytes, without the time that its identity would take."""
    source = opened(path, _READ)
    try:
        start = os.read(source, SMALL)
        if len(start) < SMALL:
            return fingerprint(start)
        passed(len(start))
        change = xxhash.xxh3_128(start)
        reading = direct.Input(source)
        view = memory.room(direct.ROOM if reading.is_direct else PIECE)
        while count := reading.readinto(view):
            change.update(view[:count])
            passed(count)
        return change.digest()  # type: ignore[no-any-return, unused-ignore]
    finally:
        os.close(source)
