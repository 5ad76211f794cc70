"""Say below which operating system a run stands, never on whose machine."""

import os
from functools import cache
from pathlib import Path

from tallystick.patterns import regex
from tallystick.records.fields import single_line
from tallystick.records.provenance import Host

_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_GROUPS = regex(r"docker|kubepods|containerd|libpod|lxc|garden")
_CGROUP = Path("/proc/1/cgroup")


@cache
def host() -> Host:
    """The kernel, its version, the C library, and whether all this is inside of a container."""
    system = os.uname()
    return Host(_plain(system.sysname), _plain(system.release), _libc(), in_container())


def in_container(marks: tuple[Path, ...] = _MARKS, groups: Path = _CGROUP) -> bool:
    """Whether this runs in a container, as far as one can tell from inside."""
    if any(mark.exists() for mark in marks):
        return True
    try:
        return _GROUPS.search(groups.read_text("utf-8", "replace")) is not None
    except OSError:
        return False


def _libc() -> str:
    try:
        return _plain(os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (AttributeError, ValueError, OSError):
        return ""


def _plain(text: str) -> str:
    return text if single_line(text) else ""
