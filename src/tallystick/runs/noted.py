"""What one command has found out already, so that a thousand stages don't ask a thousand times."""

import os
import stat
import time
from collections.abc import Callable

from tallystick.digest import Digest
from tallystick.envs.captured import Captured
from tallystick.project import Project
from tallystick.project.grants import Allowed
from tallystick.records import environment as environments
from tallystick.records import params as params_record
from tallystick.records.receipt import Artifact

SETTLED = 10_000_000_000
"""Nanoseconds since a file's last change after which its stat tells whether it changes again."""

Signature = tuple[int, int, int, int, int]


class Noted:
    """Notes of one command; each is right however often it is asked for, whatever stages write meanwhile."""

    def __init__(self) -> None:
        self._allowed: Allowed | None = None
        self._identities: dict[int, tuple[Captured, Digest]] = {}
        self._params: dict[str, tuple[bytes, params_record.Values]] = {}
        self._files: dict[str, tuple[Signature, Artifact]] = {}

    def granted(self, project: Project, command: str) -> bool:
        """Whether a command may run; what was allowed when the first was asked for counts."""
        if self._allowed is None:
            self._allowed = project.grants.allowed()
        return self._allowed.covers([command])

    def identity(self, captured: Captured) -> Digest:
        """The id of an environment."""
        known = self._identities.get(id(captured))
        if known is None:
            # The capture is kept beside: as long as it lives, no other has its `id`.
            known = self._identities[id(captured)] = captured, environments.identity(captured.lock)
        return known[1]

    def params(self, data: bytes, path: str) -> params_record.Values:
        """The values of a parameters file, read anew only where its bytes are others."""
        known = self._params.get(path)
        if known is None or known[0] != data:
            known = self._params[path] = data, params_record.read(data, path)
        return known[1]

    def artifact(
        self, project: Project, path: str, look: Callable[[Project, str], Artifact | None]
    ) -> Artifact | None:
        """What stands at a path; a file that many stages read is looked at in full only once."""
        signature = _signature(os.path.join(project.git.root, path))
        known = self._files.get(path)
        if signature is not None and known is not None and known[0] == signature:
            return known[1]
        found = look(project, path)
        if signature is not None and found is not None:
            self._files[path] = signature, found
        return found


def _signature(place: str) -> Signature | None:
    """What differs once a file has changed; None for what is no file, or may change again unseen."""
    try:
        status = os.lstat(place)
    except OSError:
        return None
    settled = max(status.st_mtime_ns, status.st_ctime_ns) < time.time_ns() - SETTLED
    if not stat.S_ISREG(status.st_mode) or not settled:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode
