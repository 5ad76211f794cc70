"""Ask a Python interpreter what it is and where its packages lie."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallystick.errors import Refused, TallyError
from tallystick.process import run

# The first line keeps the current folder from being imported from: it holds files that anyone may have
# written. What is written here runs on every Python from 3.6 on.
SCRIPT = """
import sys
sys.path[:] = [path for path in sys.path if path]
import json, os
system = os.uname()
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    libc = ""
print(json.dumps({
    "implementation": sys.implementation.name,
    "python": sys.version.split()[0].rstrip("+") + ("t" if "t" in getattr(sys, "abiflags", "") else ""),
    "system": system.sysname.lower(),
    "machine": system.machine,
    "release": system.release,
    "libc": libc,
    "executable": sys.executable,
    "prefix": sys.prefix,
    "base": getattr(sys, "_base_executable", "") or sys.executable,
    "paths": sys.path,
}))
"""

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Probed:
    """What an interpreter said about itself; `paths` is where it imports from, in order."""

    implementation: str
    python: str
    platform: str
    executable: str
    prefix: str
    base: str
    paths: tuple[str, ...]


def probe(interpreter: str, env: Mapping[str, str], cwd: Path) -> Probed:
    """Start an interpreter once, in the environment and folder that the stage gets."""
    argv = [interpreter, "-c", SCRIPT]
    try:
        done = run(argv, cwd=cwd, env=_without_relative_paths(env), check=False, timeout=PATIENCE)
    except TallyError as error:
        raise Refused(f"the Python `{interpreter}` can't be started: {error}") from error
    try:
        facts = json.loads(done.stdout.splitlines()[-1])
        return _read(facts)
    except (IndexError, ValueError, KeyError, TypeError) as error:
        said = done.complaint or "nothing"
        raise Refused(
            f"`{interpreter}` is not a working Python: it said {said}",
            hint="activate the environment that the stage needs, or name its python in `cmd`",
        ) from error


def _read(facts: dict[str, Any]) -> Probed:
    return Probed(
        implementation=facts["implementation"],
        python=facts["python"],
        platform=_platform(facts),
        executable=facts["executable"],
        prefix=facts["prefix"],
        base=facts["base"],
        paths=tuple(path for path in facts["paths"] if os.path.isabs(path)),
    )


def _platform(facts: dict[str, Any]) -> str:
    """For example `linux-x86_64-glibc2.36` or `darwin-arm64-23.1.0`: what wheels and numbers depend on."""
    libc = facts["libc"].replace(" ", "")
    detail = libc or facts["release"]
    return "-".join((facts["system"], facts["machine"], detail))


def _without_relative_paths(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would make Python import from the current folder at its start."""
    kept = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(path)]
    cleaned = {name: value for name, value in env.items() if name not in {"PYTHONPATH", "PYTHONINSPECT"}}
    return cleaned | ({"PYTHONPATH": os.pathsep.join(kept)} if kept else {})
