"""Repeat a command in the very image that it ran in, and say what that keeps it apart from."""

from collections.abc import Mapping
from pathlib import Path

from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.reproduction.confinement import Limits
from tallystick.reproduction.isolation import Surrounding
from tallystick.runs.contained import boxed, tracer_of
from tallystick.runs.execution import stage_variables
from tallystick.runs.receipts import Recorded
from tallystick.sandbox.room import NO_NETWORK, OUT_OF_SIGHT, READ_ONLY
from tallystick.tracing.tracer import Tracer


@dataclass(frozen=True, slots=True)
class Contained:
    """What is put around a command, the variables to start it with, and what that enforces."""

    tracer: Tracer
    variables: Mapping[str, str]
    facts: tuple[str, ...]


def contained(
    inner: Project, recorded: Recorded, around: Surrounding, record: Path, limits: Limits
) -> Contained:
    """The container around a repeated command; the engine that runs it finds the user's variables."""
    assert around.container is not None
    receipt = recorded.receipt
    network = recorded.step.stage.network or not limits.isolate
    cwd = "" if receipt.wdir == "." else receipt.wdir
    # Nothing of the user's own: what is recorded, in an otherwise empty environment.
    variables = stage_variables({}, receipt.stage, receipt.seed, receipt.variables)
    box = boxed(inner.git, around.container, cwd, variables, record, network=network)
    walls = (READ_ONLY, OUT_OF_SIGHT) if network else (NO_NETWORK, READ_ONLY, OUT_OF_SIGHT)
    opened = () if limits.isolate else ("not isolated from the network: `--no-isolation`",)
    return Contained(tracer_of(box), around.container.engine.variables, (*opened, *walls))
