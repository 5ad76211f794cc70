"""tally show."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.options import own_folder
from tallystick.cli.text import count_text, seconds_text, size_text, style, table
from tallystick.cli.verdicts import outcome_text, spread_lines, stage_lines
from tallystick.data.tracked import Tracked
from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.flows.show import Shown
from tallystick.flows.show import show as find
from tallystick.records.provenance import Container
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.verdict import Verdict

FILES = "tallystick.cli.verdictfiles"
"""What writes a verdict as a page or report: loaded where one is asked for."""

_TRACES = {
    "none": "none",
    "python": "Python's own opens",
    "strace": "every file that was opened (strace)",
    "enforce": "what isn't declared was denied (Landlock)",
}

_TRACKERS = {"mlflow": "MLflow", "wandb": "W&B"}


@click.command("show")
@click.argument("target", shell_complete=complete_stages)
@click.option("--output", "whole_output", is_flag=True, help="Show all that the command wrote, not its end.")
@click.option("--html", metavar="FILE", help="Write a verdict as a page for a browser, too.")
@click.option("--junit", metavar="FILE", help="Write a verdict as JUnit XML.")
@click.pass_context
def command(ctx: click.Context, /, target: str, whole_output: bool, **files: str | None) -> None:
    """Show one run, stage or path in full.

    TARGET is a run's or verdict's id from `tally log`, a stage, or a path: then it is the run that made it.

    \b
    Examples:
      tally show train
      tally show 3f2a91c0 --output
      tally show model.npz
      tally show 099c74e72a56 --html verdict.html
    """
    current = context(ctx)
    project = current.project()
    folder = own_folder(project, current.directory)
    found = find(project, target, folder=folder, whole_output=whole_output)
    wanted = any(file is not None for file in files.values())
    written = import_module(FILES).verdict_files(current, found, files) if wanted else ()
    render.show(current, found, _lines)
    for line in written:
        render.say(current, line)
    render.finish(0 if found.edited is None else BadRecord.exit_code)


def _lines(found: Shown) -> Iterator[str]:
    if found.tracked is not None:
        yield from _tracked_lines(found.tracked)
    if found.edited is not None:
        yield style(
            f"edited by hand: its run is {found.edited.short}, shown by `tally show {found.edited.short}`",
            "bad",
        )
    if found.receipt is not None and found.run is not None:
        yield from _receipt_lines(found.run, found.receipt)
    if found.verdict is not None and found.run is not None:
        yield from _verdict_lines(found.run, found.verdict)
    yield from _output_lines(found)
    yield from (f"note: {note}" for note in found.notes)


def _tracked_lines(tracked: Tracked) -> Iterator[str]:
    pointer = tracked.pointer
    what = "file" if pointer.files is None else f"folder of {count_text(pointer.files, 'file')}"
    yield f"{style(tracked.path, 'strong')}: {what}, {size_text(pointer.size)}"
    yield f"  {pointer.digest}"


def _receipt_lines(run: Digest, receipt: Receipt) -> Iterator[str]:
    yield f"run {run.hex()}"
    yield from table(list(_facts(receipt)))
    yield from _artifacts("deps", receipt.deps, receipt)
    yield from _values("params", receipt.params)
    yield from _values("variables", {"": receipt.variables})
    yield from _artifacts("outs", receipt.outs, receipt)
    yield from _values("metrics", receipt.metrics)
    yield from _values("settings that change numbers", {"": receipt.environment.settings})
    yield from _paths("other packages than locked", receipt.environment.drift)
    # Under `enforce` most of it was denied, but for what lies in a folder that is open for an out.
    read, written = ("tried to read", "tried to write") if receipt.trace == "enforce" else ("read", "written")
    yield from _paths(f"{read} without being declared", receipt.undeclared)
    yield from _paths(f"{written} without being declared", receipt.undeclared_writes)


def _paths(title: str, paths: Sequence[str]) -> Iterator[str]:
    if paths:
        yield title
        yield from (f"  {path}" for path in paths)


def _facts(receipt: Receipt) -> Iterator[list[str]]:
    """What is known of the run, one fact a row; what there is none of is left out."""
    for rows in (_run_facts(receipt), _code_facts(receipt), _machine_facts(receipt)):
        yield from ([f"  {name}", value] for name, value in rows if value)
    yield from (
        [f"  {_TRACKERS[each.kind]}", f"run {each.id} {each.uri}".rstrip()] for each in receipt.trackers
    )
    yield ["  author", receipt.author]
    yield ["  written by", receipt.tool]


def _run_facts(receipt: Receipt) -> Iterator[tuple[str, str]]:
    good = receipt.status == "succeeded"
    status = style(receipt.status, "good" if good else "bad")
    yield "stage", receipt.stage
    yield "status", status if good else f"{status} (exit code {receipt.exit_code})"
    yield "cause", receipt.cause or ""
    yield "command", receipt.cmd if isinstance(receipt.cmd, str) else " ".join(receipt.cmd)
    yield "in", receipt.wdir + (", in a temporary worktree" if receipt.isolated else "")
    yield "started", f"{receipt.started}, took {seconds_text(receipt.seconds)}"
    yield "seed", "none" if receipt.seed is None else str(receipt.seed)
    yield "trace", _TRACES[receipt.trace]
    yield "features", ", ".join(f"{each.view}@{each.version}" for each in receipt.features)
    yield "series", "" if receipt.series is None else str(receipt.series)


def _code_facts(receipt: Receipt) -> Iterator[tuple[str, str]]:
    code, environment = receipt.code, receipt.environment
    changes = " and uncommitted changes" if code.dirty else ""
    yield "commit", f"{code.commit}{changes}" if code.commit else "none yet"
    yield "code tree", code.tree
    yield "left out", ", ".join(code.left_out)
    yield "submodules", ", ".join(f"{path} at {commit[:10]}" for path, commit in code.submodules.items())
    if environment.container is not None:
        yield from _image_facts(environment.container)
    else:
        yield "Python", f"{environment.python} on {environment.platform}"
        yield "environment", str(environment.lock or "none")
    yield "lock files", ", ".join(f"{file.path} {file.digest.short}" for file in environment.locks)


def _image_facts(container: Container) -> Iterator[tuple[str, str]]:
    known = container.repository is not None and container.digest is not None
    yield "image", f"{container.image} on {container.platform}"
    yield "image's ID", container.config
    yield "registry has it as", f"{container.repository}@{container.digest}" if known else "not known"
    yield "run by", f"{container.engine} {container.version}".rstrip()


def _machine_facts(receipt: Receipt) -> Iterator[tuple[str, str]]:
    machine, host = receipt.hardware, receipt.host
    yield "machine", f"{machine.cpu}, {count_text(machine.cores, 'core')}, {size_text(machine.memory)}"
    yield "processor has", " ".join(machine.flags)
    yield "cards", f"{', '.join(machine.gpus)} ({', '.join(machine.drivers)})" if machine.gpus else "none"
    if host is not None:
        where = " in a container" if host.container else ""
        yield "system", f"{host.system} {host.kernel}{where}, {host.libc or 'unknown libc'}"


def _artifacts(title: str, artifacts: Sequence[Artifact], receipt: Receipt) -> Iterator[str]:
    if artifacts:
        yield title
        yield from table(
            [[f"  {each.path}", size_text(each.size), _about(each, receipt)] for each in artifacts]
        )


def _about(artifact: Artifact, receipt: Receipt) -> str:
    """Its digest, the run that made it, and whether it held still."""
    maker = receipt.produced_by.get(artifact.path)
    made = f" made by run {maker.removeprefix('blake3:')[:12]}" if maker else ""
    changed = " (changed during the run)" if artifact.path in receipt.changed else ""
    return f"{artifact.digest.short}{made}{changed}"


def _values(title: str, files: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        [f"  {key}", _shown(value), file] for file, values in files.items() for key, value in values.items()
    ]
    if rows:
        yield title
        yield from table(rows)


def _shown(value: object) -> str:
    return "not set" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _verdict_lines(identity: Digest, verdict: Verdict) -> Iterator[str]:
    yield f"verdict {identity.hex()}"
    yield from table(
        [
            ["  target", verdict.target],
            ["  commit", verdict.commit or "none"],
            ["  started", verdict.started],
            ["  Python", f"{verdict.python} on {verdict.platform}"],
            ["  environment", str(verdict.environment or "none")],
            *([["  by", verdict.author]] if verdict.author else []),
            *([["  machine", verdict.hardware.cpu]] if verdict.hardware else []),
            *(["  enforced", fact] for fact in verdict.enforced),
            *(["  not as recorded", line] for line in verdict.unlike),
            *(["  note", note] for note in verdict.notes),
            ["  outcome", outcome_text(verdict.outcome)],
        ]
    )
    for stage in verdict.stages:
        yield from stage_lines(stage)
    yield from spread_lines(verdict)


def _output_lines(found: Shown) -> Iterator[str]:
    if found.output is None:
        if found.receipt is not None and found.receipt.tail:
            yield from _paths("output (its end, as the receipt has it)", found.receipt.tail)
        return
    shown = found.output.splitlines()
    rest = found.output_lines - len(shown)
    yield f"output (the last {len(shown)} lines; `--output` shows {rest} more)" if rest else "output"
    yield from (f"  {line}" for line in shown)
