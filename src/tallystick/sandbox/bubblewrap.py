"""Build walls with bubblewrap: namespaces in which only what a command needs is there."""

import glob
import os

from tallystick import process
from tallystick.errors import Refused, TallyError
from tallystick.sandbox.room import (
    NO_NETWORK,
    OUT_OF_SIGHT,
    READ_ONLY,
    Mount,
    Room,
    Walls,
    mounts,
    open_room,
)

PATIENCE = 20.0

_DEVICES = ("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/dxg")
"""Devices that compute; of all others a command only finds those that every program counts on."""

_OF_RUN = ("/run/current-system", "/run/opengl-driver", "/run/wrappers")
"""What of `/run` some systems keep their programs in; the rest are doors to services."""

_OF_RESOLVER = ("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf")

_ROOTS_RIGHTS = ("CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN")
"""What root keeps: files of a container often belong to somebody else. Nothing of it opens a wall."""

_OPTION = {"read-only": "--ro-bind", "writable": "--bind", "link": "--symlink"}


def walls(room: Room) -> Walls:
    """Walls that were tried here just now; none, and why, where the system doesn't let them be built."""
    try:
        program = process.find("bwrap")
    except Refused:
        return open_room("bubblewrap (`bwrap`) is not installed here")
    complaint = ""
    for own_processes in (True, False):
        before = (*_words(program, room, own_processes), "--")
        try:
            tried = process.run([*before, "/bin/sh", "-c", ":"], check=False, timeout=PATIENCE)
        except TallyError as error:
            return open_room(error.message)
        if tried.exit_code == 0:
            facts = (*_network_facts(room), READ_ONLY, OUT_OF_SIGHT)
            return Walls(before, _variables(), facts)
        complaint = complaint or tried.complaint.partition("\n")[0]
    return open_room(f"bubblewrap doesn't work here: {complaint or 'it failed'}")


def _network_facts(room: Room) -> tuple[str, ...]:
    return () if room.network else (NO_NETWORK,)


def _variables() -> dict[str, str]:
    """The usual folder for temporary files is the one that is the command's own."""
    return {"TMPDIR": "/tmp"}  # noqa: S108 - inside of the walls nobody else is there


def _words(program: str, room: Room, own_processes: bool) -> list[str]:
    """The whole system to be read, then what is otherwise, outer folders first."""
    words = [program, "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev"]
    for device in sorted(path for pattern in _DEVICES for path in glob.glob(pattern)):
        words += ["--dev-bind", device, device]
    if own_processes:
        words += ["--unshare-pid", "--unshare-ipc", "--proc", "/proc"]
    words += [] if room.network else ["--unshare-net"]
    if os.geteuid() == 0:
        words += ["--cap-drop", "ALL", *(word for right in _ROOTS_RIGHTS for word in ("--cap-add", right))]
    words += ["--tmpfs", "/run"]
    for path in (*_OF_RUN, *(_OF_RESOLVER if room.network else ())):
        words += ["--ro-bind-try", path, path]
    return words + [word for mount in mounts(room) for word in _mounted(mount)]


def _mounted(mount: Mount) -> list[str]:
    if mount.how == "empty":
        return ["--tmpfs", mount.place]
    return [_OPTION[mount.how], mount.source, mount.place]
