"""A remote's indexes, and the copies of them that are kept here."""

import mmap
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from tallystick.digest import Buffer, Digest
from tallystick.errors import ObjectMissing
from tallystick.files import write_atomic
from tallystick.store.backend import Backend
from tallystick.store.index import Index
from tallystick.store.parallel import ordered

PREFIX = "index/"
_SUFFIX = ".idx"

_JOBS = 8
"""Indexes that are downloaded at a time."""


class Copies:
    """Downloads each index once; what is here under a name is hashed again before it counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sizes: dict[str, int] = {}
        """The sound indexes of the last look, by path, with their sizes."""
        self.damaged: list[str] = []
        """Those that do not hash to their names."""

    def listing(self, backend: Backend) -> dict[str, int]:
        """Ask the remote which indexes it has; what is not named like one is not ours."""
        listed = backend.listing(PREFIX)
        return {path: size for path, size in listed.items() if digest_in(path, _SUFFIX) is not None}

    def is_kept(self, path: str) -> bool:
        """Whether there is a copy of an index here."""
        return (self._folder / os.path.basename(path)).exists()

    def load(self, backend: Backend, listed: Mapping[str, int]) -> list[Index]:
        """Open these indexes; raise ObjectMissing if one is gone by now."""
        opened = ordered(partial(self._opened, backend), listed.items(), _JOBS)
        found = list(zip(listed, opened, strict=True))
        self.damaged = [f"{backend.url}/{path}" for path, index in found if index is None]
        self.sizes = {path: listed[path] for path, index in found if index is not None}
        self._forget_all_but(listed)
        return [index for _, index in found if index is not None]

    def read(self, backend: Backend, path: str) -> Index | None:
        """One index; None if it is damaged or gone."""
        with suppress(ObjectMissing):
            return self._opened(backend, (path, None))
        return None

    def keep(self, data: bytes) -> str:
        """Keep a copy of an index; say what it is called at the remote."""
        name = f"{Digest.of(data).hex()}{_SUFFIX}"
        # Whoever reads it hashes it first.
        write_atomic(self._folder / name, data, lasting=False)
        return PREFIX + name

    def forget(self, path: str) -> None:
        """An index is no longer at the remote."""
        self.sizes.pop(path, None)
        (self._folder / os.path.basename(path)).unlink(missing_ok=True)

    def _opened(self, backend: Backend, listed: tuple[str, int | None]) -> Index | None:
        """An index from the copy kept here, or from the remote; None if it is damaged there."""
        path, size = listed
        name = digest_in(path, _SUFFIX)
        for data in self._sources(backend, path, size):
            if Digest.of(data) == name:
                return Index(data, f"{backend.url}/{path}")
        return None

    def _sources(self, backend: Backend, path: str, size: int | None) -> Iterator[Buffer]:
        copy = _mapped(self._folder / os.path.basename(path))
        # A sound copy is no proof that others can read what is there: at least its size has to fit.
        if copy is not None and size in (None, len(copy)):
            yield memoryview(copy)
        # What is damaged may have been so on its way: once more (rule V3).
        for _ in range(2):
            data = backend.get(path)
            if Digest.of(data) == digest_in(path, _SUFFIX):
                self.keep(data)
            yield data

    def _forget_all_but(self, paths: Collection[str]) -> None:
        """Delete copies of indexes that the remote has no longer."""
        kept = {os.path.basename(path) for path in paths}
        with suppress(FileNotFoundError):
            for name in os.listdir(self._folder):
                if name.endswith(_SUFFIX) and name not in kept:
                    (self._folder / name).unlink(missing_ok=True)


def _mapped(copy: Path) -> mmap.mmap | None:
    """The bytes of a copy, which is replaced or deleted and never changed; None if there is none."""
    with suppress(FileNotFoundError), copy.open("rb") as file:
        if size := os.fstat(file.fileno()).st_size:
            return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    return None


def digest_in(path: str, suffix: str) -> Digest | None:
    """The digest that a file is named by; None for files that are not ours."""
    stem, ending = os.path.splitext(os.path.basename(path))
    if ending != suffix or len(stem) != 64:
        return None
    try:
        return Digest(bytes.fromhex(stem))
    except ValueError:
        return None
