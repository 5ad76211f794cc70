"""tally run."""

import os
import shlex
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.options import dry_run_option, force_option, to_project_path, trust_option
from tallystick.cli.prompt import with_grant
from tallystick.cli.text import seconds_text, style
from tallystick.errors import WrongUsage
from tallystick.flows.run import Ran, Request, StageRun
from tallystick.flows.run import run as run_stages
from tallystick.records.stage import PARAMS, Out, ParamFile, Stage


@click.command("run")
@click.argument("words", nargs=-1, metavar="[STAGES]... [-- COMMAND...]", shell_complete=complete_stages)
@click.option(
    "-n", "--name", metavar="NAME", help="Write a stage NAME for COMMAND into tally.yaml, and run it."
)
@click.option("-d", "--dep", "deps", multiple=True, metavar="PATH", help="The new stage reads PATH.")
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="[FILE:]KEY",
    help="… reads a key of params.yaml, or of FILE.",
)
@click.option(
    "-o", "--out", "outs", multiple=True, metavar="PATH", help="… makes PATH, tracked like `tally add`."
)
@click.option(
    "-O", "--out-in-git", "plain", multiple=True, metavar="PATH", help="… makes PATH, which git keeps."
)
@click.option(
    "-m", "--metrics", multiple=True, metavar="PATH", help="… writes numbers to PATH, which git keeps."
)
@click.option("--plots", multiple=True, metavar="PATH", help="… writes a curve to PATH.")
@click.option("-w", "--wdir", metavar="DIR", help="… runs in DIR.")
@click.option("-e", "--variable", "variables", multiple=True, metavar="NAME", help="… depends on a variable.")
@click.option("--seed", type=click.IntRange(0), help="… gets this seed.")
@click.option(
    "-S",
    "--set-param",
    "overrides",
    multiple=True,
    metavar="[FILE:]KEY=VALUE",
    help="Change a parameter first.",
)
@force_option("Run stages that are up to date, too; replace a stage of that name.")
@dry_run_option("Say what would run and why, and run nothing.")
@trust_option()
@click.pass_context
def command(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    name: str | None,
    overrides: tuple[str, ...],
    force: bool,
    dry_run: bool,
    trust: bool,
    **parts: object,
) -> None:
    """Execute the stages that are out of date.

    Each gets a receipt. A stage is out of date when its command, deps, params, seed, variables, packages or
    outs are not what its receipt says. Without STAGES all stages are looked at; with them, those and what
    they depend on.

    \b
    Examples:
      tally run
      tally run -S train.lr=0.1 train
      tally run -n train -d train.py -p train -o model.npz -m metrics.json -- python train.py
    """
    current = context(ctx)
    project = current.project()
    folder = to_project_path(project, ".", current.directory)
    stage = _stage(name, words, parts)
    request = Request(
        targets=() if stage else words,
        folder="" if folder == "." else folder,
        stage=stage,
        overrides=overrides,
        force=force,
        dry_run=dry_run,
    )
    result = with_grant(
        current,
        trust,
        lambda: run_stages(
            project, request, variables=dict(os.environ), output=current.output(), progress=current.progress()
        ),
    )
    render.report(current, result, _lines)


def _stage(name: str | None, words: Sequence[str], parts: dict[str, object]) -> Stage | None:
    """The stage that the options describe; None without a name."""
    if name is None:
        if any(value is not None and value != () for value in parts.values()):
            raise WrongUsage("the options that describe a stage need its name", hint="add `--name NAME`")
        return None
    if not words:
        raise WrongUsage(f"stage `{name}` has no command", hint=f"tally run -n {name} … -- python train.py")
    return _described(name, words, **parts)  # type: ignore[arg-type]


def _described(
    name: str,
    words: Sequence[str],
    *,
    deps: tuple[str, ...],
    params: tuple[str, ...],
    outs: tuple[str, ...],
    plain: tuple[str, ...],
    metrics: tuple[str, ...],
    plots: tuple[str, ...],
    variables: tuple[str, ...],
    wdir: str | None,
    seed: int | None,
) -> Stage:
    return Stage(
        name=name,
        cmd=words[0] if len(words) == 1 else shlex.join(words),
        wdir=wdir or ".",
        deps=deps,
        params=_params(params),
        outs=(*map(Out, outs), *(Out(path, cache=False) for path in plain)),
        metrics=tuple(Out(path, cache=False) for path in metrics),
        plots=tuple(map(Out, plots)),
        seed=seed,
        variables=variables,
    )


def _params(texts: Sequence[str]) -> tuple[ParamFile, ...]:
    """`train.lr,seed` of params.yaml, `other.yaml:lr`, or `other.yaml:` for the whole file."""
    keys: dict[str, list[str]] = {}
    for text in texts:
        file, colon, names = text.rpartition(":")
        known = keys.setdefault(file if colon else PARAMS, [])
        known.extend(name for name in names.split(",") if name)
    return tuple(ParamFile(file, tuple(dict.fromkeys(names))) for file, names in keys.items())


def _lines(result: Ran) -> Iterator[str]:
    if not result.stages:
        yield "There is no stage: write a `tally.yaml`, or see `tally run --help`."
    for stage in result.stages:
        yield from _stage_lines(stage)
    yield from (f"note: {note}" for note in result.notes)
    idle = [stage for stage in result.stages if stage.status == "up to date"]
    if idle and len(idle) == len(result.stages) and not result.dry_run:
        yield "Nothing to do: commands, deps, params, seeds, variables, packages and outs"
        yield "are what the receipts say."


def _stage_lines(stage: StageRun) -> Iterator[str]:
    name = style(stage.stage, "strong")
    if stage.status == "would run":
        yield f"{name}: would run `{stage.command}`"
        yield from (f"  {reason}" for reason in stage.reasons)
    elif stage.run is None:
        yield f"{name}: {stage.status}"
    else:
        seconds = seconds_text(stage.seconds or 0.0)
        yield f"{name}: {style(stage.status, 'good')} in {seconds} (run {stage.run.short})"
        for values in stage.metrics.values():
            yield from (f"  {key} = {value:g}" for key, value in values.items())
