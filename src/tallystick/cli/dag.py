"""tally dag."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import context
from tallystick.cli.options import own_folder
from tallystick.cli.text import style
from tallystick.errors import WrongUsage
from tallystick.flows.dag import Dag, Node
from tallystick.flows.dag import dag as find


@click.command("dag")
@click.argument("targets", nargs=-1, metavar="[STAGES]...", shell_complete=complete_stages)
@click.option(
    "--downstream", is_flag=True, help="Show the stages that wait for STAGES, not what these wait for."
)
@click.option("--outs", is_flag=True, help="Show what each stage makes, too.")
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flowchart, as GitHub and GitLab draw it.")
@click.option("--dot", is_flag=True, help="Print a graph for Graphviz.")
@click.pass_context
def command(
    ctx: click.Context, targets: tuple[str, ...], downstream: bool, outs: bool, mermaid: bool, dot: bool
) -> None:
    """Show which stages wait for which.

    A stage stands below what it waits for; one that waits for several stands below each of them, and `…`
    says that what follows it was shown before. Without STAGES all are shown; with them, those and all that
    they wait for.

    \b
    Examples:
      tally dag
      tally dag train --outs
      tally dag --mermaid > pipeline.mmd
      tally dag --dot | dot -Tsvg > pipeline.svg
    """
    if mermaid and dot:
        raise WrongUsage("`--mermaid` and `--dot` are two pictures", hint="ask for one at a time")
    current = context(ctx)
    project = current.project()
    folder = own_folder(project, current.directory)
    found = find(project, targets, folder=folder, downstream=downstream)
    lines: Callable[[Dag, bool], Iterable[str]] = _mermaid if mermaid else _dot if dot else _tree
    render.show(current, found, lambda shown: lines(shown, outs))


def _tree(found: Dag, outs: bool) -> Iterator[str]:
    """A stage a line, each below what it waits for."""
    if not found.stages:
        yield "There are no stages."
    nodes = {node.stage: node for node in found.stages}
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for edge in found.edges:
        after[edge.before].append(edge.after)
    waiting = {edge.after for edge in found.edges}
    seen: set[str] = set()
    for name in nodes:
        if name not in waiting:
            yield from _branches(name, nodes, after, seen, outs)


def _branches(
    root: str, nodes: Mapping[str, Node], after: Mapping[str, list[str]], seen: set[str], outs: bool
) -> Iterator[str]:
    """One stage and all below it; a loop, for a pipeline may be longer than the stack is deep."""
    todo = [(root, "", "")]
    while todo:
        name, fork, indent = todo.pop()
        known = name in seen
        seen.add(name)
        below = after[name]
        yield fork + _label(nodes[name], outs) + (" …" if known and below else "")
        if not known:
            for position, following in enumerate(reversed(below)):
                last = position == 0
                todo.append(
                    (following, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))
                )


def _label(node: Node, outs: bool) -> str:
    frozen = " (frozen)" if node.frozen else ""
    made = f": {', '.join(node.outs)}" if outs and node.outs else ""
    return f"{style(node.stage, 'strong')}{frozen}{made}"


def _mermaid(found: Dag, outs: bool) -> Iterator[str]:
    names = {node.stage: f"s{number}" for number, node in enumerate(found.stages)}
    yield "flowchart TD"
    for node in found.stages:
        made = "".join(f"<br>{_entities(path)}" for path in node.outs) if outs else ""
        yield f'    {names[node.stage]}["{_entities(node.stage)}{made}"]'
    for edge in found.edges:
        yield f"    {names[edge.before]} --> {names[edge.after]}"


def _entities(text: str) -> str:
    """A text in which nothing means anything to Mermaid."""
    return "".join(c if c.isalnum() or c in " _-./@:," else f"#{ord(c)};" for c in text)


def _dot(found: Dag, outs: bool) -> Iterator[str]:
    yield "digraph tally {"
    yield "  node [shape=box];"
    for node in found.stages:
        label = "\\n".join(map(_quoted, (node.stage, *node.outs))) if outs else _quoted(node.stage)
        yield f'  "{_quoted(node.stage)}" [label="{label}"];'
    for edge in found.edges:
        yield f'  "{_quoted(edge.before)}" -> "{_quoted(edge.after)}";'
    yield "}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
