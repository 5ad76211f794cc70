"""Answer in one exit code whether everything is tracked, stored and receipted."""

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from tallystick.data.blobs import LOCAL, bring_lists
from tallystick.data.tracked import Malformed, Selected, Tracked, blobs_of, found_in
from tallystick.digest import Digest
from tallystick.errors import BadRecord, ObjectMissing, ObjectsError
from tallystick.frozen import dataclass
from tallystick.progress import Progress, silent
from tallystick.project import Project, open_remote
from tallystick.runs.inputs import Surroundings
from tallystick.runs.pipelines import Step, load
from tallystick.runs.reach import reached
from tallystick.runs.reasons import LOCAL_REASONS
from tallystick.runs.receipts import recorded
from tallystick.runs.staleness import edited, stale
from tallystick.store import RemoteStore

SHOWN = 3
"""How many digests a problem names."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `name` is the path or stage it is wrong with."""

    kind: Literal["pointer", "git", "blobs", "receipt", "pipeline", "undeclared"]
    name: str
    what: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """How many paths and stages were looked at, in which store for blobs, and what is wrong."""

    paths: int
    stages: int
    store: str
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check(
    project: Project,
    targets: Sequence[str] = (),
    *,
    variables: Mapping[str, str],
    remote: str | None = None,
    undeclared: bool = False,
    progress: Progress = silent,
) -> Checked:
    """Look at every pointer, its blobs, and every stage's receipt, whether or not the data is placed here.

    Blobs are looked for in the local store, or with `remote` only there: what others can pull counts then.
    With `undeclared`, no run may have read or written anything that its stage doesn't declare.
    """
    store = None if remote is None else open_remote(project, remote)
    found = found_in(project, targets)
    tracked = [one for one in found if isinstance(one, Tracked)]
    stages, unfit = (0, []) if targets else _stages(project, variables, undeclared)
    problems = [
        *_malformed(found),
        *_in_git(project, tracked),
        *(problem for one in tracked for problem in _blobs(project, one, store, progress)),
        *(_wheels(project, store) if store is not None and not targets else ()),
        *unfit,
    ]
    return Checked(len(found), stages, LOCAL if store is None else store.name, tuple(problems))


def _malformed(found: Iterable[Tracked | Malformed]) -> Iterator[Problem]:
    for one in found:
        if isinstance(one, Malformed):
            yield Problem("pointer", one.pointer_path, one.error.reason, one.error.hint)


def _in_git(project: Project, tracked: Sequence[Tracked]) -> Iterator[Problem]:
    """Tracked paths that git holds besides: the two would drift apart."""
    paths = {one.path for one in tracked}
    held = Counter(_holder(name, paths) for name in sorted(project.git.tracked(paths)))
    for path, number in held.items():
        files = "it" if number == 1 else f"{number:,} files of it"
        yield Problem("git", path, f"git tracks {files} too", f"git rm -r --cached {path}")


def _holder(name: str, paths: Collection[str]) -> str:
    """The tracked path that a file is, or lies in."""
    while name not in paths:
        name = posixpath.dirname(name)
    return name


def _blobs(
    project: Project, tracked: Tracked, store: RemoteStore | None, progress: Progress
) -> Iterator[Problem]:
    """What a store lacks of a path."""
    place = LOCAL if store is None else f"the remote `{store.name}`"
    try:
        if store is not None:
            bring_lists(project, [Selected(tracked)], remote=store.name, progress=progress)
        needed = blobs_of(project, tracked)
    except ObjectMissing:
        yield Problem("blobs", tracked.path, f"its list of files is not in {place}", _hint(tracked, store))
        return
    except (ObjectsError, BadRecord) as error:
        yield Problem("blobs", tracked.path, error.message, error.hint)
        return
    missing = project.store.missing(needed) if store is None else store.missing(needed)
    if missing:
        what = f"{len(missing):,} of its {len(needed):,} blobs are not in {place}"
        yield Problem("blobs", tracked.path, f"{what} ({_some(missing)})", _hint(tracked, store))


def _wheels(project: Project, store: RemoteStore) -> Iterator[Problem]:
    """Packages that locks and vaults name, and that others could not fetch."""
    try:
        wheels = reached(project).wheels
    except BadRecord:  # a pointer that can't be read is told of already
        return
    absent = store.missing(wheels)
    for path in dict.fromkeys(wheels[digest] for digest in sorted(absent)):
        its = {digest for digest in absent if wheels[digest] == path}
        number = "a wheel that it names is" if len(its) == 1 else f"{len(its):,} wheels that it names are"
        what = f"{number} not in the remote `{store.name}` ({_some(its)})"
        yield Problem("blobs", path, what, f"tally push -r {store.name}, where they are")


def _some(digests: Collection[Digest]) -> str:
    """A few digests by name."""
    named = ", ".join(map(str, sorted(digests)[:SHOWN]))
    return named if len(digests) <= SHOWN else f"{named}, …"


def _hint(tracked: Tracked, store: RemoteStore | None) -> str:
    if store is None:
        return f"tally fetch {tracked.path}"
    return f"tally push {tracked.path} -r {store.name}, where the data is"


def _stages(project: Project, variables: Mapping[str, str], undeclared: bool) -> tuple[int, list[Problem]]:
    """How many stages there are, and what is wrong with their receipts.

    Data that is not placed counts as recorded, and what this machine alone has installed or set not at all:
    the question is whether what is committed fits together.
    """
    try:
        steps = load(project).steps.values()
    except BadRecord as error:
        return 0, [Problem("pipeline", error.source, error.reason, error.hint)]
    surroundings = Surroundings(variables)
    problems = [problem for step in steps for problem in _receipt(project, step, surroundings)]
    if undeclared:
        problems += [problem for step in steps for problem in _undeclared(project, step)]
    return len(steps), problems


def _receipt(project: Project, step: Step, surroundings: Surroundings) -> Iterator[Problem]:
    """Why a stage's receipt does not fit what is committed."""
    try:
        reasons = stale(project, step, surroundings, placed=False)
        last = recorded(project, step) if step.stage.frozen else None
        if last is not None:  # never out of date, and yet not to be believed
            reasons = tuple(edited(project, step, last, surroundings))
    except BadRecord as error:
        yield Problem("pipeline", step.address, error.message, error.hint)
        return
    for reason in reasons:
        if reason.kind not in LOCAL_REASONS:
            remedy = "take it back from git" if step.stage.frozen else f"tally run {step.address}"
            yield Problem("receipt", step.address, reason.what, reason.hint or remedy)


def _undeclared(project: Project, step: Step) -> Iterator[Problem]:
    """What a stage's last run touched without declaring it; a run that nobody watched proves nothing."""
    with suppress(BadRecord):  # a receipt that can't be read is told of already
        last = recorded(project, step)
        if last is None:
            return
        if last.receipt.trace == "none":
            hint = "remove `trace: none` from the stage, and run it"
            yield Problem("undeclared", step.address, "nobody watched what its run read", hint)
        for path in last.receipt.undeclared:
            hint = f"tally run --declare {step.address}"
            yield Problem("undeclared", step.address, f"its run read `{path}`", hint)
        for path in last.receipt.undeclared_writes:
            hint = "name it among the outs, or write it elsewhere"
            yield Problem("undeclared", step.address, f"its run wrote `{path}`", hint)
