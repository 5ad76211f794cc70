"""What is said of a stage that is out of date; to say it needs nothing that finds it out."""

from tallystick.frozen import dataclass

LOCAL_REASONS = ("always", "variable", "environment", "package")
"""Reasons to run a stage again that lie in this machine, not in what is committed."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One way in which a stage's receipt no longer fits; `name` is the dep, parameter, package, … meant.

    `hint` says what to do first, where to run the stage is not enough.
    """

    kind: str
    name: str
    detail: str
    hint: str | None = None

    @property
    def what(self) -> str:
        """The reason without its hint."""
        return f"{self.kind} {f'`{self.name}` ' if self.name else ''}{self.detail}"

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage, and why it is out of date; nothing when it isn't."""

    stage: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What there is to say of stages; `drift` is where lock files say otherwise than what is installed."""

    stages: tuple[StageStatus, ...] = ()
    drift: tuple[str, ...] = ()
