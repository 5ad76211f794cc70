"""Say what a repeated command needs to see, and put walls around it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tallystick.frozen import dataclass
from tallystick.project import Project
from tallystick.reproduction.isolation import Surrounding
from tallystick.sandbox import namespaces
from tallystick.sandbox.room import Room, Walls, open_room

TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - they are hidden, not used

_PROGRAMS = ("bin", "shims", "Scripts")
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """What a repeated command may not do, and how many seconds it may take."""

    isolate: bool = True
    timeout: float | None = None


def confined(
    project: Project, inner: Project, around: Surrounding, record: Path, *, network: bool, limits: Limits
) -> Walls:
    """Walls around one command, which keeps its own record in a folder."""
    if not limits.isolate:
        return open_room("`--no-isolation`")
    return namespaces.walls(_room(project, inner, around, record, network))


def confined_reading(project: Project, around: Surrounding, record: Path, *, limits: Limits) -> Walls:
    """Walls around a program that only reads what it is given, and may write to nothing else."""
    if not limits.isolate:
        return open_room("`--no-isolation`")
    room = _room(project, None, around, record, network=False)
    hidden = tuple(dict.fromkeys((*room.hidden, *room.stand_ins)))
    return namespaces.walls(replace(room, writable=(), stand_ins={}, home=None, hidden=hidden))


def _room(project: Project, inner: Project | None, around: Surrounding, record: Path, network: bool) -> Room:
    """The temporary worktree, if any, and its history; the environment; of all else only the system."""
    home, root = around.variables.get("HOME", ""), os.path.realpath(project.git.root)
    scratch = {place: str(_folder(record, number)) for number, place in enumerate(_private(home))}
    history = os.path.realpath(project.git.common)
    # The user may be in a linked worktree; then the main one lies around the history.
    main = os.path.dirname(history) if os.path.basename(history) == ".git" else root
    hidden = tuple(each for each in (root, main, os.path.realpath(project.home)) if each not in scratch)
    closed = {*scratch, root, main}
    needs = () if around.interpreter is None else _needs_of(around.interpreter)
    shown = [*([] if inner is None else [history]), *needs, *_on_path(around.variables)]
    return Room(
        writable=() if inner is None else (str(inner.git.root), str(record)),
        shown=tuple(path for path in dict.fromkeys(shown) if not _opens(path, closed)),
        hidden=hidden,
        stand_ins=scratch,
        network=network,
        home=next((place for place in scratch if place == os.path.realpath(home)), None),
        scratch=str(record),
    )


def _private(home: str) -> Iterator[str]:
    """The folders that a command finds empty, and may fill: nobody else does, and nobody sees it."""
    for path in dict.fromkeys((*TEMPORARY, home)):
        if os.path.isabs(path) and os.path.isdir(path) and os.path.realpath(path) != os.sep:
            yield os.path.realpath(path)


def _folder(record: Path, number: int) -> Path:
    folder = record / f"private-{number}"
    folder.mkdir()
    return folder


def _opens(path: str, closed: set[str]) -> bool:
    """Whether to show a path would show a folder that is to be hidden, or what lies around it."""
    real = os.path.realpath(path)
    return any(f"{one}/".startswith(f"{real}/") for one in closed)


def _on_path(variables: Mapping[str, str]) -> Iterator[str]:
    """The folders that programs are looked for in, and what belongs to them."""
    for folder in variables.get("PATH", "").split(os.pathsep):
        if os.path.isabs(folder):
            yield from _with_its_whole(os.path.normpath(folder))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if os.path.isabs(variables.get(name, "")):
            yield variables[name]


def _needs_of(interpreter: str) -> Iterator[str]:
    """Where an interpreter lies, and the one that its environment was made from, and all links between."""
    place = interpreter
    for _ in range(_LONGEST_CHAIN):
        yield from _with_its_whole(os.path.dirname(place))
        if not os.path.islink(place):
            break
        place = os.path.normpath(os.path.join(os.path.dirname(place), os.readlink(place)))
    base = _base_of(Path(os.path.dirname(interpreter)).parent)
    if base is not None:
        yield from _with_its_whole(base)
        yield from _with_its_whole(os.path.realpath(base))


def _with_its_whole(folder: str) -> Iterator[str]:
    """A folder of programs; where it is one part of an installation, all of that."""
    yield folder
    whole, name = os.path.split(folder)
    if name in _PROGRAMS and os.path.basename(whole) != ".local":
        yield whole


def _base_of(environment: Path) -> str | None:
    """The programs' folder of the Python that a virtual environment was made from."""
    with suppress(OSError):
        for line in (environment / "pyvenv.cfg").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "home" and os.path.isabs(value.strip()):
                return value.strip()
    return None
