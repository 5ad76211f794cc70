"""One container around one command, as an engine's words: pure."""

import os
import posixpath
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import field

from tallystick.containers.engine import Answer
from tallystick.containers.images import Resolved
from tallystick.errors import Refused
from tallystick.frozen import dataclass

PROJECT = "/project"
"""Where a command finds the worktree, whoever runs it: no path of a machine gets into its results."""

RECORD = "/tally/record"
HOME = "/tally/home"
HOOK = "/tally/hook"
TRACE = "/tally/trace"

NOBODY = "tally"
"""The user's name inside: images don't know the real one, and some libraries ask for it."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A path of this machine that a command finds in its container."""

    source: str
    place: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A container to be: its image and variables, what of this machine is in it, and whether a network is."""

    resolved: Resolved
    cwd: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[Shared, ...] = ()
    network: bool = True
    name: str = field(default_factory=lambda: f"tally-{secrets.token_hex(8)}")

    @property
    def before(self) -> tuple[str, ...]:
        """What goes before a command's words; all that is written in them is a word of its own."""
        engine, answer = self.resolved.engine, self.resolved.answer
        return (
            *(engine.program, "run", "--rm", "--name", self.name, "--pull", "never"),
            # The output is kept by who reads it; the engine need not do so again.
            *("--log-driver", "none"),
            # Where SELinux is on, nothing of a home can be read without; labels of files stay as they are.
            *("--security-opt", "label=disable"),
            *_user(answer),
            *(() if self.network else _without_network(answer)),
            *(word for shared in self.shared for word in ("--mount", _mount(shared))),
            *("--workdir", posixpath.normpath(posixpath.join(PROJECT, self.cwd))),
            *(word for name in sorted(self.variables) for word in self._variable(name)),
            # The command is all that runs; by its ID the image can be no other.
            *("--entrypoint", "", self.resolved.image.id),
        )

    @property
    def farewell(self) -> tuple[str, ...]:
        """What ends the container, where its engine was ended and left it alone."""
        quickly = ("--ignore", "--time", "0") if self.resolved.answer.kind == "podman" else ()
        return (self.resolved.engine.program, "rm", "--force", *quickly, self.name)

    def _variable(self, name: str) -> Iterator[str]:
        yield from ("--env", f"{name}={self.variables[name]}")


def _user(answer: Answer) -> tuple[str, ...]:
    """Who the command is, so that what it writes belongs to the user."""
    if answer.kind == "docker" and answer.rootless:
        return ("--user", "0:0")
    keep = ("--userns", "keep-id") if answer.rootless else ()
    return (*keep, "--user", f"{os.geteuid()}:{os.getegid()}")


def _without_network(answer: Answer) -> tuple[str, ...]:
    # A proxy's address is of no use there, and may hold a password.
    return ("--network", "none", *(("--http-proxy=false",) if answer.kind == "podman" else ()))


def _mount(shared: Shared) -> str:
    """One mount, as a line of comma-separated values, which is how engines read it."""
    fields = ["type=bind", f"source={shared.source}", f"target={shared.place}"]
    fields += [] if shared.writable else ["readonly"]
    return ",".join(map(_quoted, fields))


def _quoted(text: str) -> str:
    if any(letter in text for letter in "\r\n"):
        raise Refused(f"`{text!a}` can't be brought into a container: its name has several lines")
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
