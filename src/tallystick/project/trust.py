"""Whether what would run is allowed to."""

from collections.abc import Iterable

from tallystick.errors import NotTrusted
from tallystick.project import Project


def require_grant(project: Project, commands: Iterable[str]) -> None:
    """Raise NotTrusted, naming what would run, unless the user allowed it here (rule X2)."""
    wanted = tuple(dict.fromkeys(commands))
    if wanted and not project.grants.granted(wanted):
        raise NotTrusted(
            "this repository's commands have not been allowed to run",
            wanted,
            hint="if they may, say so with `--trust`; it counts for just these commands, now and later",
        )
