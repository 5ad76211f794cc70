"""The best walls that can be had: bubblewrap's; else Landlock's, and no network; else no network at least."""

from tallystick import process
from tallystick.errors import Refused, TallyError
from tallystick.sandbox import bubblewrap, landlocked
from tallystick.sandbox.room import NO_NETWORK, Room, Walls

PATIENCE = 20.0

_WAYS = (("--net",), ("--user", "--map-current-user", "--net"))
"""As root, and as anybody whom the system lets have namespaces."""

_WITH_LOOPBACK = 'ip link set lo up 2>/dev/null; exec "$@"'
"""Programs whose parts talk to each other over it find it; elsewhere it leads nowhere."""


def walls(room: Room) -> Walls:
    """The best walls that can be had here; what could not be had is said."""
    found = bubblewrap.walls(room)
    if found.before:
        return found
    before = None if room.network else _without_network()
    instead = landlocked.walls(room, _why(" ".join(found.facts)).removeprefix(": "), before or ())
    if instead is not None:
        return instead
    if before is None:
        return found
    return Walls(before, {}, (NO_NETWORK, *(f"not isolated further{_why(fact)}" for fact in found.facts)))


def _without_network() -> tuple[str, ...] | None:
    try:
        program = process.find("unshare")
    except Refused:
        return None
    for way in _WAYS:
        before = (program, *way, "--", "/bin/sh", "-c", _WITH_LOOPBACK, "sh")
        try:
            if process.run([*before, "/bin/sh", "-c", ":"], check=False, timeout=PATIENCE).exit_code == 0:
                return before
        except TallyError:
            return None
    return None


def _why(fact: str) -> str:
    return fact.removeprefix("not isolated")
