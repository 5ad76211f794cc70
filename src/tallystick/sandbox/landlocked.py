"""Build walls with Landlock, where there is no bubblewrap: what a command needs not see it can't open."""

import glob
import json
import os
import sys
from collections.abc import Iterator

from tallystick import process
from tallystick.errors import TallyError
from tallystick.landlock import ALL, CHANGE, LAUNCHER, LIST, LOOK, Rule, handled, version
from tallystick.launcher import SOCKETS
from tallystick.sandbox.room import NO_NETWORK, READ_ONLY, UNREADABLE, Room, Walls

PATIENCE = 20.0

ORDERS = "walls.json"
SEE = LOOK | LIST

_DEVICES = (
    *(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm")),
    *("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/dxg"),
)
"""What every program counts on, and what computes."""

_APART = ("/dev", "/run", "/var/run")
"""Whatever else lies in them are doors to hardware and services."""


def walls(room: Room, why: str, before: tuple[str, ...] = ()) -> Walls | None:
    """Walls that were tried here just now, instead of better ones that can't be had; None without any.

    `before` stands before all words: it takes the network away, if it is not empty.
    """
    known = version()
    if known == 0 or room.scratch is None:
        return None
    no_sockets = not room.network and not before and os.uname().machine in SOCKETS
    orders = {
        "handled": handled(known, ALL | LIST),
        "rules": [(rule.path, rule.rights) for rule in _rules(room)],
        "unset": [],
        "no_sockets": no_sockets,
    }
    place = os.path.join(room.scratch, ORDERS)
    with open(place, "w", encoding="utf-8", errors="surrogateescape") as file:
        json.dump(orders, file)
    words = (*before, sys.executable, "-I", "-S", str(LAUNCHER), place)
    try:
        if process.run([*words, "/bin/sh", "-c", ":"], check=False, timeout=PATIENCE).exit_code != 0:
            return None
    except TallyError:
        return None
    facts = (NO_NETWORK,) if before or no_sockets else ()
    return Walls(words, _variables(room), (*facts, READ_ONLY, UNREADABLE, _beyond(why)))


def _beyond(why: str) -> str:
    return f"not out of sight: other processes, and names and sizes of files, as Landlock does it: {why}"


def _variables(room: Room) -> dict[str, str]:
    """Where the command's own folders are: here they can't be put into the place of others."""
    temporary = room.stand_ins.get(os.path.realpath("/tmp"))  # noqa: S108 - it is closed, not used
    found = {} if temporary is None else {"TMPDIR": temporary}
    return found if room.home is None else {**found, "HOME": room.stand_ins[room.home]}


def _rules(room: Room) -> Iterator[Rule]:
    """The system to be read, but for what is hidden; what is shown of that; and what is the command's own."""
    closed = {os.path.realpath(path) for path in (*room.hidden, *room.stand_ins)}
    yield from (Rule(path, SEE) for path in _parts(os.sep, {*closed, *_APART}))
    for path in room.shown:
        yield from (Rule(part, SEE) for part in _parts(os.path.realpath(path), closed))
    for device in sorted(path for pattern in _DEVICES for path in glob.glob(pattern)):
        yield Rule(device, SEE | CHANGE)
    yield from (Rule(path, SEE | CHANGE) for path in (*room.writable, *room.stand_ins.values()))


def _parts(path: str, closed: set[str]) -> Iterator[str]:
    """A folder, or where something below it is closed, all that lies beside that.

    Links need no rule: what they lead to has one, or none.
    """
    inside = {place for place in closed if place.startswith(f"{path.rstrip(os.sep)}/")}
    if not inside:
        yield path
        return
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return
    for name in names:
        part = os.path.join(path, name)
        if part not in closed and not os.path.islink(part):
            yield from _parts(part, inside)
