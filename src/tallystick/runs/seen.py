"""Remember in which Python commands were seen to run, where their words tell another one, or none."""

import json
import os
from contextlib import suppress
from pathlib import Path

from tallystick.digest import Digest
from tallystick.files import write_atomic
from tallystick.project import Project
from tallystick.runs.pipelines import Step

MOST = 1000
"""Commands whose Pythons are remembered, the latest."""


def remember(project: Project, step: Step, foreseen: str | None, ran: str) -> None:
    """Keep for the next time in which Python a command ran; deleting it costs a run, never a result."""
    known = recalled(project)
    known.pop(key := _key(step, foreseen), None)
    kept = {**dict(list(known.items())[-MOST + 1 :]), key: ran}
    write_atomic(_place(project), json.dumps(kept).encode())


def recalled(project: Project) -> dict[str, str]:
    """In which Python commands ran when that was not the one that their words tell."""
    with suppress(OSError, ValueError):
        kept = json.loads(_place(project).read_bytes())
        if isinstance(kept, dict) and all(isinstance(each, str) for each in kept.values()):
            return kept
    return {}


def corrected(known: dict[str, str], step: Step, foreseen: str | None) -> str | None:
    """The Python that a command will use: the foreseen one, or what was seen the last time instead."""
    ran = known.get(_key(step, foreseen)) if known else None
    return ran if ran is not None and os.access(ran, os.X_OK) else foreseen


def _key(step: Step, foreseen: str | None) -> str:
    """A command and what its words tell: once they tell another Python, what was seen counts no more."""
    return Digest.of("\0".join((step.cwd, step.command, foreseen or "")).encode()).hex()[:32]


def _place(project: Project) -> Path:
    return project.home / "captured" / "pythons.json"
