"""Send what workers of a cluster need for a sweep, and take in what they found."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tallystick import __version__
from tallystick.data.blobs import bring_lists, wanted_digests
from tallystick.data.tracked import Selected, owner_of, pointers_of
from tallystick.digest import Digest
from tallystick.engines.cluster import Task
from tallystick.errors import BadRecord, GitFailed, Refused, RemoteUnreachable
from tallystick.frozen import dataclass
from tallystick.git import exchange
from tallystick.progress import Progress
from tallystick.project import Project, open_remote
from tallystick.project.settings import HIDDEN, presentable
from tallystick.records import receipt as receipts
from tallystick.records.config import redacted
from tallystick.records.receipt import Receipt
from tallystick.reproduction.apart import State, tracked_at
from tallystick.reproduction.points import Plan, from_plain
from tallystick.runs import ledger
from tallystick.runs.accounts import refuse_secrets
from tallystick.runs.attending import StageRun
from tallystick.runs.inputs import out_now
from tallystick.runs.pipelines import Step
from tallystick.store import transfer

REF = "refs/tally/sweeps/{}/{}"
"""Where the code of a sweep, and the ledger, lie at git's remote while it goes on."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """What lies ready for workers: the worktree's state as a commit at git's remote, the data at the remote.

    `commit` is made around the state after `head`; `remote` holds settings without secrets.
    """

    url: str
    head: str
    commit: str
    ref: str
    ledger: str | None
    remote: Mapping[str, Any]
    author: str


@contextmanager
def shipped(
    project: Project, plans: Sequence[Plan], state: State, *, reuse: bool, progress: Progress
) -> Iterator[Shipment]:
    """Send data, code and, to have runs reused, the ledger; in the end code and ledger are taken back.

    Raises Refused where workers could not have what a stage reads.
    """
    git_remote, url = _git_remote(project)
    head = state.standing.commit
    if head is None:
        raise Refused("workers fetch commits, and none has been made yet", hint="git commit")
    remote = _remote(project)
    _send_data(project, state, [step for plan in plans for step in plan.steps], head, progress)
    commit = exchange.commit_of(project.git, state.tree, head)
    name = os.urandom(8).hex()
    refs = {REF.format(name, "code"): commit}
    told = project.git.resolve_ref(ledger.REF) if reuse else None
    if told is not None:
        refs[REF.format(name, "ledger")] = told
    progress.say(f"sending the code to git's remote `{git_remote}`")
    try:
        for ref, target in refs.items():
            project.git.push_ref(git_remote, f"{target}:{ref}")
        code, *others = refs
        yield Shipment(url, head, commit, code, others[0] if others else None, remote, project.git.author())
    finally:
        for ref in refs:
            with suppress(GitFailed, RemoteUnreachable):
                project.git.push_ref(git_remote, f":{ref}")


def task_of(
    shipment: Shipment, plan: Plan, state: State, variables: Mapping[str, str], *, reuse: bool
) -> Task:
    """One point, in plain values; only commands that were allowed stand in it, and no secret."""
    named = sorted({name for step in plan.steps for name in step.stage.variables})
    recorded = {name: variables.get(name) for name in named}
    refuse_secrets(plan.steps, {}, recorded, variables)
    return {
        "version": __version__,
        "url": shipment.url,
        "ref": shipment.ref,
        "ledger": shipment.ledger,
        "commit": shipment.commit,
        "head": shipment.head,
        "tree": state.tree,
        "left_out": list(state.standing.left_out),
        "submodules": dict(state.standing.submodules),
        "remote": shipment.remote,
        "author": shipment.author,
        "edits": {path: text.decode() for path, text in plan.edits.items()},
        "stages": [step.address for step in plan.steps],
        "commands": [step.command for step in plan.steps],
        "variables": recorded,
        "reuse": reuse,
    }


def received(project: Project, plan: Plan, result: Task) -> tuple[StageRun, ...]:
    """What became of a point's stages, once the receipts of those that ran are in the ledger.

    Raises BadRecord for a receipt that isn't of this point.
    """
    if result["objects"]:
        exchange.unpack(project.git, result["objects"])
    kept = {_kept(project, plan, text.encode()) for text in result["receipts"]}
    stages = tuple(map(from_plain, result["stages"]))
    for stage in stages:
        if stage.status in ("succeeded", "failed") and stage.run is not None and stage.run not in kept:
            raise BadRecord(f"a worker tells of run {stage.run.short} without its receipt")
    return stages


def _kept(project: Project, plan: Plan, data: bytes) -> Digest:
    """Put a receipt from a worker into the ledger."""
    receipt = receipts.parse(data, "a worker's receipt")
    identity = Digest.of(data)
    steps = {step.address: step for step in plan.steps}
    step = steps.get(receipt.stage)
    if step is None or receipt.cmd != step.stage.cmd or receipts.render(receipt) != data:
        raise BadRecord(f"a worker sent a receipt of something else: run {identity.short}")
    _require_code(project, receipt)
    return ledger.append(project, receipt)


def _require_code(project: Project, receipt: Receipt) -> None:
    """The code that ran stands beside its receipt: it must have come."""
    try:
        project.git.tree_of(receipt.code.tree)
    except Refused as error:
        raise BadRecord(f"a worker sent a receipt without its code, `{receipt.code.tree}`") from error


def _git_remote(project: Project) -> tuple[str, str]:
    """Through which of git's remotes workers get the code, and its address."""
    name = project.git.default_remote()
    if name is None:
        raise Refused(
            "workers fetch the code by git, and this repository has no remote",
            hint="git remote add origin <folder or URL that the workers reach>",
        )
    url = exchange.url_of(project.git, name)
    if redacted(url) != url:
        raise Refused(
            f"the address of git's remote `{name}` holds a password, which workers are not sent",
            hint="take it out (`git remote set-url`), and give workers credentials of their own",
        )
    return name, url


def _remote(project: Project) -> dict[str, Any]:
    """The remote's name and settings, without those that are secrets: workers have their own."""
    name = project.config.default_remote
    if name is None:
        raise Refused(
            "workers fetch data from a remote, and send results there: this project has none",
            hint="tally remote add origin <directory or URL>",
        )
    remote = project.config.remotes[name]
    if redacted(remote.url) != remote.url:
        raise Refused(f"the URL of remote `{name}` holds a password, which workers are not sent")
    shown = {key: value for key, value in remote.options.items() if presentable(key, value) != HIDDEN}
    return {"name": name, "settings": {"url": remote.url, **shown}}


def _send_data(project: Project, state: State, steps: Sequence[Step], head: str, progress: Progress) -> None:
    """Make what stages read durable at the remote; refuse what workers would see otherwise than it stands."""
    made = {out.path for step in steps for out in step.outs}
    read = {path for step in steps for path in (*step.deps, *(part.path for part in step.params))}
    roots = [one for one in tracked_at(project, sorted(read - made)).values() if one is not None]
    for tracked in roots:
        now = out_now(project, tracked.path)
        if now is not None and now.digest != tracked.pointer.digest:
            raise Refused(
                f"`{tracked.path}` is not what its pointer says: workers would get the former version",
                hint=f"tally add {tracked.path}",
            )
    _require_code_or_data(project, state, sorted(read - made))
    between = [one for one in tracked_at(project, sorted(read & made)).values() if one is not None]
    there = [Selected(one) for one in between if not project.store.missing([one.pointer.digest])]
    selected = [*map(Selected, roots), *there]
    bring_lists(project, selected, progress=progress)
    transfer.push(
        project.store,
        open_remote(project),
        wanted_digests(project, selected),
        repository=project.config.repository or "",
        commits=(head,),
        roots={one.tracked.pointer.digest for one in selected},
        progress=progress,
    )


def _require_code_or_data(project: Project, state: State, paths: Sequence[str]) -> None:
    """Raise Refused for a path that reaches workers neither by git nor from the remote."""
    code = [file.path for file in project.git.list_tree(state.tree)]
    pointers = pointers_of(project)
    for path in paths:
        inside = any(name == path or name.startswith(f"{path}/") for name in code)
        if inside or pointers.at(path) or owner_of(pointers, path) or any(pointers.below(path)):
            continue
        raise Refused(
            f"workers can't have `{path}`: git doesn't keep it, and no pointer does",
            hint=f"`git add {path}` if it is code, `tally add {path}` if it is data",
        )
