"""tally completion."""

import click

from tallystick.cli import render
from tallystick.cli.context import context
from tallystick.cli.shells import SHELLS, script


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    Example:
      eval "$(tally completion bash)"       in ~/.bashrc
      eval "$(tally completion zsh)"        in ~/.zshrc
      tally completion fish > ~/.config/fish/completions/tally.fish
    """
    render.show(
        context(ctx), {"shell": shell, "script": script(shell)}, lambda result: result["script"].splitlines()
    )
