"""Asks the user, on a terminal, whether a repository's commands may run."""

import difflib
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

import click

from tallystick.cli.context import Context, is_terminal
from tallystick.cli.render import print_lines
from tallystick.cli.text import style
from tallystick.errors import NotTrusted
from tallystick.project.grants import Grants

Result = TypeVar("Result")

MOST_SHOWN = 20


def with_grant(current: Context, trust: bool, work: Callable[[], Result]) -> Result:
    """Do work that may raise NotTrusted before it runs anything; ask for the grant, and do it again.

    With `trust` the grant is given unasked. Raises NotTrusted where nobody can be asked, or the answer is no.
    """
    asked: set[tuple[str, ...]] = set()
    while True:
        try:
            return work()
        except NotTrusted as error:
            if error.commands in asked:
                raise
            asked.add(error.commands)
            grants = current.project().grants
            if not trust and not _allowed_by_user(current, grants, error):
                raise
            grants.grant(error.commands)


def _allowed_by_user(current: Context, grants: Grants, error: NotTrusted) -> bool:
    """Show what would run and ask; nobody at a terminal means no."""
    if current.json or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return False
    print_lines([f"{error.message}. It would run:", *_listing(error.commands, grants.known())], sys.stderr)
    return click.confirm("Allow these commands, now and later?", default=False, err=True)


def _listing(commands: tuple[str, ...], known: frozenset[str]) -> Iterator[str]:
    """The commands that are new, with the allowed one that each resembles."""
    new = [command for command in commands if command not in known]
    for command in new[:MOST_SHOWN]:
        yield style(f"  {command}", "strong")
        # A change of one flag is easily overlooked: what was allowed stands below.
        for former in difflib.get_close_matches(command, known, n=1, cutoff=0.5):
            yield f"    allowed before: {former}"
    if len(new) > MOST_SHOWN:
        yield f"  and {len(new) - MOST_SHOWN} more: `tally run --dry-run --force` shows them all"
