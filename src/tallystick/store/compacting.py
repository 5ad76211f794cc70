"""Joins the many small indexes that many small adds leave in the local store."""

import os
from contextlib import suppress
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import BadRecord, Locked, TallyError
from tallystick.files import lock, write_atomic
from tallystick.store import merging
from tallystick.store.index import Index

SUFFIX = ".idx"

_LARGEST = 1 << 20
"""Indexes from this size on are few, and joining them would make an `add` wait."""

_LOCK = "compacting.lock"


def compact(folder: Path) -> None:
    """Replace many small indexes of a folder of packs by few, at any time and beside anyone; packs stay.

    The new index is durable before an old one goes. A reader that misses one looks again, or reads the packs.
    """
    if not _chosen(folder):
        return
    # What is merely untidy must not make an `add` fail.
    with suppress(Locked, TallyError, OSError), lock(folder / _LOCK, what="the local store", wait=0):
        _join(folder, _chosen(folder))


def _join(folder: Path, names: list[str]) -> None:
    old = {name: index for name in names if (index := _opened(folder, name)) is not None}
    new = merging.joined(old.values())
    if not merging.is_worth_it(list(old), new):
        return
    kept = set()
    for data in new:
        name = f"{Digest.of(data).hex()}{SUFFIX}"
        write_atomic(folder / name, data, 0o444)
        kept.add(name)
    for name in old.keys() - kept:
        (folder / name).unlink(missing_ok=True)


def _chosen(folder: Path) -> list[str]:
    """The indexes that are worth joining."""
    sizes = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX) and len(entry.name) == 64 + len(SUFFIX):
                with suppress(FileNotFoundError):
                    sizes[entry.name] = entry.stat().st_size
    return merging.chosen(sizes, _LARGEST)


def _opened(folder: Path, name: str) -> Index | None:
    """An index, if it is there and sound; others are left alone."""
    with suppress(BadRecord, FileNotFoundError):
        data = (folder / name).read_bytes()
        if Digest.of(data).hex() == name.removesuffix(SUFFIX):
            return Index(data, name)
    return None
