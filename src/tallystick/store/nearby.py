"""Chunks of wanted files that the local store has already, inside of large blobs: older versions, mostly."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from tallystick.digest import Digest
from tallystick.store.chunker import averages, cut
from tallystick.store.index import Recipe
from tallystick.store.local import LocalStore

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_USUAL_LENGTH = 1.2
"""The mean length of real chunks, in averages: normalisation moves it."""
_LOOKED_AT = 4_000_000
"""Chunks of other files that are looked at: some seconds at most, however much the store holds."""


class Recipes(Protocol):
    """What is known of large files."""

    def files(self, among: set[Digest]) -> dict[Digest, int]:
        """Those of some blobs of which there are recipes, with their sizes."""

    def recipe_of(self, digest: Digest) -> Recipe | None:
        """A recipe of a large file."""


class Spot(NamedTuple):
    """Where a chunk lies in a large blob of the local store."""

    path: Path
    offset: int
    length: int


def nearby(local: LocalStore, catalogue: Recipes, recipes: Mapping[Digest, Recipe]) -> dict[Digest, Spot]:
    """Where the local store holds chunks of these files, by the recipes that the remote has of its blobs.

    Nothing is promised of the bytes there: they are hashed when they are read.
    """
    wanted = {chunk for recipe in recipes.values() for chunk, _ in recipe.chunks}
    sizes = [recipe.size for recipe in recipes.values()]
    found: dict[Digest, Spot] = {}
    left = _LOOKED_AT
    # A file's former version has about its size.
    files = sorted(
        catalogue.files(local.whole() if wanted else set()).items(),
        key=lambda file: min(abs(file[1] - size) for size in sizes),
    )
    for file, _ in files:
        path, recipe = local.object_path(file), catalogue.recipe_of(file)
        if path is None or recipe is None or left <= 0 or len(found) == len(wanted):
            continue
        left -= len(recipe.chunks)
        offset = 0
        for chunk, length in recipe.chunks:
            if chunk in wanted:
                found.setdefault(chunk, Spot(path, offset, length))
            offset += length
    if recipes and not found:
        return _cut_here(local, wanted, recipes)
    return found


def _cut_here(local: LocalStore, wanted: set[Digest], recipes: Mapping[Digest, Recipe]) -> dict[Digest, Spot]:
    """The same by cutting local files as a push would: those of about the same size that nobody pushed."""
    found: dict[Digest, Spot] = {}
    paths = [path for file in local.whole() if (path := local.object_path(file)) is not None]
    sizes = {path: path.stat().st_size for path in paths}
    for recipe in recipes.values():
        path = min(sizes, key=lambda path: abs(sizes[path] - recipe.size), default=None)
        if path is not None and _is_alike(sizes.pop(path), recipe.size):
            offset = 0
            for piece in _pieces(path, _average(recipe)):
                name = Digest.of(piece)
                if name in wanted:
                    found.setdefault(name, Spot(path, offset, len(piece)))
                offset += len(piece)
    return found


def _pieces(path: Path, mean: int) -> Iterator[memoryview]:
    """A local file's chunks; none if it can't be read."""
    with suppress(OSError), open(path, "rb", buffering=0) as file:
        yield from cut(file, None, mean)


def _average(recipe: Recipe) -> int:
    """What a file was cut by: that of its size, unless a neighbour is nearer to the chunks that it has."""
    found = recipe.size / len(recipe.chunks)
    return min(averages(recipe.size), key=lambda mean: abs(math.log(found / (mean * _USUAL_LENGTH))))


def _is_alike(size: int, other: int) -> bool:
    """Whether a file may be another's former version."""
    return abs(size - other) * 4 <= other


def read(chunk: Digest, spot: Spot) -> bytes | None:
    """A chunk's bytes, verified; None if they are not there any more, or others."""
    try:
        descriptor = os.open(spot.path, _READ)
    except OSError:
        return None
    try:
        data = os.pread(descriptor, spot.length, spot.offset)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data if Digest.of(data) == chunk else None
