"""Wheels that a rebuild need not ask an index for, and whether they are for this machine."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tallystick.digest import Digest
from tallystick.errors import EnvironmentNotRebuilt
from tallystick.frozen import dataclass
from tallystick.patterns import regex
from tallystick.records.environment import Lock, Package

_SYSTEMS = {"linux": ("linux_", "manylinux", "musllinux"), "darwin": ("macosx_",)}
_PLAIN = regex(r"[a-z0-9_.]+")


@dataclass(frozen=True, slots=True)
class Stocked:
    """A verified wheel, under the name that an installer wants; or a file of conda's, without `sha256`."""

    path: Path
    sha256: str = ""


Read = Callable[[Digest], bytes]
"""Brings the wheel of a package that no index has, by its digest."""

Stock = Callable[[Lock], Mapping[str, Stocked]]
"""Says of a lock for which of its packages there are files: wheels by normalised name, conda's by hash.

It is asked when an environment is built.
"""


def empty(_lock: Lock) -> Mapping[str, Stocked]:
    """Have no wheel at all."""
    return {}


def check_platform(package: Package, stocked: Stocked) -> None:
    """Raise EnvironmentNotRebuilt for a wheel that was made for another kind of machine."""
    system = os.uname()
    here = (system.sysname.lower(), system.machine)
    tag = stocked.path.name.removesuffix(".whl").rpartition("-")[2]
    if not any(_fits(platform, *here) for platform in tag.split(".")):
        shown = tag if _PLAIN.fullmatch(tag.lower()) else "another platform"
        raise EnvironmentNotRebuilt(
            f"the kept wheel of `{package.name}` {package.version} is for {shown}; "
            f"this machine is {'-'.join(here)}",
            hint="rebuild it on such a machine",
        )


def _fits(platform: str, system: str, machine: str) -> bool:
    """Whether a platform tag is one of this system and processor; versions are the installer's to judge."""
    if platform == "any":
        return True
    known = platform.startswith(_SYSTEMS.get(system, ()))
    # A Mac's wheel may be for two kinds of processor.
    return known and platform.endswith((f"_{machine}", "_universal2", "_fat64", "_intel"))
