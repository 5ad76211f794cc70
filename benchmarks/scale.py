"""What a million index entries cost, and a simulation of an index of a hundred million.

    .venv/bin/python -m benchmarks.scale --million 1 10 --simulate 100

The first figures come from the program's own code. The simulated index is written as a stream, in the real
format and in bounded memory, and is then opened and searched by the program's own code.
"""

import argparse
import mmap
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tallystick.digest import Digest
from tallystick.records import tree
from tallystick.store import index
from tallystick.store.assembling import assemble
from tallystick.store.pack import Entry, table

MILLION = 1_000_000
BLOB = 4096
IN_PACK = 8000
ROWS = 1 << 16
LOOKUPS = 20_000
BLOCK = 1024
"""Rows between two fences of a partitioned index."""
NEAR = 4
"""Blocks that lie no further apart are read in one request."""

Figures = dict[str, float]


def main() -> None:
    """Read the options, measure each size in a process of its own, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--million", type=float, nargs="*", default=[1], help="millions of entries to build")
    parser.add_argument("--simulate", type=float, default=10, help="millions that are simulated")
    parser.add_argument("--trees", type=float, nargs="*", default=[0.1, 1], help="millions of files")
    parser.add_argument("--scratch", type=Path, default=Path("/tmp"), help="where files are written")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tally-scale-", dir=chosen.scratch) as folder:
        for millions in chosen.trees:
            _show(f"a tree of {millions:g} million files", _alone(trees, int(millions * MILLION)))
        for millions in chosen.million:
            figures = _alone(built, int(millions * MILLION), Path(folder))
            _show(f"an index of {millions:g} million entries, built", figures)
        count = int(chosen.simulate * MILLION)
        if count:
            figures = _alone(simulated, count, Path(folder))
            _show(f"an index of {chosen.simulate:g} million entries, simulated", figures)
            _partitions(_alone(partitioned, count, Path(folder)))


def _alone(job: Callable[..., Figures], *given: object) -> Figures:
    """Run a job in a process of its own, so that its peak of memory is its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak, job, *given).result()


def _peak(job: Callable[..., Figures], *given: object) -> Figures:
    figures = job(*given)
    return figures | {"peak memory (MiB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _show(title: str, figures: Figures) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name}: {value:,.3f}" if value < 100 else f"  {name}: {value:,.0f}")
    sys.stdout.flush()


def _cpu(job: Callable[[], object]) -> float:
    begin = time.process_time()
    job()
    return time.process_time() - begin


def trees(count: int) -> Figures:
    """Write and read the text of a tree."""
    source = random.Random(1)
    entries = [
        tree.Entry("f", Digest(source.randbytes(32)), BLOB, b"%04d/%09d.bin" % (number // 1000, number))
        for number in range(count)
    ]
    texts: list[bytes] = []
    millions = count / MILLION
    render = _cpu(lambda: texts.append(tree.render(entries)))
    parse = _cpu(lambda: tree.parse(texts[0], "tree"))
    return {
        "render (CPU s a million)": render / millions,
        "parse (CPU s a million)": parse / millions,
        "text (MB a million)": len(texts[0]) / count,
    }


def packs(count: int) -> Iterator[tuple[index.PackName, bytes]]:
    """Packs full of blobs of 4 KiB, each with its table of contents."""
    source = random.Random(2)
    for first in range(0, count, IN_PACK):
        digests = [Digest(source.randbytes(32)) for _ in range(min(IN_PACK, count - first))]
        rows = [Entry(digest, 8 + row * BLOB, BLOB, BLOB, 0) for row, digest in enumerate(digests)]
        yield index.PackName(Digest(source.randbytes(32)), len(rows) * (BLOB + 48) + 72), table(rows)


def built(count: int, folder: Path) -> Figures:
    """Build an index with the program's own code, write it, search it."""
    path, tables = folder / "built.idx", list(packs(count))
    build = _cpu(lambda: path.write_bytes(assemble(tables, {})))
    millions, size = count / MILLION, path.stat().st_size
    figures = {"build (CPU s a million)": build / millions, "size (MB a million)": size / count}
    return figures | searched(path)


def searched(path: Path) -> Figures:
    """Open an index file and look up digests, some of them in it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = time.process_time()
        found = index.Index(data)
        figures = {"open (CPU ms)": 1000 * (time.process_time() - begin)}
        figures |= _looked_up(found, data)
        # Views of the map must be gone before it closes.
        del found
    return figures


def _looked_up(found: index.Index, data: mmap.mmap) -> Figures:
    """Look up digests that are there, and others."""
    source = random.Random(3)
    start = index.HEADER.size + len(found.packs) * index.PACK.size
    rows = [source.randrange(len(found)) for _ in range(LOOKUPS)]
    present = [Digest(data[start + row * 32 : start + row * 32 + 32]) for row in rows]
    absent = [Digest(source.randbytes(32)) for _ in range(LOOKUPS)]
    # The first look reads the beginnings of all digests, which later ones bisect.
    figures = {"the first look-up (CPU ms)": 1000 * _cpu(lambda: found.rows(present[:1]))}
    figures |= {
        "look up one that is there (CPU µs)": MILLION * _cpu(lambda: found.rows(present)) / LOOKUPS,
        "look up one that is not (CPU µs)": MILLION * _cpu(lambda: found.rows(absent)) / LOOKUPS,
    }
    if [row for _, row in found.rows(present[:100])] != rows[:100] or found.rows(absent[:100]):
        raise SystemExit("the index does not find what it holds")
    return figures


def _digests(first: int, count: int, total: int, source: random.Random) -> bytes:
    """Digests that are evenly spread, as hashes are, and sorted by construction."""
    step = (1 << 64) // total
    spread = memoryview(source.randbytes(8 * count)).cast("Q")
    heads = array("Q", [(first + row) * step + number % step for row, number in enumerate(spread)])
    if sys.byteorder == "little":
        heads.byteswap()
    head, tail, rows = heads.tobytes(), source.randbytes(24 * count), bytearray(32 * count)
    for column in range(8):
        rows[column::32] = head[column::8]
    for column in range(24):
        rows[8 + column :: 32] = tail[column::24]
    return bytes(rows)


def _places(first: int, count: int, number: int) -> bytes:
    """A place in one of `number` packs for each row."""
    rows = array("I", bytes(20 * count))
    rows[0::5] = array("I", [row % number for row in range(first, first + count)])
    rows[1::5] = array("I", [8 + row // number % IN_PACK * BLOB for row in range(first, first + count)])
    rows[2::5] = rows[3::5] = array("I", [BLOB]) * count
    return rows.tobytes()


def simulated(count: int, folder: Path) -> Figures:
    """Write an index as a stream, column after column, and search it."""
    path, source = folder / "simulated.idx", random.Random(4)
    number = -(-count // IN_PACK)
    begin = time.process_time()
    with path.open("wb") as output:
        output.write(index.HEADER.pack(index.MAGIC, number, count, 0, 0))
        for name in sorted(source.randbytes(32) for _ in range(number)):
            output.write(index.PACK.pack(name, IN_PACK * (BLOB + 48) + 72))
        for first in range(0, count, ROWS):
            output.write(_digests(first, min(ROWS, count - first), count, source))
        for first in range(0, count, ROWS):
            output.write(_places(first, min(ROWS, count - first), number))
    figures = {"written as a stream (CPU s a million)": (time.process_time() - begin) / (count / MILLION)}
    return figures | {"size (GB)": path.stat().st_size / 1e9} | searched(path)


def partitioned(count: int, folder: Path) -> Figures:
    """Look up in the same file by fences and ranges, as a remote would be read."""
    path, figures = folder / "simulated.idx", {}
    with path.open("rb") as file:
        start = index.HEADER.size + -(-count // IN_PACK) * index.PACK.size
        blocks = -(-count // BLOCK)
        fences = array("Q", [0] * blocks)
        for block in range(blocks):
            file.seek(start + block * BLOCK * 32)
            fences[block] = int.from_bytes(file.read(8), "big")
        figures["fences (MB)"] = 8 * blocks / 1e6
        for wanted in (1, 100, 10_000, MILLION):
            figures |= _ranges(wanted, fences)
        source, found = random.Random(5), 0
        rows = [source.randrange(count) for _ in range(1000)]
        begin = time.process_time()
        for row in rows:
            file.seek(start + row * 32)
            digest = file.read(32)
            block = max(0, bisect_right(fences, int.from_bytes(digest[:8], "big")) - 1)
            file.seek(start + block * BLOCK * 32)
            found += file.read(BLOCK * 32).find(digest) == (row - block * BLOCK) * 32
        figures["one found by fence and range (CPU µs)"] = MILLION * (time.process_time() - begin) / len(rows)
    if found != len(rows):
        raise SystemExit("the fences do not lead to what the index holds")
    return figures


def _ranges(wanted: int, fences: "array[int]") -> Figures:
    """How many requests and bytes the digests and places of that many blobs take."""
    source, needed = random.Random(6), set()
    for _ in range(wanted):
        needed.add(max(0, bisect_right(fences, source.getrandbits(64)) - 1))
    ordered = sorted(needed)
    runs, blocks, last = 0, 0, -NEAR - 1
    for block in ordered:
        near = block - last <= NEAR
        runs, blocks, last = runs + (not near), blocks + (block - last if near else 1), block
    return {f"requests for {wanted:,}": runs, f"MB for {wanted:,}": blocks * BLOCK * 52 / 1e6}


def _partitions(figures: Figures) -> None:
    _show(f"the same, read by range: {BLOCK} rows between two fences", figures)


if __name__ == "__main__":
    main()
