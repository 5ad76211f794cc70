"""Have a recorded environment: the one that stands, if it still is the recorded one, else one built anew."""

import os
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from tallystick.envs.standing import Standing, standing
from tallystick.envs.stock import Read, Stock, empty
from tallystick.files import lock as locked
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.records import environment as record
from tallystick.records.environment import Lock, Package

BUILDING = "tallystick.envs.building"
"""What looks into an environment and builds one: loaded where none is known to stand."""

MARKER = "tally-environment.json"
"""The lock that an environment was built from; written last, so that a half-built one is never used."""

VAULTED = "tally-vaulted"
"""How many of its packages came from the vault."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An environment that is equal to the recorded one; `reused` if it stood there already.

    `vaulted` is how many of its packages came from the vault. `stand_in` is the recorded Python, where
    another one took its place.
    """

    python: Path
    bin: Path
    reused: bool
    seconds: float
    version: str
    platform: str
    vaulted: int = 0
    stand_in: str | None = None

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return self.bin.parent


def folder_of(environments: Path, lock: Lock) -> Path:
    """Where an environment is built: equal locks share one."""
    return environments / record.identity(lock).hex()[:32]


def rebuild(
    lock: Lock,
    folder: Path,
    *,
    read: Read,
    stock: Stock = empty,
    env: Mapping[str, str] | None = None,
    python: str | None = None,
    offline: bool = False,
    any_python: bool = False,
    progress: Progress = silent,
) -> Rebuilt:
    """Make `folder` the locked environment; `read` brings wheels from the store by their digest.

    What is in `stock` is not asked of an index; with all in it, nothing goes over a network. `python` is
    tried first, then the one on the PATH of `env` (this process's by default), where the user's own settings
    for indexes are read from, too; with `any_python` another patch version will do where the recorded one is
    not here. Installs wheels only, so nothing is executed before the result has been compared with the
    lock. A conda environment is made of the recorded files, and what pip added to it is installed into it.
    Raises EnvironmentNotRebuilt, or what `read` and `stock` raise.
    """
    started = time.monotonic()
    order = Order(lock, folder, os.environ if env is None else env, python, any_python, offline)
    with locked(folder.with_name(f"{folder.name}.lock"), what="the environment", wait=600.0):
        known = _known(order)
        reused, found = (True, known) if known is not None else _brought_about(order, read, stock, progress)
    return _rebuilt(order, found, reused, time.monotonic() - started)


def _brought_about(order: "Order", read: Read, stock: Stock, progress: Progress) -> tuple[bool, Standing]:
    """Look into what stands there, and build it unless it is whole; say whether it was, and what it is."""
    building = import_module(BUILDING)
    reused: bool = building.is_complete(order)
    if not reused:
        number = len(installed_apart(order.lock)) + len(order.lock.conda)
        packages = "1 package" if number == 1 else f"{number} packages"
        progress.say(f"rebuilding the environment: Python {order.lock.python}, {packages}")
        building.build(order, read, stock, progress)
    found: Standing = building.asked(order.folder)
    return reused, found


def installed_apart(lock: Lock) -> tuple[Package, ...]:
    """The packages of a lock that an installer brings: all but those that are conda's."""
    return tuple(package for package in lock.packages if package.source != "conda")


def is_vaulted(rebuilt: Rebuilt, lock: Lock) -> bool:
    """Whether all of an environment came from a vault or the store, none of it from an index or channel."""
    needed = [package for package in installed_apart(lock) if package.wheel is None]
    return 0 < rebuilt.vaulted == len(needed) + len(lock.conda)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built, where, with the user's variables and which Python."""

    lock: Lock
    folder: Path
    env: Mapping[str, str]
    python: str | None
    any_python: bool = False
    offline: bool = False


def _rebuilt(order: Order, found: Standing, reused: bool, seconds: float) -> Rebuilt:
    programs = order.folder / "bin"
    return Rebuilt(
        python=programs / "python",
        bin=programs,
        reused=reused,
        seconds=seconds,
        version=found.python,
        platform=found.platform,
        vaulted=_vaulted(order.folder),
        stand_in=None if found.python == order.lock.python else order.lock.python,
    )


def _known(order: Order) -> Standing | None:
    """What is remembered of the environment that stands there, if it is the wanted one."""
    known = standing(order.folder) if is_marked(order) else None
    fits = known is not None and (order.any_python or known.python == order.lock.python)
    return known if fits else None


def _vaulted(folder: Path) -> int:
    try:
        return int((folder / VAULTED).read_text())
    except (OSError, ValueError):
        return 0


def is_marked(order: Order) -> bool:
    """Whether what stands there was built from this lock, to its end."""
    try:
        return (order.folder / MARKER).read_bytes() == record.render(order.lock)
    except OSError:
        return False
