"""tally doctor."""

from collections.abc import Iterator

import click

from tallystick.cli import render
from tallystick.cli.context import context, settings_home
from tallystick.cli.text import style
from tallystick.flows.doctor import Diagnosis, Finding, doctor

_KINDS = {"good": "good", "warning": "changed", "bad": "bad"}


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Do not contact the remotes.")
@click.pass_context
def command(ctx: click.Context, offline: bool) -> None:
    """Find out what is wrong here and how to repair it.

    Looks at the programs, the repository, the local store, the pointers and the remotes, and changes nothing.
    Exit code 1 says that something is bad.

    \b
    Example:
      tally doctor --offline
    """
    current = context(ctx)
    result = doctor(current.directory, settings_home(), remotes=not offline)
    render.show(current, result, _lines)
    render.finish(0 if result.healthy else 1)


def _lines(result: Diagnosis) -> Iterator[str]:
    width = max(len(finding.what) for finding in result.findings)
    for finding in result.findings:
        yield f"{style(finding.outcome.ljust(7), _KINDS[finding.outcome])}  {_sentence(finding, width)}"
        if finding.hint:
            yield f"{'':9}{'':{width}}  {finding.hint}"


def _sentence(finding: Finding, width: int) -> str:
    return f"{finding.what.ljust(width)}  {finding.found}"
