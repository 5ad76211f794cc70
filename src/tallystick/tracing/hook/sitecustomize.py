"""Runs in a traced command's own interpreters, Python 3.8 and later: notes the project's files they open."""

from __future__ import annotations

import atexit
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would cost every interpreter some milliseconds
    from typing import Any

VARIABLE = "TALLY_TRACE"
"""Names the folder that holds `scope` and gets a file of notes from every process."""

RECORD = "TALLY_RECORD"
"""Names the folder in which each process says what it is."""

MOST = 2_000
"""Notes that one process writes at most: whoever reads more has declared nothing at all."""

FOLDERS = 50_000
"""Beginnings of paths that one process remembers at most; those of further ones are found out each time."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = frozenset("wax+")
_FOLDER = getattr(os, "O_DIRECTORY", 0)
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class Notes:
    """What this process, and each that it forks, has opened of the project and did not declare.

    `begun` has, for what paths begin with up to their last slash, how they begin in full, and nothing where
    none of them is ever noted; `known` are the paths that are declared or noted. There are two of each: one
    for what is read, one for what is written.
    """

    def __init__(self, folder: str) -> None:
        with open(os.path.join(folder, "scope"), "rb") as file:
            roots, readable, writable = file.read().decode("utf-8", "surrogateescape").split("\0\0")
        self.folder = folder
        self.count = 0
        self.begun: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.roots = tuple(root + "/" for root in roots.split("\0"))
        always = {folder} | {path for path in (sys.prefix, sys.base_prefix) if path.startswith(self.roots)}
        self.known = (always.union(readable.split("\0")), always.union(writable.split("\0")))

    def add(self, path: Any, write: bool) -> None:
        """Note a path the first time that it is seen."""
        if path.__class__ is not str:
            path = os.fsdecode(path)
        cut = path.rfind("/") + 1
        full = self.begun[write].get(path[:cut])
        if full is None:
            full = self._begin(path[:cut], write)
        if full and self.count < MOST:
            self._look(full + path[cut:], write)

    def _begin(self, beginning: str, write: bool) -> str:
        """How paths begin in full; nothing where none of them is ever noted. Found out once."""
        plain = os.path.normpath(beginning if beginning[:1] == "/" else os.getcwd() + "/" + beginning)
        elsewhere = not (plain + "/").startswith(self.roots) and not self._holds_compiled(plain)
        full = "" if elsewhere or self._is_known(plain, self.known[write]) else plain + "/"
        if len(self.begun[write]) < FOLDERS:
            self.begun[write][beginning] = full
        return full

    def _look(self, path: str, write: bool) -> None:
        known = self.known[write]
        if self._holds_compiled(path) and path.endswith(".pyc"):
            place, _, name = path[len(sys.pycache_prefix or "") :].rpartition("/")
            path = place + "/" + name.split(".", 1)[0] + ".py"
        if path.startswith(self.roots) and not self._is_known(path, known):
            self.count += 1
            known.add(path)
            self._write(path, write)

    def moved(self, _folder: object) -> None:
        """The process works in another folder: what paths that are relative mean has to be found out anew."""
        for begun in self.begun:
            for beginning in list(begun):  # other threads go on opening files meanwhile
                if beginning[:1] != "/":
                    begun.pop(beginning, None)

    def _holds_compiled(self, path: str) -> bool:
        """Whether a path lies where this process keeps the compiled modules of all folders."""
        prefix: str = getattr(sys, "pycache_prefix", None) or "\0"
        return path.startswith(prefix)

    def _is_known(self, path: str, known: set[str]) -> bool:
        while len(path) > 1:
            if path in known:
                return True
            path = path[: path.rfind("/")]
        return False

    def _write(self, path: str, write: bool) -> None:
        # At once, and through a descriptor of its own: a process may end by a signal or `os._exit`, and may
        # close descriptors that it doesn't know and reuse their numbers.
        note = "{} {} {}\0".format(time.monotonic_ns(), "W" if write else "R", path)
        descriptor = os.open(os.path.join(self.folder, str(os.getpid())), _APPEND, 0o600)
        try:
            os.write(descriptor, note.encode("utf-8", "surrogateescape"))
        finally:
            os.close(descriptor)

    def opened(self, path: Any, mode: str | None, flags: int) -> None:
        """`open`, `os.open`, and what the interpreter itself opens: scripts and modules."""
        if path.__class__ is not int and not flags & _FOLDER:
            # Where the interpreter itself opens something, it tells no flags.
            self.add(
                path, bool(flags & _WRITES) if flags else mode != "rb" and bool(set(mode or "") & _CHANGES)
            )

    def imported(self, _name: str, file: Any, *_: object) -> None:
        """An extension module; the others are opened."""
        if file is not None:
            self.add(file, False)

    def started(self, program: Any, _argv: object = None, folder: Any = None, *_: object) -> None:
        """A program that is named by its path."""
        program = os.fsdecode(program)
        if "/" in program:
            self.add(os.path.join(os.fsdecode(folder or ""), program), False)

    def loaded(self, library: Any) -> None:
        """A library that ctypes loads by its path."""
        if library and "/" in os.fsdecode(library):
            self.add(library, False)

    def connected(self, database: Any) -> None:
        """A database file, which C code opens."""
        if database not in ("", ":memory:") and not str(database).startswith("file:"):
            self.add(database, not os.path.exists(database))

    def placed(self, _source: object, target: Any, *folders: int) -> None:
        """A file that gets its name by a rename or a link."""
        if all(folder == -1 for folder in folders):
            self.add(target, True)

    def cut(self, path: Any, _length: object) -> None:
        """A file that is cut to a length."""
        if not isinstance(path, int):
            self.add(path, True)


def watch(folder: str) -> None:
    """Note from now on what this process opens; can't be undone, as audit hooks can't."""
    notes = Notes(folder)
    listeners: dict[str, Any] = {
        "open": notes.opened,
        "os.chdir": notes.moved,
        "import": notes.imported,
        "subprocess.Popen": notes.started,
        "os.exec": lambda program, *_: notes.started(program),
        "os.posix_spawn": lambda program, *_: notes.started(program),
        "ctypes.dlopen": notes.loaded,
        "sqlite3.connect": notes.connected,
        "os.rename": notes.placed,
        "os.link": notes.placed,
        "os.symlink": notes.placed,
        "os.truncate": notes.cut,
    }
    (reading, writing), (readable, writable) = notes.begun, notes.known

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            # A program may open a million files: what there is nothing to note of is settled right here.
            try:
                path, _, flags = args
                cut = path.rfind("/") + 1
                if flags & _WRITES:
                    full = writing[path[:cut]]
                    if not full or full + path[cut:] in writable:
                        return
                elif flags:
                    full = reading[path[:cut]]
                    if not full or full + path[cut:] in readable:
                        return
            except Exception:  # noqa: S110 - a folder that is seen first, or a path that is no text
                pass
        elif event not in listeners:
            return
        try:  # noqa: SIM105 - importing contextlib would cost every interpreter
            listeners[event](*args)
        except Exception:  # noqa: S110 - watching must never change what is watched
            pass

    sys.addaudithook(hear)


def step_aside() -> None:
    """Leave no trace in `sys.path`, and import the `sitecustomize` that would have been found without us."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path != here]
    ours = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        # The import system wants back what it was importing.
        sys.modules.setdefault("sitecustomize", ours)


def introduce() -> None:
    """Say at once which Python this is: it may become another program, or end by a signal."""
    version = sys.version.split()[0].rstrip("+")
    _tell(("began", os.getpid(), version, sys.executable, sys.prefix, _script(), *_borrowed()))


def _borrowed() -> list[str]:
    """What an environment without packages of its own consists of: it may be gone when the command has ended.

    Nothing for any other; else the Python itself, where packages would be in the environment, and each folder
    elsewhere that is imported from. `uv run --with` makes such ones.
    """
    base, own = getattr(sys, "base_prefix", sys.prefix) + "/", sys.prefix + "/"
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    elsewhere = [path for path in sys.path if path[:1] == "/" and path not in given]
    elsewhere = [path for path in elsewhere if not path.startswith((own, base))]
    sites = [path for path in sys.path if path.startswith(own) and os.path.isdir(path)]
    if not elsewhere or base == own or not sites:
        return []
    if any(name.endswith("-info") for site in sites for name in os.listdir(site)):
        return []
    return [os.path.realpath(sys.executable), sites[0][len(own) :], *elsewhere]


def _script() -> str:
    """The script that this process was started for, `-c` or `-m`; nothing for standard input."""
    words = getattr(sys, "orig_argv", None)
    if words is None:  # before Python 3.10
        with open("/proc/self/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")[:-1]
    rest = iter(words[1:])
    for word in rest:
        if word in ("-W", "-X", "--check-hash-based-pycs"):
            next(rest, None)
        elif word[:1] != "-":
            return os.path.abspath(word)
        elif word[:2] not in ("--", "-W", "-X"):
            for letter in word[1:]:
                if letter in "cm":
                    return "-" + letter
    return ""


def _tell(told: tuple[object, ...]) -> None:
    """Add a line to what the command's processes say; a short one is never mixed with another's."""
    descriptor = os.open(os.path.join(os.environ[RECORD], "pythons"), _APPEND, 0o600)
    try:
        os.write(descriptor, (ascii(told) + "\n").encode("ascii"))
    finally:
        os.close(descriptor)


def take_leave() -> None:
    """At the end of a process, say how much it had loaded, and what computing libraries are set to."""
    try:  # noqa: SIM105
        _tell(("ended", os.getpid(), len(sys.modules)))
    except Exception:  # noqa: S110 - a process that outlived its run: nobody listens any more
        pass
    tell_facts()


def tell_facts() -> None:
    """At the end of a process that loaded a library which computes or tracks, have it tell its settings."""
    if sys.modules.keys() & {"numpy", "torch", "tensorflow", "mlflow", "wandb"}:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        try:
            __import__("tally_facts").report()
        except Exception:  # noqa: S110 - watching must never change what is watched
            pass
        finally:
            del sys.path[0]


if __name__ == "sitecustomize":
    if os.environ.get(RECORD):
        try:
            introduce()
            atexit.register(take_leave)
        except Exception:  # noqa: S110 - a process that outlived its run: nobody listens any more
            pass
    if VARIABLE in os.environ and hasattr(sys, "addaudithook"):
        try:  # noqa: SIM105
            watch(os.environ[VARIABLE])
        except (OSError, ValueError):  # the same
            pass
    step_aside()
