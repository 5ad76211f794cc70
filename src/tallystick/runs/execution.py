"""Run a stage's command once: its environment, its output, how it ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from tallystick import process
from tallystick.digest import Digest
from tallystick.errors import DiskFull
from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.records.secrets import Redacting, Redactor
from tallystick.runs.recording import VARIABLE, Record, kept, passing
from tallystick.tracing.tracer import UNTRACED, Tracer

INTERRUPTED = 130
LARGEST_HASH_SEED = 2**32


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command ended; `log` is the digest of its output in the local store, `series` of its metrics.

    `log_cut` says why not all of the output could be kept.
    """

    exit_code: int
    started: str
    seconds: float
    log: Digest | None
    interrupted: bool
    series: Digest | None = None
    log_cut: str | None = None


def execute(
    project: Project,
    cmd: str | Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    record: Record | None = None,
    stop: Event | None = None,
    lock: int | None = None,
    tracer: Tracer = UNTRACED,
) -> Execution:
    """Run a command to its end, handing on its output and keeping it without secrets, in `record` meanwhile.

    Ctrl-C, or `stop` once it is set, ends the command and is told by the result, so that the caller can
    tidy up before passing it on. `lock`, an open descriptor, stays taken until the command has ended, even if
    this process is killed.
    """
    argv = ["/bin/sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
    with passing(project) if record is None else nullcontext(record) as own:
        log = _Log(own, Redactor.of(variables))

        def keep(data: bytes) -> None:
            log.write(data)
            output(data)

        env = {**variables, **tracer.variables, VARIABLE: str(own.folder)}
        started, clock, interrupted = now(), time.monotonic(), False
        try:
            exit_code = process.stream(
                tracer.argv(argv),
                cwd=cwd,
                env=env,
                output=keep,
                stop=stop,
                locks=() if lock is None else (lock,),
                farewell=tracer.farewell,
                mark=f"{VARIABLE}={own.folder}",
            )
        except KeyboardInterrupt:
            exit_code, interrupted = INTERRUPTED, True
        finally:
            log.close()
        seconds = round(time.monotonic() - clock, 3)
        digest, series = _kept(project, own, log)
    return Execution(exit_code, started, seconds, digest, interrupted, series, log.cut)


class _Log:
    """A command's output on its way to a file, each line as soon as it is whole.

    A disk that is full ends the file, not the command.
    """

    def __init__(self, record: Record, redactor: Redactor) -> None:
        self._file = record.log.open("wb", buffering=0)
        self._redacting = Redacting(redactor)
        self.cut: str | None = None

    def write(self, data: bytes) -> None:
        self._write(self._redacting.feed(data))

    def close(self) -> None:
        self._write(self._redacting.end())
        self._file.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view and self.cut is None:
                view = view[self._file.write(view) :]
        except OSError as error:
            self.cut = f"its output could not be kept whole: {error.strerror}"


def _kept(project: Project, record: Record, log: _Log) -> tuple[Digest | None, Digest | None]:
    """Store output and series; a store that is full is the caller's to tell of."""
    try:
        return kept(project, record.log), kept(project, record.series)
    except (DiskFull, OSError) as error:
        reason = error.message if isinstance(error, DiskFull) else str(error)
        log.cut = log.cut or f"its output could not be kept: {reason}"
        return None, None


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
