"""What a fetch downloads: runs of bytes out of a remote's packs, cut up into verified blobs."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from tallystick.digest import Digest
from tallystick.errors import ObjectCorrupt, ObjectMissing
from tallystick.store.index import Place, Recipe
from tallystick.store.pack import decode
from tallystick.store.remote import RemoteStore, pack_path

_GAP = 128 << 10
"""Reading so many bytes that nobody wants is cheaper than another request."""
_RUN = 8 << 20
"""A run ends when it has grown to this many bytes, so that several can be under way."""

Located = tuple[Digest, Place]


class Run(NamedTuple):
    """One request: blobs that lie close together in a pack, for a large file or each for itself."""

    file: Digest | None
    blobs: Sequence[Located]


class Received(NamedTuple):
    """What a request brought: verified blobs in the order asked for, None for the damaged or gone."""

    run: Run
    data: Sequence[bytes | None]
    size: int


def small_runs(places: Iterable[Located]) -> Iterator[Run]:
    """Runs that bring these blobs, in the order in which they lie."""
    ordered = sorted(places, key=lambda located: located[1])
    for _, group in groupby(ordered, key=lambda located: located[1].pack):
        yield from (Run(None, blobs) for blobs in _runs(group))


def file_runs(file: Digest, recipe: Recipe, places: dict[Digest, Place]) -> Iterator[Run]:
    """Runs that bring a large file's chunks, in the order of the file."""
    yield from (Run(file, blobs) for blobs in _runs((chunk, places[chunk]) for chunk, _ in recipe.chunks))


def _runs(located: Iterable[Located]) -> Iterator[list[Located]]:
    """Join neighbours."""
    run: list[Located] = []
    for blob in located:
        if run and not _continues(run, blob[1]):
            yield run
            run = []
        run.append(blob)
    if run:
        yield run


def _continues(run: Sequence[Located], place: Place) -> bool:
    first, last = run[0][1], run[-1][1]
    gap = place.offset - (last.offset + last.stored)
    return place.pack == last.pack and 0 <= gap <= _GAP and place.offset - first.offset < _RUN


def receive(remote: RemoteStore, run: Run) -> Received:
    """Make a request and verify what it brings; what is damaged is asked for once more (rule V3)."""
    first, size = _request(remote, run.blobs)
    damaged = [blob for blob, data in zip(run.blobs, first, strict=True) if data is None]
    if not damaged:
        return Received(run, first, size)
    again, more = _request(remote, damaged)
    second = dict(zip((digest for digest, _ in damaged), again, strict=True))
    data = [second[digest] if had is None else had for (digest, _), had in zip(run.blobs, first, strict=True)]
    return Received(run, data, size + more)


def _request(remote: RemoteStore, blobs: Sequence[Located]) -> tuple[list[bytes | None], int]:
    pack, start = blobs[0][1].pack, blobs[0][1].offset
    end = max(place.offset + place.stored for _, place in blobs)
    try:
        view = remote.read_range(pack, start, end)
    except ObjectMissing:
        return [None] * len(blobs), 0
    source = f"{remote.url}/{pack_path(pack)}"
    return [_decoded(view, start, digest, place, source) for digest, place in blobs], len(view)


def _decoded(view: memoryview, start: int, digest: Digest, place: Place, source: str) -> bytes | None:
    begin = place.offset - start
    try:
        return decode(view[begin : begin + place.stored], digest, place.size, place.encoding, source)
    except ObjectCorrupt:
        return None
