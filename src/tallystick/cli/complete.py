"""What the shell may complete: tracked paths, stages, remotes."""

import os
from pathlib import PurePosixPath

import click
from click.shell_completion import CompletionItem

from tallystick.cli.context import context
from tallystick.errors import TallyError
from tallystick.project import Project

POINTERS = "*.tally"


def complete_tracked(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer tracked paths, relative to the current folder, and files besides."""
    project = _project(ctx)
    if project is None:
        return [CompletionItem(incomplete, type="file")]
    paths = (pointer.removesuffix(".tally") for pointer in project.git.list_files([POINTERS]))
    here = [os.path.relpath(project.git.root / path, context(ctx).directory) for path in paths]
    found = [CompletionItem(path) for path in sorted(here) if path.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def complete_stages(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the stages that have run: their receipts' names, which need no parsing."""
    project = _project(ctx)
    if project is None:
        return []
    receipts = map(PurePosixPath, project.git.list_files(["receipts/*.json", "*/receipts/*.json"]))
    return [CompletionItem(name) for name in sorted(map(_address, receipts)) if name.startswith(incomplete)]


def complete_remotes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the remotes' names."""
    project = _project(ctx)
    names = sorted(project.config.remotes) if project is not None else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _address(receipt: PurePosixPath) -> str:
    """Return a stage's address from its receipt's path."""
    folder = receipt.parent.parent
    return receipt.stem if folder == PurePosixPath() else f"{folder}:{receipt.stem}"


def _project(ctx: click.Context) -> Project | None:
    """Return the project, or None: nothing to offer is not an error."""
    try:
        return context(ctx).project()
    except TallyError:
        return None
