"""Starts the program."""

import contextlib
import gc
import os
import signal
import sys
import threading
from importlib import import_module
from types import FrameType

from tallystick import __version__

PROGRAM = "tallystick.cli.main"


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
    # Looking for garbage takes a tenth of a short command's time; there is none while modules are loaded,
    # and none that matters at the end.
    gc.set_threshold(100_000, 20, 20)
    try:
        code = int(import_module(PROGRAM).main(sys.argv[1:]))
    except KeyboardInterrupt:
        code = 130
    _leave(code)
    return code


def _open_standard_streams() -> None:
    """Fill the places of closed streams: no file of ours may be opened there and get another's output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


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
