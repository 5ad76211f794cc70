"""Run a stage's command once: its environment, its output, how it ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Event

from tallystick import process
from tallystick.digest import Digest
from tallystick.frozen import dataclass
from tallystick.project import Project

INTERRUPTED = 130
LARGEST_HASH_SEED = 2**32


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command ended; `log` is the digest of its output in the local store."""

    exit_code: int
    started: str
    seconds: float
    log: Digest | None
    interrupted: bool


def execute(
    project: Project,
    cmd: str | Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    stop: Event | None = None,
) -> Execution:
    """Run a command to its end, handing on and keeping its output.

    Ctrl-C, or `stop` once it is set, ends the command and is told by the result, so that the caller can
    tidy up before passing it on.
    """
    argv = ["/bin/sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
    logs = project.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    started, clock, interrupted = now(), time.monotonic(), False
    with NamedTemporaryFile(dir=logs, prefix="running-", suffix=".log") as log:

        def keep(data: bytes) -> None:
            log.write(data)
            output(data)

        try:
            exit_code = process.stream(argv, cwd=cwd, env=variables, output=keep, stop=stop)
        except KeyboardInterrupt:
            exit_code, interrupted = INTERRUPTED, True
        log.flush()
        digest = _stored(project, Path(log.name))
    return Execution(exit_code, started, round(time.monotonic() - clock, 3), digest, interrupted)


def now() -> str:
    """The present moment as receipts write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stage_variables(
    base: Mapping[str, str], address: str, seed: int | None, recorded: Mapping[str, str | None]
) -> dict[str, str]:
    """The environment variables of a stage's command: `base`, with what is recorded taking its place."""
    variables = {name: value for name, value in base.items() if recorded.get(name, "") is not None}
    variables.update({name: value for name, value in recorded.items() if value is not None})
    variables["TALLY_STAGE"] = address
    # Live output, not in blocks of 8 KiB; it changes nothing that a program computes.
    variables.setdefault("PYTHONUNBUFFERED", "1")
    if seed is not None:
        variables["TALLY_SEED"] = str(seed)
        variables["PYTHONHASHSEED"] = str(seed % LARGEST_HASH_SEED)
    return variables


def _stored(project: Project, log: Path) -> Digest | None:
    """Keep a command's output in the local store; None when there was none."""
    if log.stat().st_size == 0:
        return None
    with project.store.writer() as writer:
        return writer.add_file(log).digest
