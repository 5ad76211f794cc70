"""tally config."""

from collections.abc import Iterator

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.text import table
from tallystick.errors import WrongUsage
from tallystick.flows.config import Settings, change_config, config


@click.command("config")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--local", is_flag=True, help="Change this machine's settings, not `.tallyconfig`.")
@click.option("--unset", is_flag=True, help="Take the key out.")
@click.pass_context
def command(ctx: click.Context, key: str | None, value: str | None, local: bool, unset: bool) -> None:
    """Read and change settings.

    Shared settings stand in `.tallyconfig`, which git tracks. Endpoints, profiles and whatever belongs to one
    person or machine go into git's own settings with `--local`, and win over the shared ones.

    \b
    Example:
      tally config
      tally config core.remote cloud
      tally config --local remote.cloud.profile work
    """
    current = context(ctx)
    if unset and (key is None or value is not None):
        raise WrongUsage("`--unset` takes one key and no value")
    if key is not None and (unset or value is not None):
        result = change_config(current.project(), key, None if unset else value, shared=not local)
        render.report(current, result, lambda _settings: ())
    elif key is not None:
        render.show(current, config(current.project(), key), _value)
    else:
        render.show(current, config(current.project()), _listing)


def _value(result: Settings) -> Iterator[str]:
    """The value that counts."""
    yield result.settings[-1].value


def _listing(result: Settings) -> list[str]:
    rows = [
        (setting.key, setting.value, "" if setting.shared else "this machine") for setting in result.settings
    ]
    return table(rows)
