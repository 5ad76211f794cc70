"""What the tests of the worktree share: folders described by dictionaries."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tallystick.digest import Digest, hash_file
from tallystick.records.tree import EMPTY, Entry
from tallystick.worktree import Content, Present, Worktree

Files = Mapping[str, bytes | str | None]
"""Bytes are a file, text a link's target, None an empty folder; a name that ends in `*` is executable."""


def entries(files: Files) -> list[Entry]:
    """The tree that describes some files."""
    return sorted((_entry(name, content) for name, content in files.items()), key=lambda entry: entry.path)


def _entry(name: str, content: bytes | str | None) -> Entry:
    path = os.fsencode(name.removesuffix("*"))
    if content is None:
        return Entry("d", EMPTY, 0, path)
    data = os.fsencode(content)
    mode = "l" if isinstance(content, str) else "x" if name.endswith("*") else "f"
    return Entry(mode, Digest.of(data), len(data), path)


class Source:
    """A store of contents that remembers what it was asked for."""

    def __init__(self, *every: Files) -> None:
        contents = [content for files in every for content in files.values() if content is not None]
        self.blobs: dict[Digest, Content] = {Digest.of(os.fsencode(c)): os.fsencode(c) for c in contents}
        self.asked: list[bytes] = []

    def __call__(self, needed: Sequence[Entry]) -> Iterable[tuple[Entry, Content]]:
        self.asked += [entry.path for entry in needed]
        return [(entry, self.blobs[entry.digest]) for entry in needed]


def identified(worktree: Worktree, path: str) -> Present | None:
    """What stands at a path, every file of it hashed."""
    scan = worktree.scan(path)
    if scan is None:
        return None
    known = worktree.known(scan, worktree.load(f"{path}.tally"))
    for row in known.to_hash:
        hashed = hash_file(scan.place(scan.files.paths[row]))
        known.identities.put(row, hashed.digest, hashed.fingerprint)
    return Present(scan, known.identities)


def seen(worktree: Worktree, path: str) -> list[Entry] | None:
    """What stands at a path, as a tree."""
    present = identified(worktree, path)
    return None if present is None else present.scan.entries(present.identities)


def expected(files: Files) -> dict[bytes, Digest]:
    """The digests of files that may be replaced."""
    return {entry.path: entry.digest for entry in entries(files)}


def make(folder: Path, files: Files) -> None:
    """Write files the plain way."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        place = folder / name.removesuffix("*")
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir()
        elif isinstance(content, str):
            place.symlink_to(content)
        else:
            place.write_bytes(content)
            place.chmod(0o755 if name.endswith("*") else 0o644)
