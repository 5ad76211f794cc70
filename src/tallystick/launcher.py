"""Run a program under Landlock's rules; a script of its own, which becomes the program."""

import ctypes
import errno
import json
import os
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
NO_NEW_PRIVILEGES = 38
FOR_FILES = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14)
"""The rights that mean something for what is no folder: execute, write, read, truncate."""

FAILED = 126


# A program for the kernel's filter of system calls; one that another machine's calls would get past
# refuses those, and the ring by which sockets are made without a call.
SET_FILTER, BY_PROGRAM = 22, 2
LOAD, IS_EQUAL, IS_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
AT_NUMBER, AT_ARCHITECTURE, AT_FAMILY = 0, 4, 16
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
SOCKETS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
FOREIGN_CALLS, IO_URING_SETUP, LOCAL = 0x40000000, 425, 1


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def main() -> None:
    """Read the rules from the file that is named first, obey them, become the program named after it."""
    with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as file:
        orders = json.load(file)
    restrict(orders["handled"], orders["rules"])
    if orders.get("no_sockets"):
        refuse_sockets()
    # Python sets this for itself; the program shall find what it would have found without us.
    for name in orders["unset"]:
        os.environ.pop(name, None)
    argv = sys.argv[2:]
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - it is the stage's command, and no shell is wanted
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)


def restrict(handled: int, rules: "list[tuple[str, int]]") -> None:
    """Put this process, and all that it will start, under the rules for good."""
    library = ctypes.CDLL(None, use_errno=True)
    ruleset = _called(library, CREATE_RULESET, ctypes.byref(_Ruleset(handled)), ctypes.c_size_t(8), 0)
    for path, rights in rules:
        _allow(library, ruleset, path, rights & handled)
    if library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    _called(library, RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def refuse_sockets() -> None:
    """Let this process, and all that it will start, make no socket but those between processes here."""
    arch, socket = SOCKETS[os.uname().machine]
    steps = [
        (LOAD, 0, 0, AT_ARCHITECTURE),
        (IS_EQUAL, 0, 8, arch),
        (LOAD, 0, 0, AT_NUMBER),
        (IS_AT_LEAST, 6, 0, FOREIGN_CALLS),
        (IS_EQUAL, 5, 0, IO_URING_SETUP),
        (IS_EQUAL, 1, 0, socket),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, AT_FAMILY),
        (IS_EQUAL, 0, 1, LOCAL),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    program = b"".join(struct.pack("<HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(program, len(program))
    filtered = _Filter(len(steps), ctypes.addressof(kept))
    library = ctypes.CDLL(None, use_errno=True)
    for call in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SET_FILTER, BY_PROGRAM, ctypes.byref(filtered), 0, 0)):
        if library.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def _allow(library: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Allow a path; one that is gone, or isn't there yet, needs no rule."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(f"/proc/self/fd/{descriptor}"):
            rights &= FOR_FILES
        beneath = _Beneath(rights, descriptor)
        _called(library, ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(descriptor)


def _called(library: ctypes.CDLL, number: int, *arguments: object) -> int:
    result = int(library.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        os.write(2, f"Landlock's rules can't be set: {error}\n".encode())
        os._exit(FAILED)
