"""In what this machine and a receipt's differ, known before anything runs."""

from collections.abc import Iterator, Mapping, Sequence

from tallystick.envs.hardware import hardware
from tallystick.envs.host import host
from tallystick.envs.settings import VARIABLES
from tallystick.records.provenance import Hardware, Host
from tallystick.records.receipt import Receipt
from tallystick.reproduction.isolation import Surrounding
from tallystick.runs.execution import stage_variables
from tallystick.runs.receipts import NO_PYTHON


def unlike_here(receipt: Receipt) -> tuple[str, ...]:
    """What of this machine is not as it was: what results can depend on, not what only takes time."""
    return tuple(machines_apart((receipt.hardware, receipt.host), (hardware(), host())))


def machines_apart(then: tuple[Hardware, Host | None], now: tuple[Hardware, Host | None]) -> Iterator[str]:
    """In what two machines differ, as sentences."""
    (old, below), (new, beneath) = then, now
    yield from _apart("processor", old.cpu, new.cpu)
    yield from _lists_apart("processor features", old.flags, new.flags)
    yield from _apart("cores", str(old.cores), str(new.cores))
    yield from _lists_apart("graphics cards", old.gpus, new.gpus)
    yield from _lists_apart("drivers", old.drivers, new.drivers)
    if below is not None and beneath is not None:
        yield from _apart("system", below.system, beneath.system)
        yield from _apart("C library", below.libc, beneath.libc)


def unlike_around(receipt: Receipt, around: Surrounding) -> tuple[str, ...]:
    """What is not as it was around the command: Python, platform, libraries and switches."""
    recorded = receipt.environment
    return (
        *_python_apart(recorded.python, around.python),
        *_apart("platform", recorded.platform, around.platform),
        *_settings_apart(receipt, around),
    )


def _python_apart(then: str, now: str) -> Iterator[str]:
    if NO_PYTHON not in (then, now):
        yield from _apart("Python", then, now)


def _settings_apart(receipt: Receipt, around: Surrounding) -> Iterator[str]:
    """What is known beforehand; what libraries say of themselves is only known once they have run."""
    old = receipt.environment.settings
    variables = stage_variables(around.variables, receipt.stage, receipt.seed, receipt.variables)
    new: Mapping[str, str] = {
        **around.settings,
        **{name: variables[name] for name in VARIABLES & variables.keys()},
    }
    for name in sorted(new.keys() | (old.keys() & VARIABLES)):
        yield from _apart(name, old.get(name, "not set"), new.get(name, "not set"))


def _apart(name: str, then: str, now: str) -> Iterator[str]:
    if then != now and then and now:
        yield f"{name}: {then} then, {now} now"


def _lists_apart(name: str, then: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    gone = [each for each in then if each not in now]
    new = [each for each in now if each not in then]
    if gone or new:
        words = [f"{', '.join(each)} only {when}" for each, when in ((gone, "then"), (new, "now")) if each]
        yield f"{name}: {'; '.join(words)}"
