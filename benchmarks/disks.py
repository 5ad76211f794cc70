"""File systems of their own for each measurement, so that none inherits another's leftovers."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import DEBIAN, note
from benchmarks.peers import libraries

# A file of 4 KiB and its pointer need an inode for each 8 KiB at most.
MAKE = {"ext4": ["-q", "-F", "-i", "8192"], "xfs": ["-q", "-f"]}


@contextmanager
def disk(kind: str, size: int, where: Path) -> Iterator[Path | None]:
    """Make an empty file system in a sparse file and mount it; None where that can't be done."""
    image = Path(tempfile.mkdtemp(prefix="tally-bench-", dir=where)) / f"{kind}.img"
    folder = image.with_suffix("")
    folder.mkdir()
    try:
        mounted = _mount(kind, size, image, folder)
        yield folder if mounted else None
    finally:
        if folder.is_mount():
            # Lazily: a program that was interrupted may still be ending in there.
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(image.parent)


@contextmanager
def scratch(size: int, where: Path, plain: bool) -> Iterator[Path]:
    """Give an ext4 with a journal, or a plain folder when nothing can be mounted."""
    if plain:
        with tempfile.TemporaryDirectory(prefix="tally-bench-", dir=where) as folder:
            yield Path(folder)
        return
    with disk("ext4", size, where) as mounted:
        if mounted is None:
            raise SystemExit("no file system can be mounted here; see --plain")
        yield mounted


def can_mount() -> bool:
    """Whether this user may mount a file system at all."""
    return os.geteuid() == 0 and shutil.which("mkfs.ext4") is not None


def _mount(kind: str, size: int, image: Path, folder: Path) -> bool:
    program = _find(f"mkfs.{kind}")
    if program is None:
        return False
    with image.open("wb") as sparse:
        sparse.truncate(size)
    for command in ([program, *MAKE[kind], str(image)], ["mount", "-o", "loop", str(image), str(folder)]):
        done = subprocess.run(command, capture_output=True, env=libraries())
        if done.returncode:
            note(f"{command[0]}: {done.stderr.decode(errors='replace').strip()}")
            return False
    return True


def _find(program: str) -> str | None:
    unpacked = DEBIAN / "sbin" / program
    return str(unpacked) if unpacked.exists() else shutil.which(program)
