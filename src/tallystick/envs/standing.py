"""Remember that an environment was found to be what its lock says, while nothing of that changes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tallystick.envs.conda import FOLDER as CONDA
from tallystick.envs.stamps import is_settled, stamp
from tallystick.files import write_atomic
from tallystick.frozen import dataclass

FILE = "tally-standing.json"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the Python of an environment said of itself."""

    python: str
    platform: str


def standing(folder: Path) -> Standing | None:
    """What was found when the environment was last looked at, if it is still as it was then."""
    try:
        kept = json.loads((folder / FILE).read_bytes())
        fresh = all(stamp(each[0]) == each for each in kept["stamps"])
        return Standing(str(kept["python"]), str(kept["platform"])) if fresh and kept["stamps"] else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def remember(folder: Path, found: Standing) -> None:
    """Keep what was found, unless something could have changed meanwhile."""
    stamps = [stamp(path) for path in _watched(folder)]
    if is_settled(stamps):
        kept = {"python": found.python, "platform": found.platform, "stamps": stamps}
        write_atomic(folder / FILE, json.dumps(kept).encode())


def _watched(folder: Path) -> Iterator[str]:
    """All that is looked at to tell whether an environment is its lock's."""
    python = str(folder / "bin/python")
    yield from (str(folder / "pyvenv.cfg"), python, os.path.realpath(python))
    if (folder / CONDA).is_dir():
        yield str(folder / CONDA)
        yield from (str(path) for path in sorted((folder / CONDA).glob("*.json")))
    for site in folder.glob("lib*/*/site-packages"):
        yield str(site)
        with os.scandir(site) as entries:
            for entry in entries:
                if entry.name.endswith((".dist-info", ".egg-info")):
                    yield from (entry.path, f"{entry.path}/RECORD", f"{entry.path}/METADATA")
