"""What a command may see and change, and which walls stand around it: values, and their order."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import field

from tallystick.frozen import dataclass

READ_ONLY = "only its own files are writable"
OUT_OF_SIGHT = "the user's home, worktree and temporary files are out of sight"
UNREADABLE = "the user's home, worktree and temporary files can't be read"
NO_NETWORK = "no network"


@dataclass(frozen=True, slots=True)
class Room:
    """Absolute paths: `hidden` folders seem empty, but for what in them is `shown` or `writable`.

    `stand_ins` are folders that a command finds in the place of others, writable, `home` is one of those; all
    else is as it is, to be read. `scratch` is a folder for what walls need themselves.
    """

    writable: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    home: str | None = None
    scratch: str | None = None


@dataclass(frozen=True, slots=True)
class Walls:
    """What goes before a command's words and into its variables, and in sentences what that enforces."""

    before: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mount:
    """One path as the command finds it: `empty`, or as `source` is, `read-only` or `writable`."""

    place: str
    how: str
    source: str = ""


def mounts(room: Room) -> list[Mount]:
    """All that is not as it is outside, outer folders first: what lies deeper counts."""
    found = [Mount(path, "empty") for path in room.hidden]
    found += [Mount(place, "writable", source) for place, source in room.stand_ins.items()]
    covers = tuple(f"{mount.place}/" for mount in found)
    found += [mount for path in room.shown for mount in _shown(path) if mount.place.startswith(covers)]
    writable = [os.path.realpath(path) for path in room.writable]
    # A link in a folder that is there as it is came with it, and can't be made twice.
    here = tuple(f"{path}/" for path in writable)
    found = [mount for mount in found if mount.how != "link" or not mount.place.startswith(here)]
    found += [Mount(path, "writable", path) for path in writable]
    last = {mount.place: mount for mount in found if mount.place != os.sep}
    return sorted(last.values(), key=lambda mount: mount.place.count(os.sep))


def _shown(path: str) -> Iterator[Mount]:
    """A path, and where it is a link that too: programs ask for it by its name."""
    real = os.path.realpath(path)
    if os.path.exists(real):
        yield Mount(real, "read-only", real)
        if real != path:
            yield Mount(path, "link", real)


def open_room(why: str) -> Walls:
    """No walls, and why."""
    return Walls(facts=(f"not isolated: {why}",))
