"""Where a large file is cut into chunks, so that a small change makes few new ones."""

import warnings
from collections.abc import Iterator

from tallystick.store.pack import LARGE, LARGEST_BLOB

with warnings.catch_warnings():
    # Without its compiled part pyfastcdc is a thousand times slower: refuse, rather than seem to hang.
    warnings.simplefilter("error")
    from pyfastcdc.cy import FastCDC

SMALLEST_AVERAGE = 64 << 10
LARGEST_AVERAGE = 4 << 20
CHUNKS_WANTED = 1 << 14
"""A file gets the smallest average that keeps it near this many chunks."""

assert LARGEST_AVERAGE * 4 <= LARGEST_BLOB
NORMALIZATION = 2


def average(size: int) -> int:
    """The average chunk size for a file of `size` bytes: 64 KiB up to 1 GiB, then doubling up to 4 MiB."""
    chosen = SMALLEST_AVERAGE
    while chosen < LARGEST_AVERAGE and size > chosen * CHUNKS_WANTED:
        chosen *= 2
    return chosen


def chunks(data: bytes | memoryview) -> Iterator[memoryview]:
    """Cut a blob by FastCDC 2020; the pieces are views into `data`, in order."""
    view = memoryview(data)
    if len(view) < LARGE:
        yield view
        return
    size = average(len(view))
    cutter = FastCDC(size, min_size=size // 4, max_size=size * 4, normalized_chunking=NORMALIZATION, seed=0)
    for chunk in cutter.cut_buf(view):
        yield view[chunk.offset : chunk.offset + chunk.length]
