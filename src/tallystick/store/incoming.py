"""What a fetch downloads: runs of bytes out of a remote's packs, cut up into verified blobs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import add
from typing import NamedTuple

from tallystick.digest import Digest, digests_of
from tallystick.errors import ObjectCorrupt, ObjectMissing
from tallystick.store.index import Place, Recipe
from tallystick.store.nearby import Spot, read
from tallystick.store.pack import LARGE, RAW, decode
from tallystick.store.quarantine import Damaged
from tallystick.store.remote import RemoteStore, pack_path

_GAP = 128 << 10
"""Reading so many bytes that nobody wants is cheaper than another request."""
_RUN = 8 << 20
"""A run ends when it has grown to this many bytes, so that several can be under way."""

Located = tuple[Digest, Place]


class Run(NamedTuple):
    """One request: blobs that lie close together in a pack, for a large file or each for itself.

    With `spots` there is nothing to ask for: there the local store has the same bytes.
    """

    file: Digest | None
    blobs: Sequence[Located]
    spots: Sequence[Spot] = ()


class Stretch(NamedTuple):
    """Blobs that lie one behind the other."""

    digests: Sequence[Digest]
    sizes: Sequence[int]
    data: memoryview


class Received(NamedTuple):
    """What a request brought: verified blobs in the order asked for; None for the gone."""

    run: Run
    data: Sequence[bytes | Damaged | None]
    size: int
    stretches: Sequence[Stretch] = ()
    """The same blobs without `data`, verified, where they are small and lie as they are."""


def small_runs(places: Iterable[Located]) -> Iterator[Run]:
    """Runs that bring these blobs, in the order in which they lie."""
    ordered = sorted(places, key=lambda located: located[1])
    for _, group in groupby(ordered, key=lambda located: located[1].pack):
        yield from (Run(None, blobs) for blobs in _runs(group))


def file_runs(
    file: Digest, recipe: Recipe, places: Mapping[Digest, Place], here: Mapping[Digest, Spot]
) -> Iterator[Run]:
    """Runs that bring a large file's chunks, in the order of the file; those that are `here` from there."""
    blobs = ((chunk, places[chunk]) for chunk, _ in recipe.chunks)
    for is_here, group in groupby(blobs, key=lambda blob: blob[0] in here):
        for run in _batches(group) if is_here else _runs(group):
            yield Run(file, run, [here[chunk] for chunk, _ in run] if is_here else ())


def _runs(located: Iterable[Located]) -> Iterator[list[Located]]:
    """Join neighbours; a blob may come again, as it does in files full of zeros."""
    run: list[Located] = []
    end = size = 0
    for blob in located:
        place = blob[1]
        if run and not (_is_near(run[0][1], end, place) and size < _RUN):
            yield run
            run, end, size = [], 0, 0
        run.append(blob)
        end, size = max(end, place.offset + place.stored), size + place.size
    if run:
        yield run


def _is_near(first: Place, end: int, place: Place) -> bool:
    """Whether a place can be read along with what lies from `first` to `end`."""
    near = first.offset <= place.offset <= end + _GAP
    return near and place.pack == first.pack and place.offset - first.offset < _RUN


def _batches(located: Iterable[Located]) -> Iterator[list[Located]]:
    """Runs of what is read here: only their size matters."""
    batch: list[Located] = []
    size = 0
    for blob in located:
        batch.append(blob)
        size += blob[1].size
        if size >= _RUN:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def receive(remote: RemoteStore, run: Run) -> Received:
    """Make a request and verify what it brings; what is damaged is asked for once more (rule V3)."""
    if run.spots:
        return _taken(remote, run)
    view = _read(remote, run.blobs)
    if run.file is None and view is not None and (stretches := _stretches(view, run.blobs)):
        return Received(run, (), len(view), stretches)
    first, size = _decoded(remote, run.blobs, view), len(view or b"")
    damaged = [blob for blob, data in zip(run.blobs, first, strict=True) if not isinstance(data, bytes)]
    if not damaged:
        return Received(run, first, size)
    view = _read(remote, damaged)
    again, more = _decoded(remote, damaged, view), len(view or b"")
    second = dict(zip((digest for digest, _ in damaged), again, strict=True))
    data = [second.get(digest, had) for (digest, _), had in zip(run.blobs, first, strict=True)]
    return Received(run, data, size + more)


def _taken(remote: RemoteStore, run: Run) -> Received:
    """Read chunks from large blobs of the local store; what is not right there comes from the remote."""
    data: list[bytes | Damaged | None] = []
    size = 0
    for blob, spot in zip(run.blobs, run.spots, strict=True):
        piece = read(blob[0], spot)
        if piece is not None:
            data.append(piece)
            continue
        again = receive(remote, Run(run.file, [blob]))
        data.append(again.data[0])
        size += again.size
    return Received(run, data, size)


def _read(remote: RemoteStore, blobs: Sequence[Located]) -> memoryview | None:
    """The bytes that blobs lie in; None if their pack is gone."""
    pack, start = blobs[0][1].pack, blobs[0][1].offset
    end = max(place.offset + place.stored for _, place in blobs)
    try:
        return remote.read_range(pack, start, end)
    except ObjectMissing:
        return None


def _stretches(view: memoryview, blobs: Sequence[Located]) -> list[Stretch]:
    """What came, cut where something else lies between; nothing unless all is small, as it is, and right."""
    if any(place.encoding != RAW or place.size >= LARGE for _, place in blobs):
        return []
    digests, sizes = [digest for digest, _ in blobs], [place.size for _, place in blobs]
    begins = [place.offset - blobs[0][1].offset for _, place in blobs]
    ends = list(map(add, begins, sizes))
    if digests_of([view[begin:end] for begin, end in zip(begins, ends, strict=True)]) != digests:
        return []
    cuts = [at for at in range(1, len(blobs)) if begins[at] != ends[at - 1]]
    return [
        Stretch(digests[first:after], sizes[first:after], view[begins[first] : ends[after - 1]])
        for first, after in pairwise((0, *cuts, len(blobs)))
    ]


def _decoded(
    remote: RemoteStore, blobs: Sequence[Located], view: memoryview | None
) -> list[bytes | Damaged | None]:
    """Each blob out of the bytes that came, if they hold it."""
    if view is None:
        return [None] * len(blobs)
    pack, start = blobs[0][1].pack, blobs[0][1].offset
    source = f"{remote.url}/{pack_path(pack)}"
    return [_decoded_one(view[place.offset - start :], digest, place, source) for digest, place in blobs]


def _decoded_one(rest: memoryview, digest: Digest, place: Place, source: str) -> bytes | Damaged:
    stored = rest[: place.stored]
    try:
        return decode(stored, digest, place.size, place.encoding, source)
    except ObjectCorrupt:
        return Damaged(digest, Digest.of(stored), source, bytes(stored))
