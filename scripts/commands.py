"""Writes docs/commands.md from the help of every command: `.venv/bin/python scripts/commands.py`."""

from collections.abc import Iterator
from pathlib import Path

import click

from tallystick.cli.main import SECTIONS, program
from tallystick.cli.options import common_options

PAGE = Path(__file__).resolve().parent.parent / "docs/commands.md"
HEAD = """\
# Commands

What `tally COMMAND --help` prints. Written by `scripts/commands.py`; a test checks that it is current.
The options of [the program](#the-program) go with every command, `--version` aside; they are left out below.
Also reachable as `git tally COMMAND`. Exit codes: [exit-codes.md](exit-codes.md).
"""


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {**program.context_settings, "terminal_width": 80, "max_content_width": 80}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _text(command: click.Command, context: click.Context) -> str:
    """A command's help without the options that all commands have."""
    common = {option.name for option in common_options()}
    params = command.params
    command.params = [option for option in params if option.name not in common]
    try:
        return command.get_help(context)
    finally:
        command.params = params


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"\n### {context.command_path}\n\n```text\n{_text(command, context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            part = command.get_command(context, name)
            assert part is not None
            yield from _help(part, _context(part, name, context))


def page() -> str:
    """Return the whole page."""
    root = _context(program, "tally", None)
    parts = [HEAD, f"\n## The program\n\n```text\n{program.get_help(root)}\n```\n"]
    for section, verbs in SECTIONS.items():
        parts.append(f"\n## {section}\n")
        for name in verbs:
            command = program.get_command(root, name)
            assert command is not None
            parts.extend(_help(command, _context(command, name, root)))
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
