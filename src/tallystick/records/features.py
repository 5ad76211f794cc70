"""Features: the views of `features.yaml`, their versions, and what each version was published as."""

import re

from tallystick.frozen import dataclass

_USE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,98})@v?(\d{1,6}(?:\.\d{1,6}){0,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Use:
    """A view that a stage reads, in one version: `user_stats@v3`."""

    view: str
    version: str

    def __str__(self) -> str:
        return f"{self.view}@{self.version}"


def parse_use(text: str) -> Use | None:
    """Read `user_stats@v3`; None for anything else."""
    match = _USE.fullmatch(text)
    return None if match is None else Use(match[1], f"v{match[2]}")
