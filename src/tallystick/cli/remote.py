"""tally remote."""

from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_remotes
from tallystick.cli.context import context
from tallystick.cli.text import table
from tallystick.errors import WrongUsage
from tallystick.flows.remote import (
    AddedRemote,
    Remote,
    Remotes,
    RemovedRemote,
    add_remote,
    default_remote,
    list_remotes,
    remove_remote,
)

LOCAL = click.option(
    "--local", is_flag=True, help="Keep it to this machine: in git's settings, not in `.tallyconfig`."
)


@click.group("remote", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Name the places where blobs are kept.

    A remote is a folder or a bucket of your own. Its name and URL are shared in `.tallyconfig`; what only
    this machine should know, such as an endpoint or a profile's name, stays in git's own settings. Without
    a COMMAND the remotes are listed.

    \b
    Example:
      tally remote add origin /mnt/share/project
      tally remote add cloud s3://bucket/project -o profile=work
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("add")
@click.argument("name")
@click.argument("url")
@click.option("-d", "--default", is_flag=True, help="Make it the default remote, as the first one always is.")
@click.option(
    "-o", "--option", "options", metavar="KEY=VALUE", multiple=True, help="Set an option on this machine."
)
@LOCAL
@click.option("-f", "--force", is_flag=True, help="Replace a remote of that name.")
@click.option("--no-check", is_flag=True, help="Only write the settings; do not reach for the remote.")
@click.pass_context
def add(
    ctx: click.Context,
    name: str,
    url: str,
    default: bool,
    options: Sequence[str],
    local: bool,
    force: bool,
    no_check: bool,
) -> None:
    """Make a folder or bucket a store, and name it.

    \b
    Example:
      tally remote add origin /mnt/share/project
    """
    current = context(ctx)
    result = add_remote(
        current.project(),
        name,
        url,
        folder=current.directory,
        options=dict(map(_pair, options)),
        shared=not local,
        default=default,
        force=force,
        reach=not no_check,
    )
    render.report(current, result, _added)


@command.command("list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List the remotes; `*` marks the default one.

    \b
    Example:
      tally remote list --json
    """
    current = context(ctx)
    render.show(current, list_remotes(current.project()), _listed)


@command.command("remove")
@click.argument("name", shell_complete=complete_remotes)
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Forget a remote; nothing is deleted there.

    \b
    Example:
      tally remote remove cloud
    """
    current = context(ctx)
    render.report(current, remove_remote(current.project(), name), _removed)


@command.command("default")
@click.argument("name", required=False, shell_complete=complete_remotes)
@LOCAL
@click.pass_context
def default_(ctx: click.Context, name: str | None, local: bool) -> None:
    """Choose the default remote, or show which it is.

    The default one is meant wherever no remote is named.

    \b
    Example:
      tally remote default cloud
    """
    current = context(ctx)
    result = default_remote(current.project(), name, shared=not local)
    if name is None:
        render.show(current, result, lambda remote: [remote.name])
    else:
        render.report(
            current, result, lambda remote: [f"The default remote is `{remote.name}` now: {remote.url}"]
        )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise WrongUsage(f"`{text}` is not an option", hint="write it as KEY=VALUE")
    return key, value


def _chosen(remote: Remote) -> Iterator[str]:
    yield f"Remote `{remote.name}`{' (default)' if remote.is_default else ''}: {remote.url}"


def _added(remote: AddedRemote) -> Iterator[str]:
    yield from _chosen(remote)
    if remote.creates_exclusively is False:
        yield "It lets a name be written twice; what keeps pushes apart there is that no two take one name"


def _listed(result: Remotes) -> list[str]:
    rows = [
        (
            "*" if remote.is_default else " ",
            remote.name,
            remote.url,
            "" if remote.shared else "this machine",
            " ".join(f"{key}={value}" for key, value in remote.options.items()),
        )
        for remote in result.remotes
    ]
    return table(rows) or ["No remotes: `tally remote add origin <folder or URL>` adds one."]


def _removed(result: RemovedRemote) -> Iterator[str]:
    yield f"Forgot the remote `{result.name}`; its blobs are still at {result.url}"
    if result.default is None:
        yield "No remote is the default one now: `tally remote default NAME` chooses one."
