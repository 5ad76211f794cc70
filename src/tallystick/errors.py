"""Everything that can go wrong in a way we expect.

TallyError                 3   an expected failure
├── Refused                3   what was asked can't be done as asked
├── ProgramFailed          3   a program that we rely on ended badly
│   └── GitFailed          3   git said no
├── DiskFull               3   no room left for the bytes
├── WrongUsage             2   the command line makes no sense
├── NotAProject           10   no git repository, or `tally init` never ran
├── Locked                11   another tally works on the same thing
├── BadRecord             12   a pointer, tree, receipt, … is malformed
├── ObjectsError               something about objects that can be named
│   ├── ObjectMissing     13   an object is in none of the places
│   └── ObjectCorrupt     14   bytes do not hash to their name
├── RemoteUnreachable     15   the remote does not answer
│   ├── AccessDenied      15   the remote answers no
│   └── RemoteBusy        15   the remote asks to be asked less often
├── WouldLoseChanges      16   unsaved work would be overwritten
├── EnvironmentNotRebuilt 17   the recorded environment can't be had
├── CommandFailed         18   a stage's command failed
└── NotTrusted            19   something would run that nobody has allowed

The number is the exit code; codes are append-only (docs/exit-codes.md).
"""

from collections.abc import Iterable


class TallyError(Exception):
    """What happened, as a sentence; `hint` says what to do next."""

    exit_code = 3

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(TallyError):
    """What was asked can't be done as asked."""


class ProgramFailed(TallyError):
    """A program that we rely on ended badly; `complaint` is what it wrote to stderr."""

    def __init__(self, message: str, complaint: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.complaint = complaint


class GitFailed(ProgramFailed):
    """A git command failed in a way that has no class of its own."""


class DiskFull(TallyError):
    """There is no room left; nothing half-written was kept."""


class WrongUsage(TallyError):
    """The command line makes no sense."""

    exit_code = 2


class NotAProject(TallyError):
    """The folder is in no git repository, or the repository has no Tallystick project."""

    exit_code = 10


class Locked(TallyError):
    """Another process works on the same thing."""

    exit_code = 11


class BadRecord(TallyError):
    """A record is malformed; names the file and, where known, the line (counted from 1)."""

    exit_code = 12

    def __init__(
        self, reason: str, source: str = "", line: int | None = None, hint: str | None = None
    ) -> None:
        place = f"{source}:{line}" if source and line is not None else source
        super().__init__(f"{place}: {reason}" if place else reason, hint)
        self.reason = reason
        self.source = source
        self.line = line


class ObjectsError(TallyError):
    """Something about objects; `digests` names them as text, `places` where they were looked for."""

    def __init__(
        self,
        message: str,
        digests: Iterable[bytes] = (),
        places: Iterable[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.digests = tuple(digests)
        self.places = tuple(places)


class ObjectMissing(ObjectsError):
    """Objects are in none of the places where they were looked for."""

    exit_code = 13


class ObjectCorrupt(ObjectsError):
    """Bytes were found that do not hash to the name they were found under."""

    exit_code = 14


class RemoteUnreachable(TallyError):
    """The remote does not answer, or answers with a fault of its own."""

    exit_code = 15


class AccessDenied(RemoteUnreachable):
    """The remote answers, and says no."""


class RemoteBusy(RemoteUnreachable):
    """The remote answers, and asks to be asked less often."""


class WouldLoseChanges(TallyError):
    """Going on would overwrite or delete bytes that are stored nowhere; `paths` names the files."""

    exit_code = 16

    def __init__(self, message: str, paths: Iterable[str] = (), hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.paths = tuple(paths)


class EnvironmentNotRebuilt(TallyError):
    """The recorded environment can't be built here."""

    exit_code = 17


class CommandFailed(TallyError):
    """A stage's command ended with an exit code other than 0; `run` is the id of its receipt."""

    exit_code = 18

    def __init__(self, message: str, hint: str | None = None, run: str = "") -> None:
        super().__init__(message, hint)
        self.run = run


class NotTrusted(TallyError):
    """Something would be executed that nobody has allowed; `commands` lists it."""

    exit_code = 19

    def __init__(self, message: str, commands: Iterable[str] = (), hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.commands = tuple(commands)
