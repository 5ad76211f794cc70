"""Observe one command: what is put around it, and what it was seen to touch."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Literal

from tallystick import process
from tallystick.errors import Refused
from tallystick.frozen import dataclass
from tallystick.landlock import LAUNCHER, handled, version
from tallystick.tracing import accesses, bubblewrapped, landlock, strace
from tallystick.tracing.accesses import Access, Scope

Trace = Literal["none", "python", "strace", "enforce"]

HOOK = Path(__file__).parent / "hook"
VARIABLE = "TALLY_TRACE"
RECORD = "TALLY_RECORD"
"""Names the folder in which a run keeps what it logs while it goes on."""
SEPARATOR = "\0\0"


def _nothing() -> tuple[Access, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Tracer:
    """What goes before a command's words, into its environment, and who knows what it did.

    `farewell` ends what goes on elsewhere when the command's own process is ended, `scope` is what it may
    touch. `since` is a moment before it began, in the nanoseconds of its file system's clock.
    """

    trace: Trace = "none"
    before: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    account: Callable[[], tuple[Access, ...]] = _nothing
    farewell: tuple[str, ...] = ()
    scope: Scope | None = None
    since: int = 0

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The words to start instead of a command's own."""
        return [*self.before, *argv]

    def findings(self) -> tuple[Access, ...]:
        """What the command touched, in order; asked once it has ended."""
        return self.account()


UNTRACED = Tracer()


@contextmanager
def observing(trace: Trace, scope: Scope, variables: Mapping[str, str], home: Path) -> Iterator[Tracer]:
    """A tracer for one command; its notes lie in a folder below `home` as long as this lasts.

    `variables` are those that the command gets. Raises Refused where this machine can't trace so.
    """
    if trace == "none":
        yield UNTRACED
        return
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, ignore_cleanup_errors=True) as name:
        folder = Path(os.path.realpath(name))
        if trace == "strace":
            yield _by_strace(scope, variables, folder)
        elif trace == "enforce":
            yield _by_walls(scope, variables, folder)
        else:
            yield _by_hook("python", scope, variables, folder)


def _by_hook(trace: Trace, scope: Scope, variables: Mapping[str, str], folder: Path) -> Tracer:
    """Have every Python of the command import our `sitecustomize` first."""
    makes = (*scope.apart, ".git", *scope.makes)
    parts = ([scope.root], _folders(scope.root, (*makes, *scope.reads)), _folders(scope.root, makes))
    text = SEPARATOR.join("\0".join(part) for part in parts)
    (folder / "scope").write_bytes(os.fsencode(text))
    ours = {VARIABLE: str(folder), **_introduced(variables)}

    def account() -> tuple[Access, ...]:
        notes = [path.read_bytes() for path in folder.iterdir() if path.name.isdigit()]
        return tuple(accesses.noted(notes))

    return Tracer(trace, (), ours, account)


def _folders(root: str, paths: Iterable[str]) -> Iterator[str]:
    """Each folder that some paths lie in, and the names in it behind one another: none holds a slash."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = f"{root}/{path}".rstrip("/").rpartition("/")
        folders.setdefault(f"{folder}/", []).append(name)
    for folder, names in folders.items():
        yield from (folder, "/".join(names))


def _introduced(variables: Mapping[str, str]) -> dict[str, str]:
    """What makes each Python say which it is, and at its end what its libraries are set to."""
    paths = [str(HOOK), *filter(None, [variables.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def _by_strace(scope: Scope, variables: Mapping[str, str], folder: Path) -> Tracer:
    """Let the system's own tracer start the command, where it may."""
    try:
        program = process.find("strace")
    except Refused as error:
        raise _cannot("strace", error.message, "install strace") from error
    log = folder / "strace"
    for filtered in (("--seccomp-bpf",), ()):
        before = (program, *filtered, *strace.OPTIONS, "-o", str(log), "--")
        tried = process.run([*before, "/bin/true"], check=False)
        if tried.exit_code == 0:
            break
    else:
        raise _cannot("strace", f"strace can't trace here: {tried.complaint}", "allow tracing")
    start = os.path.join(scope.root, scope.cwd)

    def account() -> tuple[Access, ...]:
        with log.open(encoding="ascii", errors="replace") as lines:
            return tuple(dict.fromkeys(strace.accesses(lines, start)))

    return Tracer("strace", before, _introduced(variables), account)


def _by_walls(scope: Scope, variables: Mapping[str, str], folder: Path) -> Tracer:
    """Have what isn't declared denied, and the audit hook tell what it was."""
    for name in ("temporary", "compiled"):
        (folder / name).mkdir()
    hook = _by_hook("enforce", scope, variables, folder)
    since = (folder / "scope").stat().st_ctime_ns
    before = _landlocked(scope, variables, folder) if version() else _bubblewrapped(scope, folder)
    # Modules that were compiled to a place outside of the project would give away sources that may not be
    # read; and where the project lies in the folder for temporary files, new ones can't be made there.
    ours = {}
    if variables.get("PYTHONPYCACHEPREFIX"):
        ours["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    usual = os.path.realpath(variables.get("TMPDIR") or "/tmp")  # noqa: S108 - where programs put theirs
    if f"{scope.root}/".startswith(f"{usual}/"):
        ours["TMPDIR"] = str(folder / "temporary")
    return Tracer("enforce", before, {**hook.variables, **ours}, hook.account, since=since)


def _landlocked(scope: Scope, variables: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """Let the kernel deny it."""
    allowed = [str(folder), str(HOOK), *filter(None, [variables.get(RECORD)])]
    orders = {
        "handled": handled(version()),
        "rules": [(rule.path, rule.rights) for rule in landlock.rules(scope, allowed)],
        "unset": [name for name in ("LC_CTYPE",) if name not in variables],
    }
    text = json.dumps(orders)
    (folder / "orders").write_text(text, encoding="utf-8", errors="surrogateescape")
    return (sys.executable, "-I", "-S", str(LAUNCHER), str(folder / "orders"))


def _bubblewrapped(scope: Scope, folder: Path) -> tuple[str, ...]:
    """Take it out of sight instead."""
    try:
        return bubblewrapped.before(scope, folder)
    except Refused as error:
        reason = f"this system has no Landlock, and {error.message}"
        raise _cannot("enforce", reason, "run it on Linux 5.13 or later, install bubblewrap") from error


def _cannot(trace: Trace, reason: str, remedy: str) -> Refused:
    return Refused(
        f"`trace: {trace}` doesn't work here: {reason}",
        hint=f"{remedy}, or write `trace: python` into the stage",
    )
