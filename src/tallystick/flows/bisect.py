"""Find the commit that made a metric bad, by halving what lies between a good one and a bad one."""

import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Literal

from tallystick.digest import Digest
from tallystick.errors import NotTrusted, Refused, TallyError
from tallystick.frozen import dataclass
from tallystick.git.ancestry import halving
from tallystick.git.objects import Commit, Objects
from tallystick.progress import Progress, silent
from tallystick.project import Project
from tallystick.reproduction.measuring import How, Means, Measured, Measuring, measure
from tallystick.reproduction.questions import ends, reporter
from tallystick.runs.contrast import Contrast, contrast
from tallystick.runs.interrupted import write_down

Judgement = Literal["good", "bad", "skip"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is looked for: a metric beyond a bound, below it or `above` it, between two commits."""

    metric: str
    bound: float
    good: str
    bad: str = "HEAD"
    above: bool = False
    stage: str | None = None
    folder: str = ""
    first_parent: bool = False
    means: Means = field(default_factory=Means)


@dataclass(frozen=True, slots=True)
class Step:
    """One commit that was looked at; `why` says why it could not be judged.

    `left` is how many commits can still be the first bad one, once this one is judged.
    """

    commit: str
    subject: str
    judgement: Judgement
    value: float | None = None
    how: How | None = None
    run: Digest | None = None
    seconds: float = 0.0
    why: str | None = None
    left: int | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A commit as people know it."""

    commit: str
    author: str
    time: str
    subject: str


@dataclass(frozen=True, slots=True)
class FirstBad:
    """The commit that was looked for, its metric and its parent's, and in what their runs differ."""

    commit: Named
    value: float
    run: Digest
    parent: Named | None
    parent_value: float | None
    parent_run: Digest | None
    differs: Contrast | None


@dataclass(frozen=True, slots=True)
class Bisected:
    """All steps, and the first bad commit; `suspects` are those among which it is if some were skipped."""

    metric: str
    stage: str
    condition: str
    steps: tuple[Step, ...]
    first_bad: FirstBad | None
    suspects: tuple[Named, ...]
    exit_code: int
    notes: tuple[str, ...] = ()


Known = MutableMapping[str, Measured | TallyError]
"""What is known of commits already, by their ids."""


@dataclass(frozen=True, slots=True)
class _Search:
    """One bisection under way."""

    request: Request
    to: Measuring
    commits: Mapping[str, Commit]
    known: Known
    hear: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)


def bisect(
    project: Project,
    request: Request,
    *,
    variables: Mapping[str, str],
    output: Callable[[bytes], None],
    hear: Callable[[Step], None] = lambda _step: None,
    known: Known | None = None,
    progress: Progress = silent,
) -> Bisected:
    """Measure the commits that halve what is left, until one is the first bad one; `hear` is told of each.

    Neither the user's worktree nor HEAD is touched. What can't be measured is skipped. `known` keeps what was
    measured, for the same question asked again. Raises Refused where the question makes no sense: a good
    commit that isn't, two that don't follow each other, a metric that nobody knows; NotTrusted before a
    command runs that wasn't allowed.
    """
    good, bad = ends(project, request.good, request.bad, above=request.above)
    write_down(project)
    with Objects(project.git) as objects:
        found = [*objects.commits([bad, f"^{good}"]), *objects.commits(good, 1)]
    stage = reporter(project, request.metric, (bad, good), request.stage, request.folder)
    to = Measuring(project, request.metric, stage, variables, output, progress, request.means)
    search = _Search(request, to, {each.id: each for each in found}, {} if known is None else known, hear)
    _check_ends(search, good, bad)
    first, suspects = _halved(search, project, good, bad)
    notes: list[str] = []
    return Bisected(
        request.metric,
        stage,
        f"{request.metric} {_relation(request)} {request.bound:g}",
        tuple(search.steps),
        None if first is None else _first_bad(search, first, notes),
        tuple(_named(search.commits[each]) for each in suspects),
        0 if first is not None else 1,
        tuple(notes),
    )


def _relation(request: Request) -> str:
    return ">" if request.above else "<"


def _check_ends(search: _Search, good: str, bad: str) -> None:
    """Measure both ends; raise Refused where they are not what they are said to be."""
    request = search.request
    between = len(halving(search.to.project.git, bad, [good], first_parent=request.first_parent))
    for commit, said, judgement in ((good, request.good, "good"), (bad, request.bad, "bad")):
        step = _looked_at(search, commit, between if judgement == "bad" else None)
        found = search.known[commit]
        if isinstance(found, TallyError):
            found.message = f"`{said}` can't be measured: {found.message}"
            raise found
        if step.judgement != judgement:
            beyond = "is not" if judgement == "bad" else "is"
            relation = "above" if request.above else "below"
            raise Refused(
                f"`{said}` is not {judgement}: `{request.metric}` is {found.value:g} there, which {beyond} "
                f"{relation} {request.bound:g}",
                hint=f"name a commit that is {judgement}, or another bound",
            )


def _halved(search: _Search, project: Project, good: str, bad: str) -> tuple[str | None, list[str]]:
    """The first bad commit; or, where some could not be judged, all that it may be."""
    goods, skipped = [good], set[str]()
    while True:
        every = halving(project.git, bad, goods, first_parent=search.request.first_parent)
        left = [commit for commit in every if commit != bad]
        open_ = [commit for commit in left if commit not in skipped]
        if not open_:
            return (bad, []) if not left else (None, [bad, *left])
        commit = open_[0] if left[0] == open_[0] else open_[_aside(len(open_))]
        judgement = _judged(search, commit)
        if judgement == "skip":
            skipped.add(commit)
        elif judgement == "good":
            goods.append(commit)
        else:
            bad = commit
        after = halving(project.git, bad, goods, first_parent=search.request.first_parent)
        search.steps[-1] = replace(search.steps[-1], left=len(set(after) - skipped))
        search.hear(search.steps[-1])


def _aside(count: int) -> int:
    """Which commit comes next where the best one is skipped: away from it, as git does it.

    Its neighbours are likely to be broken, too.
    """
    number = (count * 1103515245 + 12345) // 65536 % 32768
    return int((count * number // 32768) * math.sqrt(number) / math.sqrt(32768))


def _judged(search: _Search, commit: str) -> Judgement:
    step = _step(search, commit)
    search.steps.append(step)
    return step.judgement


def _looked_at(search: _Search, commit: str, left: int | None) -> Step:
    """Judge an end, and say so."""
    step = replace(_step(search, commit), left=left)
    search.steps.append(step)
    search.hear(step)
    return step


def _step(search: _Search, commit: str) -> Step:
    """Measure a commit and judge it."""
    about = search.commits[commit]
    measured = _measured(search, commit)
    if isinstance(measured, TallyError):
        return Step(commit, about.subject, "skip", why=measured.message)
    value, bound = measured.value, search.request.bound
    is_bad = value > bound if search.request.above else value < bound
    return Step(
        commit,
        about.subject,
        "bad" if is_bad else "good",
        value,
        measured.how,
        measured.run,
        measured.seconds,
    )


def _measured(search: _Search, commit: str) -> Measured | TallyError:
    """What a commit comes to, or why nobody can say, found out once."""
    if commit not in search.known:
        search.to.progress.begin(f"{commit[:10]} {search.commits[commit].subject}"[:60])
        try:
            search.known[commit] = measure(search.to, commit)
        except NotTrusted:
            raise
        except TallyError as error:
            search.known[commit] = error
        finally:
            search.to.progress.end()
    return search.known[commit]


def _first_bad(search: _Search, commit: str, notes: list[str]) -> FirstBad:
    """Name the commit, and hold its run against its parent's."""
    about, bad = search.commits[commit], search.known[commit]
    assert isinstance(bad, Measured)
    parent = about.parents[0] if about.parents else None
    before = _parent(search, parent, notes)
    good = None if parent is None else search.known.get(parent)
    measured = good if isinstance(good, Measured) else None
    return FirstBad(
        _named(about),
        bad.value,
        bad.run,
        None if before is None else _named(before),
        None if measured is None else measured.value,
        None if measured is None else measured.run,
        None
        if measured is None or parent is None
        else _contrast(search.to.project, (parent, measured), (commit, bad), notes),
    )


def _parent(search: _Search, parent: str | None, notes: list[str]) -> Commit | None:
    """The first parent, measured, if it was not yet: that of a merge need not have been."""
    if parent is None:
        return None
    if parent in search.commits and parent in search.known:
        return search.commits[parent]
    with Objects(search.to.project.git) as objects:
        about = objects.commits(parent, 1)[0]
    found = _measured(replace(search, commits={**search.commits, parent: about}), parent)
    if isinstance(found, TallyError):
        notes.append(f"its parent {parent[:10]} can't be measured: {found.message}")
    return about


def _contrast(
    project: Project, old: tuple[str, Measured], new: tuple[str, Measured], notes: list[str]
) -> Contrast:
    """In what both runs differ; of the code what the commits hold: a run may have been made before."""
    before, after = (
        replace(one.receipt, code=replace(one.receipt.code, tree=project.git.tree_of(commit)))
        for commit, one in (old, new)
    )
    return contrast(project, before, after, notes)


def _named(commit: Commit) -> Named:
    time = datetime.fromtimestamp(commit.time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Named(commit.id, commit.author, time, commit.subject)


def steps_left(count: int) -> int:
    """About how many more commits have to be looked at, of so many that may be the first bad one."""
    return math.ceil(math.log2(count)) if count > 1 else 0
