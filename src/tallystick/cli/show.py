"""tally show."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.options import to_project_path
from tallystick.cli.repro import outcome_text, stage_lines
from tallystick.cli.text import count_text, seconds_text, size_text, style, table
from tallystick.data.tracked import Tracked
from tallystick.digest import Digest
from tallystick.flows.show import Shown
from tallystick.flows.show import show as find
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.verdict import Verdict

_TRACES = {
    "none": "none",
    "python": "Python's own opens",
    "strace": "every file that was opened (strace)",
    "enforce": "what isn't declared was denied (Landlock)",
}


@click.command("show")
@click.argument("target", shell_complete=complete_stages)
@click.option("--output", "whole_output", is_flag=True, help="Show all that the command wrote, not its end.")
@click.pass_context
def command(ctx: click.Context, target: str, whole_output: bool) -> None:
    """Show one run, stage or path in full.

    TARGET is a run's or verdict's id from `tally log`, a stage, or a path: then it is the run that made it.

    \b
    Examples:
      tally show train
      tally show 3f2a91c0 --output
      tally show model.npz
    """
    current = context(ctx)
    project = current.project()
    folder = to_project_path(project, ".", current.directory)
    found = find(project, target, folder="" if folder == "." else folder, whole_output=whole_output)
    render.show(current, found, _lines)


def _lines(found: Shown) -> Iterator[str]:
    if found.tracked is not None:
        yield from _tracked_lines(found.tracked)
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
    yield from _paths("read without being declared", receipt.undeclared)
    yield from _paths("written without being declared", receipt.undeclared_writes)


def _paths(title: str, paths: Sequence[str]) -> Iterator[str]:
    if paths:
        yield title
        yield from (f"  {path}" for path in paths)


def _facts(receipt: Receipt) -> Iterator[list[str]]:
    good = receipt.status == "succeeded"
    status = style(receipt.status, "good" if good else "bad")
    code, machine = receipt.code, receipt.hardware
    yield ["  stage", receipt.stage]
    yield ["  status", status if good else f"{status} (exit code {receipt.exit_code})"]
    yield ["  command", receipt.cmd if isinstance(receipt.cmd, str) else " ".join(receipt.cmd)]
    yield ["  in", receipt.wdir]
    yield ["  started", f"{receipt.started}, took {seconds_text(receipt.seconds)}"]
    yield ["  commit", f"{code.commit or 'none'}{' and uncommitted changes' if code.dirty else ''}"]
    yield ["  code tree", code.tree]
    if code.left_out:
        yield ["  left out", ", ".join(code.left_out)]
    yield ["  seed", "none" if receipt.seed is None else str(receipt.seed)]
    yield ["  Python", f"{receipt.environment.python} on {receipt.environment.platform}"]
    yield ["  environment", str(receipt.environment.lock or "none")]
    yield ["  trace", _TRACES[receipt.trace]]
    yield ["  machine", f"{machine.cpu}, {count_text(machine.cores, 'core')}, {size_text(machine.memory)}"]
    if machine.gpus:
        yield ["  cards", f"{', '.join(machine.gpus)} ({', '.join(machine.drivers)})"]
    yield ["  author", receipt.author]
    yield ["  written by", receipt.tool]


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
            ["  outcome", outcome_text(verdict.outcome)],
        ]
    )
    for stage in verdict.stages:
        yield from stage_lines(stage)


def _output_lines(found: Shown) -> Iterator[str]:
    if found.output is None:
        return
    shown = found.output.splitlines()
    rest = found.output_lines - len(shown)
    yield f"output (the last {len(shown)} lines; `--output` shows {rest} more)" if rest else "output"
    yield from (f"  {line}" for line in shown)
