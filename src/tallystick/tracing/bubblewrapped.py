"""What bubblewrap lets a command see of its project, where the kernel has no Landlock."""

import os
import posixpath
import socket
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from tallystick import process
from tallystick.errors import Refused, TallyError
from tallystick.frozen import dataclass
from tallystick.tracing.accesses import Scope

PATIENCE = 20.0

MOST_COVERED = 2_000
"""So many files beside an out can be covered one by one: each is a mount."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be seen, by names: folders within folders, and what may be done at their ends."""

    root: str
    scope: Scope
    cover: str
    children: dict[str, set[str]] = field(default_factory=dict)

    @staticmethod
    def of(scope: Scope, cover: str) -> "_Plan":
        plan = _Plan(scope.root, scope, cover)
        for path in (".git", scope.cwd, *scope.apart, *scope.reads, *scope.makes):
            parts = [] if path == "." else path.split("/")
            for number, name in enumerate(filter(None, parts)):
                plan.children.setdefault("/".join(parts[:number]), set()).add(name)
        return plan


def before(scope: Scope, folder: Path) -> tuple[str, ...]:
    """The words to go before a command's own, tried just now; raise Refused where it doesn't work.

    What isn't declared isn't there; beside outs, where the folder itself must be open, it is covered.
    """
    program = process.find("bwrap")
    cover = folder / "cover"
    _make_cover(cover)
    drop = ("--cap-drop", "CAP_SYS_ADMIN") if os.geteuid() == 0 else ()
    words = (program, "--die-with-parent", *drop, "--dev-bind", "/", "/")
    words = (*words, *_seen(_Plan.of(scope, str(cover)), ""), "--")
    try:
        tried = process.run([*words, "/bin/sh", "-c", ":"], check=False, timeout=PATIENCE)
    except TallyError as error:
        raise Refused(error.message) from error
    if tried.exit_code != 0:
        raise Refused(f"bubblewrap can't do it here: {tried.complaint.partition(chr(10))[0]}")
    return words


def _make_cover(path: Path) -> None:
    """Make what nobody can open like a file, root neither: a socket."""
    # Its name may have a hundred letters only.
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as covering:
            covering.bind(f"/proc/self/fd/{descriptor}/{path.name}")
    finally:
        os.close(descriptor)


def _seen(plan: _Plan, path: str) -> Iterator[str]:
    """A folder on the way to what is declared: an empty one with that in it, or itself if outs lie in it."""
    place = posixpath.join(plan.root, path).rstrip("/")
    scope, wanted = plan.scope, plan.children.get(path, set())
    is_open = any(posixpath.dirname(out) == path for out in scope.makes)
    yield from ("--bind", place, place) if is_open else ("--tmpfs", place)
    for name in sorted(wanted):
        inner = posixpath.join(path, name)
        source = posixpath.join(plan.root, inner)
        if inner in scope.reads:
            yield from ("--ro-bind-try", source, source)
        elif inner in (".git", *scope.apart):
            yield from () if is_open else ("--bind-try", source, source)
        elif inner not in scope.makes and os.path.isdir(source):
            yield from _seen(plan, inner)
    if not is_open:
        yield from ("--remount-ro", place)
    elif not _only_outs(scope, path):
        yield from _covered(plan, place, wanted)


def _only_outs(scope: Scope, path: str) -> bool:
    """Whether a folder is the outs' alone: then a command may read there what it made."""
    return bool(path) and not any(f"{read}/".startswith(f"{path}/") for read in scope.reads)


def _covered(plan: _Plan, place: str, wanted: set[str]) -> Iterator[str]:
    """Hide what lies beside outs; links lead to what is hidden itself, or not."""
    with os.scandir(place) as entries:
        others = [entry for entry in entries if entry.name not in wanted and not entry.is_symlink()]
    if len(others) > MOST_COVERED:
        raise Refused(f"{len(others):,} files lie beside outs in `{place}`, too many for bubblewrap to cover")
    for entry in others:
        if entry.is_dir():
            yield from ("--tmpfs", entry.path, "--remount-ro", entry.path)
        else:
            yield from ("--ro-bind", plan.cover, entry.path)
