"""Which stages a run is about: those that are named, with what they need or what needs them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from tallystick.errors import WrongUsage
from tallystick.runs.pipelines import Graph, Step

Reach = Literal["needed", "single", "downstream"]
"""Besides the named stages: what they need, nothing, or what needs them."""


def chosen(graph: Graph, targets: Sequence[str], folder: str, reach: Reach = "needed") -> tuple[Step, ...]:
    """The stages that are meant, in an order in which each comes after those it needs; all without targets.

    What a frozen stage needs is not asked for on its account: it does not run. Raises WrongUsage where a
    reach has no target, Refused for a target that means nothing.
    """
    if not targets:
        if reach != "needed":
            raise WrongUsage(f"`--{reach}` needs a stage", hint=f"tally run --{reach} train")
        return tuple(graph.steps.values())
    named = [address for target in targets for address in graph.addresses(target, folder)]
    if reach == "single":
        wanted = set(named)
    elif reach == "downstream":
        wanted = _closure(named, _users(graph.needs))
    else:
        frozen = {address for address, step in graph.steps.items() if step.stage.frozen}
        active = {address: () if address in frozen else needs for address, needs in graph.needs.items()}
        wanted = _closure(named, active)
    return tuple(step for address, step in graph.steps.items() if address in wanted)


def _users(needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The stages that need each stage."""
    users: dict[str, list[str]] = {address: [] for address in needs}
    for address, some in needs.items():
        for need in some:
            users[need].append(address)
    return users


def _closure(start: Iterable[str], following: Mapping[str, Sequence[str]]) -> set[str]:
    wanted: set[str] = set()
    todo = list(start)
    while todo:
        address = todo.pop()
        if address not in wanted:
            wanted.add(address)
            todo.extend(following[address])
    return wanted
