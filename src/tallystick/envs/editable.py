"""Find the code that an editable install points to."""

import ast
import os
import re
from pathlib import Path

from tallystick.envs.installed import Distribution, recorded
from tallystick.frozen import dataclass
from tallystick.patterns import regex

_MAPPING = regex(r"^MAPPING\s*(?::[^=]*)?=\s*(\{.*?\})\s*$", re.MULTILINE | re.DOTALL)
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that imports come from, and the top-level names that are the package's own."""

    folder: Path
    names: tuple[str, ...]


def roots(distribution: Distribution) -> tuple[Root, ...]:
    """Where an editable install's code lies, from the links that the installer wrote; empty if unknown."""
    found: dict[Path, list[str]] = {}
    for file in recorded(distribution) or ():
        if "/" in file.path:
            continue
        path = distribution.folder / file.path
        if file.path.endswith(".pth"):
            for folder in _folders_in(path):
                found.setdefault(folder, []).extend(_own_names(distribution, folder))
        elif file.path.startswith("__editable__") and file.path.endswith(".py"):
            for name, target in _mapped_in(path).items():
                found.setdefault(target.parent, []).append(name)
    return tuple(Root(folder, tuple(sorted(set(names)))) for folder, names in sorted(found.items()))


def is_link(name: str) -> bool:
    """Whether a file at the top of site-packages is a link of an editable install, not code."""
    return name.endswith(".pth") or (name.startswith("__editable__") and name.endswith(".py"))


def _folders_in(pth: Path) -> list[Path]:
    """The folders that a `.pth` file adds to sys.path."""
    lines = _text(pth).splitlines()
    return [
        Path(line.strip()) for line in lines if os.path.isabs(line.strip()) and os.path.isdir(line.strip())
    ]


def _mapped_in(finder: Path) -> dict[str, Path]:
    """What setuptools' finder module maps: top-level name -> package folder or module file."""
    written = _MAPPING.search(_text(finder))
    try:
        mapping = ast.literal_eval(written[1]) if written else {}
    except (ValueError, SyntaxError):
        return {}
    # A package whose folder has another name than itself can be linked, but not copied under its name.
    pairs = ((str(name), Path(str(target))) for name, target in mapping.items())
    return {name: target for name, target in pairs if target.name.removesuffix(".py") == name}


def _own_names(distribution: Distribution, folder: Path) -> list[str]:
    """Which of a folder's modules belong to the package."""
    declared = _text(distribution.metadata / "top_level.txt").split()
    names = declared or [distribution.name.replace("-", "_"), distribution.name.replace("-", "")]
    present = {name.removesuffix(".py").lower(): name.removesuffix(".py") for name in os.listdir(folder)}
    return [present[name.lower()] for name in dict.fromkeys(names) if name.lower() in present]


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
