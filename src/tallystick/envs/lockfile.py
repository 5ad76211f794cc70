"""What the project's own lock files know of packages: the hashes of the files that an index offers."""

import os
from collections.abc import Mapping
from pathlib import Path

from tallystick.records.lockfiles import LARGEST, is_lock_file, pins

USUAL = ("uv.lock", "poetry.lock", "requirements.txt")


def lock_files(project_root: Path) -> list[Path]:
    """The files of the project's root that may have hashes; the usual ones whether they are there or not."""
    try:
        names = os.listdir(project_root)
    except OSError:
        names = []
    found = [name for name in sorted(names) if is_lock_file(name) and name != "Dockerfile"]
    return [project_root / name for name in dict.fromkeys((*USUAL, *found))]


def known_hashes(project_root: Path) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Normalised name and version -> hashes; empty without a lock, or with one that can't be read."""
    known: dict[tuple[str, str], set[str]] = {}
    for path in lock_files(project_root):
        try:
            if path.stat().st_size > LARGEST:
                continue
            text = path.read_text("utf-8")
        except (OSError, ValueError):
            continue
        for pin in pins(path.name, text):
            known.setdefault((pin.name, pin.version), set()).update(pin.hashes)
    return {key: tuple(sorted(hashes)) for key, hashes in known.items() if hashes}
