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
_READS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
"""What almost every file is opened with."""
_CHANGES = frozenset("wax+")
_FOLDER = getattr(os, "O_DIRECTORY", 0)
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class Notes:
    """What this process, and each that it forks, has opened of the project and did not declare.

    `begun` has, for what paths begin with up to their last slash, the names below it that are declared or
    noted already, and None where no name is ever noted; `declared` has the same by the folder's full path.
    There are two of each: one for what is read, one for what is written.
    """

    def __init__(self, folder: str) -> None:
        with open(os.path.join(folder, "scope"), "rb") as file:
            roots, *declared = file.read().decode("utf-8", "surrogateescape").split("\0\0")
        self.folder = folder
        self.count = 0
        self.begun: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self.roots = tuple(root + "/" for root in roots.split("\0"))
        # Ten thousand names stay one text until something is opened in their folder.
        self.declared: list[dict[str, Any]] = []
        for text in declared:
            parts = text.split("\0")
            self.declared.append(dict(zip(parts[::2], parts[1::2])))  # noqa: B905 - older Pythons lack it
        environments = {path for path in (sys.prefix, sys.base_prefix) if path.startswith(self.roots)}
        for path in {folder} | environments:
            self._declare(path, False)
            self._declare(path, True)

    def add(self, path: Any, write: bool) -> None:
        """Note a path the first time that it is seen."""
        if path.__class__ is not str:
            path = os.fsdecode(path)
        cut = path.rfind("/") + 1
        plain, names = self._begin(path[:cut], write)
        if names is not None and path[cut:] not in names:
            names.add(path[cut:])
            self._look(plain + "/" + path[cut:], write)

    def _begin(self, beginning: str, write: bool) -> tuple[str, Any]:
        """The folder that a beginning of paths means, and what need not be noted in it, found out once."""
        plain = os.path.normpath(beginning if beginning[:1] == "/" else os.getcwd() + "/" + beginning)
        elsewhere = not (plain + "/").startswith(self.roots) and not self._holds_compiled(plain)
        settled = elsewhere or self.count >= MOST or self._is_known(plain, write)
        names = None if settled else self._names(plain + "/", write)
        # What begins with nothing lies in the folder that the process works in, or in the topmost one.
        if len(self.begun[write]) < FOLDERS and beginning != "/":
            self.begun[write][beginning[:-1]] = names
        return plain, names

    def _look(self, path: str, write: bool) -> None:
        if self._holds_compiled(path) and path.endswith(".pyc"):
            place, _, name = path[len(sys.pycache_prefix or "") :].rpartition("/")
            path = place + "/" + name.split(".", 1)[0] + ".py"
            if not path.startswith(self.roots) or self._is_known(path, write):
                return
            self._declare(path, write)
        if path.startswith(self.roots):
            self.count += 1
            self._write(path, write)
        if self.count == MOST:
            for begun in self.begun:
                begun.clear()  # from now on nothing is noted, wherever it lies

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

    def _names(self, folder: str, write: bool) -> set[str]:
        """The names in a folder, which ends in a slash, that are declared or noted already."""
        found = self.declared[write].get(folder, set())
        names: set[str] = set(found.split("/")) if found.__class__ is str else found
        self.declared[write][folder] = names
        return names

    def _declare(self, path: str, write: bool) -> None:
        cut = path.rfind("/") + 1
        self._names(path[:cut], write).add(path[cut:])

    def _is_known(self, path: str, write: bool) -> bool:
        """Whether a path is declared or noted already, or lies below one that is."""
        while len(path) > 1:
            cut = path.rfind("/") + 1
            if path[:cut] in self.declared[write] and path[cut:] in self._names(path[:cut], write):
                return True
            path = path[: cut - 1]
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
    reading, writing = notes.begun

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            # A program may open a million files: what there is nothing to note of is settled right here.
            try:
                path, _, flags = args
                parts = path.rpartition("/")
                if flags == _READS:
                    quiet = reading[parts[0]]
                elif flags:
                    quiet = (writing if flags & _WRITES else reading)[parts[0]]
                else:
                    quiet = ()
                if quiet is None or parts[2] in quiet:
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
