"""Which stages are out of date, and why."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectsError, TallyError
from tallystick.project import Project
from tallystick.records import environment as environments
from tallystick.records.environment import Lock
from tallystick.records.receipt import Artifact
from tallystick.runs.features import features_now
from tallystick.runs.images import image_reasons
from tallystick.runs.inputs import (
    Surroundings,
    artifact_pointed,
    dep_now,
    environment_now,
    out_now,
    params_now,
    variables_now,
)
from tallystick.runs.pipelines import Graph, Step, read_file
from tallystick.runs.reasons import Reason
from tallystick.runs.receipts import Recorded

SHOWN = 60
"""Characters of a parameter's value that a reason shows."""


def stale(
    project: Project, step: Step, surroundings: Surroundings, *, placed: bool = True
) -> tuple[Reason, ...]:
    """Why a stage is out of date, judged by itself; nothing when it is up to date, or frozen.

    Without `placed`, data that was not brought into the worktree yet counts as what its pointer says.
    """
    if step.stage.frozen:
        return ()
    try:
        last = surroundings.noted.recorded(project, step)
    except BadRecord as error:
        return (Reason("receipt", step.receipt_path, f"can't be read: {error.reason}"),)
    if last is None:
        return (Reason("receipt", "", "missing: it has never run"),)
    return (
        *edited(project, step, last, surroundings),
        *_always(step),
        *_command(step, last),
        *_deps(project, step, last, surroundings, placed),
        *_params(project, step, last, surroundings),
        *_features(project, step, last),
        *_seed_and_variables(step, last, surroundings),
        *_packages(project, step, last, surroundings),
        *_outs(project, step, last, surroundings, placed),
    )


def stale_stages(
    project: Project, graph: Graph, surroundings: Surroundings, *, placed: bool = True
) -> dict[str, tuple[Reason, ...]]:
    """Why each stage is out of date, those that wait for another that is among them; in order."""
    found: dict[str, tuple[Reason, ...]] = {}
    foresee(project, graph.steps.values(), surroundings)
    for address, step in graph.steps.items():
        reasons = stale(project, step, surroundings, placed=placed)
        above = [need for need in graph.needs[address] if found.get(need)]
        if not step.stage.frozen:
            reasons += tuple(Reason("stage", need, "comes before it and is stale") for need in above)
        found[address] = reasons
    return found


def _always(step: Step) -> Iterator[Reason]:
    if step.stage.always_changed:
        yield Reason("always", "", "runs (`always_changed`)")


def edited(project: Project, step: Step, last: Recorded, surroundings: Surroundings) -> Iterator[Reason]:
    """That a receipt isn't what its run left."""
    run = surroundings.noted.original(project, last)
    if run is not None:
        yield Reason("receipt", step.receipt_path, f"was edited by hand: its run is {run.short}")


def _command(step: Step, last: Recorded) -> Iterator[Reason]:
    if last.receipt.cmd != step.stage.cmd:
        yield Reason("command", "", "changed")
    if last.receipt.wdir != step.wdir:
        yield Reason("wdir", step.wdir, "is not the folder it last ran in")


def _deps(
    project: Project, step: Step, last: Recorded, surroundings: Surroundings, placed: bool
) -> Iterator[Reason]:
    known = {artifact.path: artifact for artifact in last.receipt.deps}
    looked = _looked(project, step.deps, surroundings, dep_now)
    for path in step.deps:
        now = looked[path] or (None if placed else artifact_pointed(project, path))
        if path not in known:
            yield Reason("dep", path, "is new")
        elif now is None:
            yield Reason("dep", path, "is missing")
        elif not same(now, known[path]):
            yield Reason("dep", path, "changed")
        elif path in last.receipt.changed:
            yield Reason("dep", path, "changed while the stage last ran")
    for path in known.keys() - set(step.deps):
        yield Reason("dep", path, "is no longer one")


def _outs(
    project: Project, step: Step, last: Recorded, surroundings: Surroundings, placed: bool
) -> Iterator[Reason]:
    known = {artifact.path: artifact for artifact in last.receipt.outs}
    looked = _looked(project, [out.path for out in step.outs], surroundings, out_now)
    for out in step.outs:
        now = looked[out.path] or (None if placed else artifact_pointed(project, out.path))
        if out.path not in known:
            yield Reason("out", out.path, "is new")
        elif now is None:
            yield Reason("out", out.path, "is missing")
        elif not same(now, known[out.path]):
            yield Reason("out", out.path, "is not what the stage made")
    for path in known.keys() - {out.path for out in step.outs}:
        yield Reason("out", path, "is no longer one")


def _looked(
    project: Project,
    paths: Sequence[str],
    surroundings: Surroundings,
    other: Callable[[Project, str], Artifact | None],
) -> Mapping[str, Artifact | None]:
    """What stands at some paths now, those that were looked at already among them."""
    seen = {path: surroundings.seen[path] for path in paths if path in surroundings.seen}
    rest = [path for path in paths if path not in seen]
    return {**seen, **surroundings.noted.artifacts(project, rest, other)}


def foresee(project: Project, steps: Iterable[Step], surroundings: Surroundings) -> None:
    """Look in one go at all files that stages read and made when they last ran."""
    judged: list[Recorded] = []
    for step in steps:
        with suppress(BadRecord):  # said when its stage's turn comes
            last = None if step.stage.frozen else surroundings.noted.recorded(project, step)
            judged += [] if last is None else [last]
    surroundings.noted.judge(project, judged)
    told = [each.step for each in judged]
    paths = {path for step in told for path in (*step.deps, *(out.path for out in step.outs))}
    surroundings.noted.look(project, paths - surroundings.seen.keys())
    surroundings.noted.untouched = True


def same(one: Artifact, other: Artifact) -> bool:
    """Whether two artifacts hold the same bytes."""
    return (one.kind, one.digest, one.executable) == (other.kind, other.digest, other.executable)


def _params(project: Project, step: Step, last: Recorded, surroundings: Surroundings) -> Iterator[Reason]:
    try:
        now, known = params_now(project, step, surroundings), last.receipt.params
    except BadRecord as error:
        yield Reason("param", "", f"can't be read: {error.message}")
        return
    for file in dict.fromkeys((*now, *known)):
        yield from _differences(file, known.get(file, {}), now.get(file, {}))


def _differences(file: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    prefix = "" if file == "params.yaml" else f"{file}:"
    for key in dict.fromkeys((*old, *new)):
        if key not in old:
            yield Reason("param", prefix + key, f"is new: {_shown(new[key])}")
        elif key not in new:
            yield Reason("param", prefix + key, "is no longer one")
        elif _different(old[key], new[key]):
            yield Reason("param", prefix + key, f"changed: {_shown(old[key])} -> {_shown(new[key])}")


def _different(old: Any, new: Any) -> bool:
    """Whether two values are not the same to a program: `1`, `1.0` and `true` are three."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() != new.keys() or any(_different(old[key], new[key]) for key in old)
    # A parsed list knows its lines and so is of a type of its own.
    if isinstance(old, list) and isinstance(new, list):
        return len(old) != len(new) or any(map(_different, old, new))
    return type(old) is not type(new) or bool(old != new)


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _features(project: Project, step: Step, last: Recorded) -> Iterator[Reason]:
    known = {feature.view: feature for feature in last.receipt.features}
    try:
        now = {feature.view: feature for feature in features_now(project, step)}
    except TallyError as error:
        yield Reason("feature", "", f"can't be used: {error.message}", error.hint)
        return
    for view in dict.fromkeys((*now, *known)):
        if view not in known:
            yield Reason("feature", view, f"is new: {now[view].version}")
        elif view not in now:
            yield Reason("feature", view, "is no longer one")
        elif now[view].version != known[view].version:
            yield Reason("feature", view, f"changed: {known[view].version} -> {now[view].version}")
        elif now[view].digest != known[view].digest:
            yield Reason("feature", view, f"{now[view].version} means something else than it did")


def _seed_and_variables(step: Step, last: Recorded, surroundings: Surroundings) -> Iterator[Reason]:
    if step.stage.seed != last.receipt.seed:
        yield Reason("seed", "", f"changed: {_or_none(last.receipt.seed)} -> {_or_none(step.stage.seed)}")
    now, known = variables_now(step, surroundings), last.receipt.variables
    for name in dict.fromkeys((*now, *known)):
        if name not in known:
            yield Reason("variable", name, f"is new: {_or_none(now[name])}")
        elif name not in now:
            yield Reason("variable", name, "is no longer one")
        elif now[name] != known[name]:
            yield Reason("variable", name, f"changed: {_or_none(known[name])} -> {_or_none(now[name])}")


def _or_none(value: object) -> str:
    return "not set" if value is None else str(value)


def _packages(project: Project, step: Step, last: Recorded, surroundings: Surroundings) -> Iterator[Reason]:
    recorded = last.receipt.environment.container
    if step.stage.image is not None or recorded is not None:
        yield from image_reasons(project, step, recorded, surroundings)
        return
    # To ask an interpreter what it has installed starts it, and a repository may bring its own (rule X1).
    if not surroundings.noted.granted(project, step.command):
        return
    now, known = environment_now(project, step, surroundings), last.receipt.environment.lock
    if now is None or known is None:
        if (now is None) != (known is None):
            yield Reason("environment", "", "has a Python now" if now else "has no Python any more")
        return
    if surroundings.noted.identity(now) == known:
        return
    old = lock_of(project, step, known)
    if old is None:
        yield Reason("environment", "", "changed: other packages")
    else:
        yield from (Reason("package", "", change) for change in environments.compare(old, now.lock))


def lock_of(project: Project, step: Step, digest: Digest) -> Lock | None:
    """A recorded environment, from beside the pipeline or the local store; None if neither has it."""
    try:
        beside = read_file(project, step.lock_path)
        if beside is not None and Digest.of(beside) == digest:
            return environments.parse(beside, step.lock_path)
        return environments.parse(project.store.read(digest), str(digest))
    except (BadRecord, ObjectsError):
        # A damaged note about the past must not hide that the present differs from it.
        return None
