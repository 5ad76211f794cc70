"""The table of commands, loaded when they are called, and the one place that catches errors."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from tallystick import __version__
from tallystick.cli.context import Context
from tallystick.cli.failure import exit_code_of
from tallystick.cli.options import common_options
from tallystick.cli.shells import answer, asked
from tallystick.errors import WrongUsage


class Verb(NamedTuple):
    """One line of the help: where a command lies and what it does."""

    module: str
    summary: str


def _verb(name: str, summary: str) -> tuple[str, Verb]:
    return name, Verb(f"tallystick.cli.{name}", summary)


SECTIONS: dict[str, dict[str, Verb]] = {
    "Start": dict(
        [
            _verb("init", "Make this git repository a Tallystick project."),
            _verb("doctor", "Find out what is wrong here and how to repair it."),
        ]
    ),
    "Track data": dict(
        [
            _verb("add", "Store files and folders, and track them by pointers."),
            _verb("remove", "Stop tracking files and folders."),
            _verb("status", "Show what changed in data and stages, and why."),
            _verb("unprotect", "Make shared, read-only data writable, as copies of your own."),
        ]
    ),
    "Share": dict(
        [
            _verb("push", "Send the blobs that the remote lacks."),
            _verb("fetch", "Bring blobs into the local store."),
            _verb("pull", "Fetch, and place the data in the worktree."),
            _verb("remote", "Name the places where blobs are kept."),
            _verb("export", "Show runs in another tool."),
        ]
    ),
    "Go back in time": dict(
        [
            _verb("checkout", "Bring back a commit's code, data and environment."),
            _verb("diff", "Compare data, params, metrics and environment."),
            _verb("log", "List the runs, newest first."),
            _verb("plots", "Draw metrics and plots, of several runs over each other."),
        ]
    ),
    "Run and reproduce": dict(
        [
            _verb("run", "Execute the stages that are out of date."),
            _verb("sweep", "Run stages at every point of a grid of parameters."),
            _verb("dag", "Show which stages wait for which."),
            _verb("features", "Name what a view means, version by version."),
            _verb("repro", "Rebuild a past run, execute it again and compare."),
            _verb("bisect", "Find the commit that made a metric bad."),
            _verb("show", "Show one run, stage or path in full."),
            _verb("env", "Record, compare, build and keep environments."),
            _verb("check", "Check that everything is tracked, stored and receipted."),
        ]
    ),
    "Settings": dict(
        [
            _verb("config", "Read and change settings."),
            _verb("completion", "Print the completion script for a shell."),
        ]
    ),
}

VERBS: dict[str, Verb] = {name: verb for section in SECTIONS.values() for name, verb in section.items()}


class Program(click.Group):
    """A group that imports a command's file only when that command is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command and give it the options that all have."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command = import_module(verb.module).command
        assert isinstance(command, click.Command)
        _with_common_options(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; raise WrongUsage, with a guess, if there is none of that name."""
        name = args[0]
        if name not in VERBS and not name.startswith("-") and not ctx.resilient_parsing:
            raise WrongUsage(f"there is no command `{name}`", hint=_guess(name))
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what a person wants to do, without loading them."""
        width = max(map(len, VERBS))
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), verb.summary) for name, verb in verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands, without loading them, and the program's own options."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=verb.summary)
            for name, verb in VERBS.items()
            if name.startswith(incomplete)
        ]


def _guess(name: str) -> str:
    """What to do about a name that is no command's: most are mistyped."""
    close = [verb for verb in VERBS if verb[:3] == name[:3] or sorted(verb) == sorted(name)]
    return f"did you mean `tally {close[0]}`?" if close else "see `tally --help`"


def _with_common_options(command: click.Command) -> None:
    """Add the common options to a command and its subcommands, once."""
    if isinstance(command, click.Group):
        for part in command.commands.values():
            _with_common_options(part)
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params.extend(option for option in common_options() if taken.isdisjoint(option.opts))


@click.pass_context
def _without_command(ctx: click.Context) -> None:
    """Say what there is to call, to somebody who called nothing."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(WrongUsage.exit_code)


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"tally {__version__}")
        ctx.exit()


program = Program(
    "tally",
    callback=_without_command,
    invoke_without_command=True,
    help="""Version data, models, environments and runs beside your code in git.

    \b
    tally init                 in a git repository
    tally add data/images      a pointer goes into git, the data into the store
    tally run                  stages that are out of date, each with a receipt
    tally push                 blobs to a folder or bucket of your own
    tally repro HEAD~1         does that run still give the same result?
    """,
    epilog="`tally COMMAND --help` says more. Also reachable as `git tally COMMAND`.",
    params=[
        *common_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code, having said on stderr what went wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    current = Context()
    try:
        if asked():
            return answer(program)
        with program.make_context("tally", given.copy(), obj=current) as ctx:
            program.invoke(ctx)
        sys.stdout.flush()
    except BaseException as error:  # the one catch: whatever happens becomes a sentence and an exit code
        return exit_code_of(error, current, given)
    return 0
