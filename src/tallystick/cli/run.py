"""tally run."""

import os
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.options import (
    MOST_JOBS,
    dry_run_option,
    force_option,
    own_folder,
    trust_option,
)
from tallystick.cli.prompt import with_grant
from tallystick.cli.text import ago_text, seconds_text, style
from tallystick.errors import WrongUsage
from tallystick.flows.run import Ran, Request
from tallystick.flows.run import run as run_stages
from tallystick.records.stage import PARAMS, Out, ParamFile, Stage
from tallystick.runs.attending import StageRun
from tallystick.runs.selection import Reach

_PARTS = ("deps", "params", "outs", "plain", "metrics", "plots", "variables", "wdir", "seed")
"""The options that describe a new stage."""


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
@click.option("-s", "--single", is_flag=True, help="Only the named stages, not what they need.")
@click.option("--downstream", is_flag=True, help="The named stages and what needs them, not what they need.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, go on with what does not need it.")
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(1, MOST_JOBS),
    default=1,
    help="How many stages run at the same time.",
)
@click.option("--declare", is_flag=True, help="Add what a stage was seen to read to its deps in tally.yaml.")
@click.option("--isolated", is_flag=True, help="Run in a temporary worktree, so that you can go on editing.")
@click.option("--no-reuse", is_flag=True, help="Run, even where the ledger has a run of the same inputs.")
@force_option("Run stages that are up to date, too; replace a stage of that name.")
@dry_run_option("Say what would run and why, and run nothing.")
@trust_option()
@click.pass_context
def command(
    ctx: click.Context, /, words: tuple[str, ...], name: str | None, trust: bool, **options: Any
) -> None:
    """Execute the stages that are out of date.

    Each gets a receipt. A stage is out of date when its command, deps, params, seed, variables, packages or
    outs are not what its receipt says. Without STAGES all stages are looked at; with them, those and what
    they depend on. Where the ledger has a successful run of exactly these inputs, and its outs can be had,
    they are taken over instead of running.

    \b
    Examples:
      tally run
      tally run -j 4 --keep-going
      tally run -S train.lr=0.1 train
      tally run --declare train
      tally run -n train -d train.py -p train -o model.npz -m metrics.json -- python train.py
    """
    current = context(ctx)
    project = current.project()
    folder = own_folder(project, current.directory)
    stage = _stage(name, words, {part: options.pop(part) for part in _PARTS})
    request = _request(words, stage, folder, **options)
    result = with_grant(
        current,
        trust,
        lambda: run_stages(
            project, request, variables=dict(os.environ), output=current.output(), progress=current.progress()
        ),
    )
    render.report(current, result, _lines)
    ctx.exit(result.exit_code)


def _request(
    words: tuple[str, ...],
    stage: Stage | None,
    folder: str,
    *,
    overrides: tuple[str, ...],
    single: bool,
    downstream: bool,
    no_reuse: bool,
    **flags: Any,
) -> Request:
    """What the options ask for; `flags` are those that the flow calls the same."""
    return Request(
        targets=() if stage else words,
        folder=folder,
        stage=stage,
        overrides=overrides,
        reach=_reach(single, downstream),
        reuse=not no_reuse,
        **flags,
    )


def _reach(single: bool, downstream: bool) -> Reach:
    if single and downstream:
        raise WrongUsage("`--single` and `--downstream` exclude each other")
    return "single" if single else "downstream" if downstream else "needed"


def _stage(name: str | None, words: Sequence[str], parts: dict[str, Any]) -> Stage | None:
    """The stage that the options describe; None without a name."""
    if name is None:
        if any(value is not None and value != () for value in parts.values()):
            raise WrongUsage("the options that describe a stage need its name", hint="add `--name NAME`")
        return None
    if not words:
        raise WrongUsage(f"stage `{name}` has no command", hint=f"tally run -n {name} … -- python train.py")
    return _described(name, words, **parts)


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
    elif stage.complaint is not None:
        yield f"{name}: {style(stage.status, 'bad')}: {stage.complaint}"
        if stage.hint is not None:
            yield f"  {stage.hint}"
    elif stage.run is None:
        yield f"{name}: {stage.status}"
    else:
        yield f"{name}: {_outcome(stage)}"
        for values in stage.metrics.values():
            yield from (f"  {key} = {value:g}" for key, value in values.items())


def _outcome(stage: StageRun) -> str:
    identity = "" if stage.run is None else stage.run.short
    if stage.made is not None:
        started, author = stage.made
        whose = author.partition(" <")[0]
        return f"{style('reused', 'good')} run {identity} of {ago_text(started)} by {whose}"
    return f"{style(stage.status, 'good')} in {seconds_text(stage.seconds or 0.0)} (run {identity})"
