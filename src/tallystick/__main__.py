"""Starts the program."""

import contextlib
import gc
import os
import signal
import sys
import threading
from importlib import import_module
from types import FrameType, ModuleType
from typing import Any

from tallystick import __version__

PROGRAM = "tallystick.cli.main"

_SELDOM_USED = (
    "inspect",
    "ipaddress",
    "json",
    "locale",
    "platform",
    "random",
    "shutil",
    "tempfile",
    "tomllib",
    "traceback",
)


class _Later(ModuleType):
    """Stands for a module until one of its names is asked for, but for those that it has itself."""

    _lock = threading.RLock()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Whoever asks only whether there is such a module looks for this.
        self.__spec__ = type(sys.__spec__)(name, None)

    def loaded(self) -> Any:
        """The module; whoever imports it from now on gets it at once."""
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        return import_module(self.__name__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loaded(), name)


def main() -> int:
    """Run the command line that the process was given and return its exit code."""
    _open_standard_streams()
    # The one answer that needs no parser: loading it would take three times as long as the rest.
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"tally {__version__}\n")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)
    _hurry()
    try:
        code = int(import_module(PROGRAM).main(sys.argv[1:]))
    except KeyboardInterrupt:
        code = 130
    _leave(code)
    return code


def help_out() -> None:
    """Run the module that is named first, in a process that helps another; its arguments are the rest."""
    _hurry()
    import_module(sys.argv.pop(1)).main()
    _leave(0)


def _hurry() -> None:
    """Take care to start soon."""
    # Looking for garbage takes a tenth of a short command's time; there is none while modules are loaded,
    # and none that matters at the end.
    gc.set_threshold(100_000, 20, 20)
    _put_off()


def _open_standard_streams() -> None:
    """Fill the places of closed streams: no file of ours may be opened there and get another's output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _put_off() -> None:
    """Load modules of the standard library only when they are used: most commands import them for nothing."""
    put_off = {name: _Later(name) for name in _SELDOM_USED if name not in sys.modules}
    # One simple question to each is a part of every start, and they would take the longest.
    if inspect := put_off.get("inspect"):
        vars(inspect)["cleandoc"] = lambda text: (
            inspect.loaded().cleandoc(text) if "\n" in text else text.expandtabs().lstrip()
        )
    if platform := put_off.get("platform"):
        vars(platform)["system"] = lambda: os.uname().sysname
        if sys.implementation.name == "cpython":
            vars(platform)["python_implementation"] = lambda: "CPython"
    sys.modules.update(put_off)


def _leave(code: int) -> None:
    """End at once where nothing is left to wait for: to take every module apart takes longer than git."""
    gc.freeze()
    if threading.active_count() == 1:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Treat a request to end like Ctrl-C, so that whatever is half done is cleaned up."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
