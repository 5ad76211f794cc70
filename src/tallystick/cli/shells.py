"""Completion in bash, zsh and fish: the scripts, and the answers they ask for."""

import os

import click
from click.shell_completion import get_completion_class, shell_complete

from tallystick.cli.context import Context

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "tally"
VARIABLE = "_TALLY_COMPLETE"
"""Set by the scripts when the shell asks the program what could follow."""


def script(shell: str) -> str:
    """Return the script that makes a shell complete `tally`."""
    found = get_completion_class(shell)
    assert found is not None, f"click knows no {shell}"
    maker = found(click.Command(PROGRAM), {}, PROGRAM, VARIABLE)
    # click's own method would first start bash to ask for its version.
    return maker.source_template % maker.source_vars()


def asked() -> bool:
    """Say whether a shell asks for completions, not a person for work."""
    return VARIABLE in os.environ


def answer(program: click.Group) -> int:
    """Print what could follow on the command line that the shell hands over."""
    return shell_complete(program, {"obj": Context()}, PROGRAM, VARIABLE, os.environ[VARIABLE])
