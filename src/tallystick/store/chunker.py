"""Where a large file is cut into chunks, so that a small change makes few new ones."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from tallystick.digest import Digest
from tallystick.errors import Refused
from tallystick.store.pack import LARGE, LARGEST_BLOB

SMALLEST_AVERAGE = 64 << 10
LARGEST_AVERAGE = 4 << 20
CHUNKS_WANTED = 1 << 14
"""A file gets the smallest average that keeps it near this many chunks."""

_TRIED = 64
"""Chunks that are tried, of each part, before an average is chosen."""

assert LARGEST_AVERAGE * 4 <= LARGEST_BLOB
NORMALIZATION = 2


def average(size: int) -> int:
    """The average chunk size for a file of `size` bytes: 64 KiB up to 1 GiB, then doubling up to 4 MiB."""
    chosen = SMALLEST_AVERAGE
    while chosen < LARGEST_AVERAGE and size > chosen * CHUNKS_WANTED:
        chosen *= 2
    return chosen


def chunks(data: bytes | memoryview, mean: int | None = None) -> Iterator[memoryview]:
    """Cut a blob by FastCDC 2020; the pieces are views into `data`, in order. `mean` is that of its size."""
    view = memoryview(data)
    if len(view) < LARGE:
        yield view
        return
    for chunk in _cutter(mean or average(len(view))).cut_buf(view):
        yield view[chunk.offset : chunk.offset + chunk.length]


def fitting_average(data: memoryview, is_known: Callable[[Digest], bool]) -> int:
    """The average by which most chunks of a file are known already: that of its size, or a neighbour.

    A file that has just outgrown what its former version was cut by would share no chunk with it.
    """
    found = averages(len(data))
    # Trying costs as much as cutting and hashing what is tried: most files have no choice.
    return found[0] if len(found) == 1 else max(found, key=lambda mean: _share_known(data, mean, is_known))


def averages(size: int) -> tuple[int, ...]:
    """What a file of `size` bytes may be cut by: the usual average first, then those next to it."""
    usual = average(size)
    # Half of it rounded up: a file of a power of two that grew by one byte is to find its former average.
    return (usual, *{average((size + 1) // 2), average(size * 2)} - {usual})


def _share_known(data: memoryview, mean: int, is_known: Callable[[Digest], bool]) -> float:
    """How much is known of some chunks from a file's beginning and its middle."""
    length, middle = mean * _TRIED, len(data) // 2
    names = [
        Digest.of(piece)
        for part in (data[:length], data[middle : middle + length])
        for piece in chunks(part, mean)
    ]
    return sum(map(is_known, names)) / len(names)


def _cutter(mean: int) -> Any:
    """What cuts into chunks of an average size."""
    compiled = _compiled()
    if compiled is None:
        raise Refused(
            "large files can't be cut into chunks: the compiled part of pyfastcdc is not installed",
            hint="pip install --force-reinstall pyfastcdc",
        )
    return compiled(mean, min_size=mean // 4, max_size=mean * 4, normalized_chunking=NORMALIZATION, seed=0)


@cache
def _compiled() -> Any:
    """The compiled part of pyfastcdc, loaded for the first large file; None where it is missing."""
    with warnings.catch_warnings(), suppress(ImportError, Warning):
        # The other part is a thousand times slower: nothing is cut rather than seem to hang.
        warnings.simplefilter("error")
        return import_module("pyfastcdc.cy").FastCDC
    return None


class Readable(Protocol):
    """Whatever gives bytes piece by piece, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes."""


def cut(file: Readable, size: int | None, mean: int | None = None) -> Iterator[memoryview]:
    """Cut what is read, once, as `chunks` cuts the same bytes; by the least average if no size is known.

    Each piece is there until the next one is asked for.
    """
    head = b""
    while len(head) < LARGE and (more := file.read(LARGE - len(head))):
        head += more
    if len(head) < LARGE:
        yield memoryview(head)
        return
    for chunk in _cutter(mean or average(size or len(head))).cut_stream(_Rejoined(head, file)):
        yield chunk.data


class _Rejoined(io.RawIOBase):
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, file: Readable) -> None:
        self._head = memoryview(head)
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        data = self._head[: len(view)] if self._head else self._file.read(len(view))
        self._head = self._head[len(data) :]
        view[: len(data)] = data
        return len(data)
