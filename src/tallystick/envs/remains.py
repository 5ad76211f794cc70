"""What is left of an environment that was made for one command, as `uv run --with` makes them."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tallystick.digest import Digest
from tallystick.files import write_atomic


def remains(python: str, site: str, folders: Sequence[str], home: Path) -> str | None:
    """A Python that imports what an environment without packages of its own did; None if that is gone, too.

    `site` is where such an environment would have packages. It is kept in `home`: the same parts make the
    same Python, and deleting it costs a run, never a result.
    """
    parts = [python, *folders]
    if not all(map(os.path.isabs, parts)) or any("\n" in part for part in (*parts, site)):
        return None
    inside = os.path.normpath(site)
    if os.path.isabs(inside) or inside.startswith("..") or not os.access(python, os.X_OK):
        return None
    if not all(map(os.path.isdir, folders)):
        return None
    place = home / Digest.of("\n".join((*parts, inside)).encode("utf-8", "surrogateescape")).hex()[:32]
    (place / inside).mkdir(parents=True, exist_ok=True)
    (place / "bin").mkdir(exist_ok=True)
    lines = "".join(f"{folder}\n" for folder in folders)
    write_atomic(place / inside / "borrowed.pth", lines.encode("utf-8", "surrogateescape"))
    about = f"home = {os.path.dirname(python)}\ninclude-system-site-packages = false\n"
    write_atomic(place / "pyvenv.cfg", about.encode("utf-8", "surrogateescape"))
    # Last: whoever finds a Python here finds all that it needs.
    with suppress(FileExistsError):
        (place / "bin/python").symlink_to(python)
    return str(place / "bin/python")
