"""What a capture of an environment says; to have one that is remembered needs nothing that makes one."""

from tallystick.digest import Digest
from tallystick.envs.editable import Root
from tallystick.envs.installed import Distribution
from tallystick.frozen import dataclass
from tallystick.records.environment import Lock


@dataclass(frozen=True, slots=True)
class KeptWheel:
    """A package that no index has: its wheel belongs into the store, under `digest`."""

    name: str
    digest: Digest
    distribution: Distribution
    roots: tuple[Root, ...] = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """An environment: what pins it, what the store must hold for a rebuild, and what can't be rebuilt.

    `paths` is where its interpreter imports from, in order.
    """

    lock: Lock
    python: str
    platform: str
    interpreter: str
    paths: tuple[str, ...]
    wheels: tuple[KeptWheel, ...]
    problems: tuple[str, ...]
