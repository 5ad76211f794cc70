"""What one command has found out already, so that a thousand stages don't ask a thousand times."""

import os
import stat
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from time import monotonic, time_ns

from tallystick.data.singles import files_now
from tallystick.digest import Digest
from tallystick.envs.captured import Captured
from tallystick.envs.interpreter import decisive_words, interpreter_of, programs_in
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.project.grants import Allowed
from tallystick.records import environment as environments
from tallystick.records import params as params_record
from tallystick.records.receipt import Artifact
from tallystick.runs.edited import originals
from tallystick.runs.pipelines import Step, read_file
from tallystick.runs.receipts import Recorded, recorded_as
from tallystick.runs.seen import corrected, recalled
from tallystick.worktree import StatCache

SETTLED = 100_000_000
"""Nanoseconds after which a file can't change any more without other times: clocks of file systems tick."""

FRESH = 1.0
"""Seconds for which a look counts as one just before a stage begins."""

MANY = 500
"""So many files are looked at again in one go."""

Signature = tuple[int, ...]
"""What the system says of a file, the nanoseconds of its last change among it."""


@dataclass(frozen=True, slots=True)
class _Together:
    """Many files that were looked at in one go, in columns, and what they held."""

    cache: StatCache
    artifacts: Mapping[str, Artifact]

    def at(self, path: str) -> tuple[Signature, Artifact] | None:
        """One of them, unless it was as young as the look itself."""
        files, name = self.cache.files, os.fsencode(path)
        row = bisect_left(files.paths, name)
        if row == len(files) or files.paths[row] != name:
            return None
        signature = (files.modes[row], *(column[row] for column in files.numbers))
        young = max(signature[2], signature[3]) >= self.cache.stamp
        return None if young else (signature, self.artifacts[path])


class Noted:
    """Notes of one command; each is right however often it is asked for, whatever stages write meanwhile."""

    def __init__(self) -> None:
        self._allowed: Allowed | None = None
        self._identities: dict[int, tuple[Captured, Digest]] = {}
        self._params: dict[str, tuple[bytes, params_record.Values]] = {}
        self._texts: dict[str, tuple[Signature, bytes]] = {}
        self._files: dict[str, tuple[Signature, Artifact]] = {}
        self._together: _Together | None = None
        self._looked = -FRESH
        self._recorded: dict[str, tuple[Signature, Recorded]] = {}
        self._originals: dict[Digest, Digest | None] = {}
        self.seen: dict[str, str] | None = None
        self.interpreters: dict[tuple[str, ...], str | None] = {}
        self.untouched = False
        """Whether no stage was begun since all files were looked at: then that look is good enough."""

    def expire(self) -> None:
        """Forget that nothing was begun since the last look, unless that look is only just over."""
        self.untouched = self.untouched and monotonic() - self._looked < FRESH

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

    def interpreter(self, project: Project, step: Step, variables: Mapping[str, str]) -> str | None:
        """The Python that a stage's command uses, as its words tell or as it was seen to run."""
        if self.seen is None:
            self.seen = recalled(project)
        return corrected(self.seen, step, self.foreseen(project, step, variables))

    def foreseen(self, project: Project, step: Step, variables: Mapping[str, str]) -> str | None:
        """The Python that a command's words tell; commands that begin with the same programs use the same.

        A program that is named by its path may be somebody's own, and come or go with what stages write;
        when a stage has run, `interpreters` are forgotten.
        """
        programs = programs_in(step.stage.cmd)
        decisive = (step.cwd, *programs, *decisive_words(step.stage.cmd))
        if decisive in self.interpreters:
            return self.interpreters[decisive]
        found = interpreter_of(step.stage.cmd, variables, project.git.root / step.cwd)
        if not any("/" in program for program in programs):
            self.interpreters[decisive] = found
        return found

    def params(self, data: bytes, path: str) -> params_record.Values:
        """The values of a parameters file, read anew only where its bytes are others."""
        known = self._params.get(path)
        if known is None or known[0] != data:
            known = self._params[path] = data, params_record.read(data, path)
        return known[1]

    def text(self, project: Project, path: str) -> bytes | None:
        """A small file of the worktree, read anew only where it is another; None if there is none."""
        now, known = time_ns(), self._texts.get(path)
        if known is not None and self.untouched:
            return known[1]
        signature = _signature(f"{project.git.root}/{path}")
        if known is not None and known[0] == signature:
            return known[1]
        data = read_file(project, path)
        if data is not None and _is_settled(signature, now):
            self._texts[path] = signature, data
        return data

    def recorded(self, project: Project, step: Step) -> Recorded | None:
        """The receipt that the worktree holds for a stage, read anew only where its file is another."""
        path, now = step.receipt_path, time_ns()
        known = self._recorded.get(path)
        if known is not None and known[1].step is step and self.untouched:
            return known[1]
        signature = _signature(f"{project.git.root}/{path}")
        if known is not None and known[0] == signature and known[1].step is step:
            return known[1]
        data = read_file(project, path)
        if data is None:
            return None
        found = recorded_as(step, data, path)
        if _is_settled(signature, now):
            self._recorded[path] = signature, found
        return found

    def judge(self, project: Project, recorded: Sequence[Recorded]) -> None:
        """Find out which of some receipts were edited by hand, all at once."""
        new = [each for each in recorded if each.id not in self._originals]
        if not new:
            return
        self._originals.update({each.id: None for each in new})
        self._originals.update(originals(project, new))

    def original(self, project: Project, recorded: Recorded) -> Digest | None:
        """The run that a receipt was made from before somebody edited it; None for one that nobody did."""
        self.judge(project, [recorded])
        return self._originals[recorded.id]

    def artifacts(
        self, project: Project, paths: Iterable[str], other: Callable[[Project, str], Artifact | None]
    ) -> dict[str, Artifact | None]:
        """What stands at some paths; a file that many stages read is looked at in full only once.

        What is no regular file is looked at by `other`.
        """
        paths = list(paths)
        found: dict[str, Artifact | None] = dict(self._unchanged(project, paths))
        unknown: list[str] = []
        root = str(project.git.root)
        for path in paths:
            known = None if path in found else self._noted(path)
            if known is not None and (self.untouched or known[0] == _signature(f"{root}/{path}")):
                found[path] = known[1]
            elif path not in found:
                unknown.append(path)
        if unknown:
            found.update(self.look(project, unknown))
            found.update({path: other(project, path) for path in unknown if path not in found})
        return found

    def _noted(self, path: str) -> tuple[Signature, Artifact] | None:
        """What a file was when it was looked at."""
        known = self._files.get(path)
        return self._together.at(path) if known is None and self._together is not None else known

    def _unchanged(self, project: Project, paths: Sequence[str]) -> dict[str, Artifact]:
        """Those of many files that are as they were when they were looked at together."""
        together = self._together
        if together is None or len(paths) < MANY:
            return {}
        if self.untouched:
            return {path: together.artifacts[path] for path in paths if path in together.artifacts}
        scan = project.worktree.scan_files(paths)
        same = project.worktree.recalled_files(scan, together.cache).known
        names = map(os.fsdecode, compress(scan.files.paths, same))
        return {path: together.artifacts[path] for path in names}

    def look(self, project: Project, paths: Iterable[str]) -> dict[str, Artifact]:
        """The files among some paths, noted where they can't change any more without showing it."""
        if not self.untouched:
            self._looked = monotonic()
        files = files_now(project, paths)
        seen, artifacts = files.scan.files, files.artifacts()
        if len(seen) >= MANY:
            self._together = _Together(StatCache(files.scan.stamp, seen, files.identities), artifacts)
            self._files.clear()
            return artifacts
        for artifact, *told in zip(artifacts.values(), seen.modes, *seen.numbers, strict=True):
            _mode, _size, mtime, ctime, _inode = told
            if max(mtime, ctime) < files.scan.stamp:
                self._files[artifact.path] = tuple(told), artifact
        return artifacts


def _is_settled(signature: Signature, now: int) -> bool:
    """Whether a file shows each change from now on: one written just now may be written again unseen."""
    return bool(signature) and max(signature[2], signature[3]) < now - SETTLED


def _signature(place: str) -> Signature:
    """What differs once a file has changed; nothing for what is no file."""
    try:
        status = os.lstat(place)
    except OSError:
        return ()
    if not stat.S_ISREG(status.st_mode):
        return ()
    mode = ord("x" if status.st_mode & 0o100 else "f")
    return mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
