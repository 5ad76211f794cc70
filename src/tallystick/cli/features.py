"""tally features."""

from collections.abc import Iterator

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.text import style
from tallystick.flows.features import Features, ListedView, Published, list_features, publish_feature


@click.group("features", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Name what a view means, version by version.

    `features.yaml` defines views; a stage names those that it reads, like `user_stats@v3`. What was published
    as v3 stays v3: once the definition or the schema changes, stages that read it don't run until it is
    published as v4. Without a COMMAND the views are listed.

    \b
    Example:
      tally features
      tally features publish user_stats
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """Say of each view whether it is what its version was published as.

    \b
    Example:
      tally features list
    """
    current = context(ctx)
    render.show(current, list_features(current.project()), _lines)


@command.command("publish")
@click.argument("view")
@click.option("--as", "version", metavar="VERSION", help="Publish it as this version instead of the next.")
@click.pass_context
def publish(ctx: click.Context, view: str, version: str | None) -> None:
    """Publish what VIEW is now as a version of it.

    That is its own version, or the next if that one means something else already.

    \b
    Example:
      tally features publish user_stats
      tally features publish user_stats --as v3.1
    """
    current = context(ctx)
    render.report(current, publish_feature(current.project(), view, version), _published_lines)


def _lines(found: Features) -> Iterator[str]:
    if not found.views:
        yield "There are no views: `features.yaml` would define them."
    for view in found.views:
        yield f"{style(f'{view.view}@{view.version}', 'strong')}: {_state(view)}"
        if view.description:
            yield f"  {view.description.strip()}"
        if view.stages:
            yield f"  read by {', '.join(view.stages)}"


def _state(view: ListedView) -> str:
    if view.state == "changed":
        return f"changed; publish {view.next} with `tally features publish {view.view}`"
    if view.state == "unpublished":
        return f"not published yet: `tally features publish {view.view}`"
    return view.reason or view.state


def _published_lines(done: Published) -> Iterator[str]:
    name = f"{done.view}@{done.version}"
    yield f"{name} is {'published' if done.new else 'published already'} ({done.digest.short})"
    if done.stages:
        yield f"An older version is named by {', '.join(done.stages)}: write `{name}` there."
