"""The arguments and options that several commands share, and what they mean."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tallystick.cli.complete import complete_remotes, complete_tracked
from tallystick.cli.context import Context, context
from tallystick.errors import Refused, WrongUsage
from tallystick.project import Project

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]

MOST_JOBS = 128


def _directory(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    chosen = context(ctx).directory / value
    if not chosen.is_dir():
        raise WrongUsage(f"`-C {value}` is not a directory")
    context(ctx).directory = chosen


def _switch(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    """Make a callback that turns one global option on; before the command's name or after it."""

    def turn_on(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            setattr(context(ctx), name, True)

    return turn_on


def common_options() -> list[click.Option]:
    """Make the options that the program and every command take."""
    return [
        click.Option(
            ["-C", "_directory"],
            metavar="DIR",
            help="Work as if started in DIR.",
            expose_value=False,
            is_eager=True,
            callback=_directory,
        ),
        _flag(["-q", "--quiet"], "quiet", "Print only what was asked for, and errors."),
        _flag(["-v", "--verbose"], "verbose", "Say more, errors' causes among it."),
        _flag(["--json"], "json", "Print the result as JSON."),
    ]


def _flag(names: Sequence[str], field: str, text: str) -> click.Option:
    return click.Option(
        [*names, f"_{field}"],
        is_flag=True,
        help=text,
        expose_value=False,
        is_eager=True,
        callback=_switch(field),
    )


def targets_argument(*, required: bool = False, name: str = "targets") -> Decorator[Any]:
    """Take any number of paths; they arrive as the user typed them, for `to_project_paths`."""
    return click.argument(name, nargs=-1, required=required, shell_complete=complete_tracked)


def remote_option(text: str = "The remote to use instead of the default one.") -> Decorator[Any]:
    """Add `-r/--remote NAME`; None without it."""
    return click.option("-r", "--remote", metavar="NAME", help=text, shell_complete=complete_remotes)


def jobs_option() -> Decorator[Any]:
    """Add `-j/--jobs N`, transfers at the same time; without it the setting `core.jobs` counts."""
    return click.option(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(1, MOST_JOBS),
        callback=_jobs,
        help="How many transfers run at the same time.",
    )


def _jobs(ctx: click.Context, _param: click.Parameter, value: int | None) -> int:
    if value is not None or ctx.resilient_parsing:
        return value or 1
    configured = context(ctx).project().config.values.get("core.jobs")
    return int(configured) if configured is not None else min(8, 2 * (os.cpu_count() or 1))


def force_option(text: str = "Overwrite changes that are stored nowhere.") -> Decorator[Any]:
    """Add `-f/--force`."""
    return click.option("-f", "--force", is_flag=True, help=text)


def dry_run_option(text: str = "Say what would be done, and do nothing.") -> Decorator[Any]:
    """Add `--dry-run`, which arrives as `dry_run`."""
    return click.option("--dry-run", is_flag=True, help=text)


def trust_option(text: str = "Allow this repository's commands to run, now and later.") -> Decorator[Any]:
    """Add `--trust`."""
    return click.option("--trust", is_flag=True, help=text)


def to_project_path(project: Project, argument: str, cwd: Path) -> str:
    """Turn one path as typed into one relative to the project's root; the root itself is `.`.

    Only the folder it is relative to is resolved: a symlink that is named is meant itself. Raises Refused
    for a path outside of the project.
    """
    if not argument:
        raise Refused("a path is empty")
    root = os.path.realpath(project.git.root)
    folder, name = os.path.split(os.path.join(os.path.realpath(cwd), argument))
    if name in ("", ".", ".."):
        folder, name = os.path.join(folder, name), ""
    # Typed paths may go through symlinked folders; the tracked path is where they really lie.
    path = os.path.normpath(os.path.join(os.path.realpath(folder), name))
    relative = os.path.relpath(path, root)
    if relative == ".." or relative.startswith("../"):
        raise Refused(f"`{argument}` is outside of the project at `{root}`")
    return relative


def own_folder(project: Project, cwd: Path) -> str:
    """The folder that a command was started in, relative to the project's root, which is empty."""
    folder = to_project_path(project, ".", cwd)
    return "" if folder == "." else folder


def to_project_paths(project: Project, arguments: Sequence[str], cwd: Path) -> tuple[str, ...]:
    """Turn paths as typed, relative to `cwd`, into ones relative to the project's root, each once."""
    return tuple(dict.fromkeys(to_project_path(project, argument, cwd) for argument in arguments))


def chosen_paths(current: Context, arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that a command was given, relative to its project's root."""
    return to_project_paths(current.project(), arguments, current.directory)
