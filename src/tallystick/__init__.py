"""Git for everything git can't hold: data, models, environments, and a receipt for every run.

For programs: `open`, `read_text` and `read_bytes` read tracked files as any commit has them; `params`,
`seed_everything` and `log` are for training code.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = ["__version__", "log", "open", "params", "read_bytes", "read_text", "seed_everything"]

_HOMES = {
    "open": "tallystick.library.reading",
    "read_bytes": "tallystick.library.reading",
    "read_text": "tallystick.library.reading",
    "log": "tallystick.library.training",
    "params": "tallystick.library.training",
    "seed_everything": "tallystick.library.training",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the command line needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module `tallystick` has no attribute `{name}`")
    return getattr(import_module(_HOMES[name]), name)
